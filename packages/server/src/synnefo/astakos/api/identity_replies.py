"""The shapes of what the two identity APIs answer, for their description."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from synnefo.common.describe import Reply


class Link(Reply):
    rel: str
    href: str
    type: str = ""


class MediaType(Reply):
    base: str
    type: str


class Version(Reply):
    id: str
    status: str
    updated: str
    links: list[Link]
    media_types: list[MediaType] = Field(alias="media-types")


class VersionReply(Reply):
    version: Version


class VersionValues(Reply):
    values: list[Version]


class VersionsReply(Reply):
    versions: VersionValues


class Named(Reply):
    id: str
    name: str


class Tenant(Named):
    enabled: bool


class ShownTenant(Tenant):
    description: str


class TenantsReply(Reply):
    tenants: list[ShownTenant]
    tenants_links: list[Link]


class TokenV2(Reply):
    id: str
    expires: str
    issued_at: str = ""
    tenant: Tenant


class UserV2(Named):
    username: str
    roles: list[Named]
    roles_links: list[Link]
    projects: list[str]


class EndpointV2(Reply):
    """Whatever the operator registered; these are always there."""

    model_config = ConfigDict(extra="allow")
    public_url: str = Field(alias="publicURL")
    region: str
    version_id: str = Field(alias="versionId")


class ServiceV2(Reply):
    name: str
    type: str
    endpoints: list[EndpointV2]
    endpoints_links: list[Link]


class CredentialOfToken(Named):
    restricted: bool
    access_rules: list[dict[str, Any]] = []


class AccessV2(Reply):
    """The catalog alone, for a request without a body; else all of it."""

    service_catalog: list[ServiceV2] = Field(alias="serviceCatalog")
    token: TokenV2 | None = None
    user: UserV2 | None = None
    application_credential: CredentialOfToken | None = None


class AccessReply(Reply):
    access: AccessV2


class NamedEndpointV2(EndpointV2):
    name: str
    type: str


class EndpointsV2Reply(Reply):
    endpoints: list[NamedEndpointV2]
    endpoints_links: list[Link]


class ShownTokenV2(Reply):
    id: str
    expires: str
    tenant: Named


class ShownUserV2(Named):
    roles: list[Named]
    roles_links: list[Link]


class ShownAccessV2(Reply):
    token: ShownTokenV2
    user: ShownUserV2


class OAuthTokenReply(Reply):
    access: ShownAccessV2


class SelfLink(Reply):
    self: str


class Links(SelfLink):
    next: str | None
    previous: str | None


class UserOfToken(Named):
    domain: Named
    password_expires_at: None


class ProjectOfToken(Named):
    domain: Named


class EndpointV3(Reply):
    id: str
    interface: Literal["public", "internal", "admin"]
    region: str
    region_id: str
    url: str


class ServiceOfCatalog(Reply):
    id: str
    name: str
    type: str
    endpoints: list[EndpointV3]


class TokenV3(Reply):
    """Without a project where it is unscoped, without a catalog where `nocatalog` was asked."""

    methods: list[str]
    user: UserOfToken
    audit_ids: list[str]
    issued_at: str
    expires_at: str
    project: ProjectOfToken | None = None
    is_domain: bool = False
    roles: list[Named] = []
    catalog: list[ServiceOfCatalog] = []
    application_credential: CredentialOfToken | None = None


class TokenReply(Reply):
    token: TokenV3


class CatalogReply(Reply):
    catalog: list[ServiceOfCatalog]
    links: SelfLink


class Project(Named):
    domain_id: str
    description: str
    enabled: bool
    parent_id: str
    is_domain: bool
    tags: list[str]
    options: dict[str, Any]
    links: SelfLink


class ProjectReply(Reply):
    project: Project


class ProjectsReply(Reply):
    projects: list[Project]
    links: Links


class Domain(Named):
    description: str
    enabled: bool
    tags: list[str]
    options: dict[str, Any]
    links: SelfLink


class DomainReply(Reply):
    domain: Domain


class DomainsReply(Reply):
    domains: list[Domain]
    links: Links


class SystemReply(Reply):
    system: list[dict[str, Any]]
    links: Links


class UserV3(Named):
    email: str
    domain_id: str
    enabled: bool
    default_project_id: str
    password_expires_at: None
    description: str
    options: dict[str, Any]
    links: SelfLink


class UserReply(Reply):
    user: UserV3


class UsersReply(Reply):
    users: list[UserV3]
    links: Links


class Group(Named):
    domain_id: str
    description: str
    links: SelfLink


class GroupReply(Reply):
    group: Group


class GroupsReply(Reply):
    groups: list[Group]
    links: Links


class Role(Named):
    domain_id: None
    description: str
    options: dict[str, Any]
    links: SelfLink


class RoleReply(Reply):
    role: Role


class RolesReply(Reply):
    roles: list[Role]
    links: Links


class Assigned(Reply):
    """Names are there if `include_names` asks for them."""

    id: str
    name: str = ""
    domain: Named | None = None


class AssignmentScope(Reply):
    project: Assigned


class Assignment(Reply):
    role: Assigned
    user: Assigned
    scope: AssignmentScope
    links: dict[str, str]


class AssignmentsReply(Reply):
    role_assignments: list[Assignment]
    links: Links


class Service(Reply):
    id: str
    name: str
    type: str
    enabled: bool
    description: str
    links: SelfLink


class ServiceReply(Reply):
    service: Service


class ServicesReply(Reply):
    services: list[Service]
    links: Links


class Endpoint(EndpointV3):
    service_id: str
    enabled: bool
    links: SelfLink


class EndpointReply(Reply):
    endpoint: Endpoint


class EndpointsReply(Reply):
    endpoints: list[Endpoint]
    links: Links


class Region(Reply):
    id: str
    description: str
    parent_region_id: None
    links: SelfLink


class RegionReply(Reply):
    region: Region


class RegionsReply(Reply):
    regions: list[Region]
    links: Links


class CredentialRole(Named):
    domain_id: None


class AppCredential(Named):
    description: str
    project_id: str
    user_id: str
    roles: list[CredentialRole]
    unrestricted: bool
    expires_at: str | None
    system: None
    links: SelfLink
    access_rules: list[dict[str, Any]] = []


class NewAppCredential(AppCredential):
    secret: str


class AppCredentialReply(Reply):
    application_credential: AppCredential


class NewAppCredentialReply(Reply):
    application_credential: NewAppCredential


class AppCredentialsReply(Reply):
    application_credentials: list[AppCredential]
    links: Links


class AccessRule(Reply):
    id: str
    service: str
    method: str
    path: str
    links: SelfLink


class AccessRuleReply(Reply):
    access_rule: AccessRule


class AccessRulesReply(Reply):
    access_rules: list[AccessRule]
    links: Links


class Ec2Key(Reply):
    access: str
    secret: str
    user_id: str
    tenant_id: str
    trust_id: None
    links: SelfLink


class Ec2KeyReply(Reply):
    credential: Ec2Key


class Ec2KeysReply(Reply):
    credentials: list[Ec2Key]
    links: Links


class SigningKeyReply(Reply):
    key: str
    user_id: str
    email: str
    name: str
    project_id: str
    project_ids: list[str]
    roles: list[str]
