"""URLs of the two identity APIs, below `identity`. A slash at the end is optional everywhere."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, re_path

from synnefo.astakos.api import admin, app_credentials, ec2, xml
from synnefo.astakos.api import identity_v2 as v2
from synnefo.astakos.api import identity_v3 as v3
from synnefo.astakos.api import identity_v3_changes as changes
from synnefo.astakos.api import identity_v3_resources as resources
from synnefo.astakos.api.http import View, endpoint, whatever

_ID = r"[^/]{1,255}"


def _v3(path: str, **views: View) -> URLPattern:
    return re_path(rf"^v3/{path}/?$", endpoint("keystone", **views))


def _kept(path: str, show: View, *, changes: tuple[str, ...] = ("PUT", "PATCH", "DELETE")) -> URLPattern:
    """Readable; every change is refused with words."""
    return _v3(path, GET=show, **dict.fromkeys(changes, resources.read_only))


_list_changes = ("POST",)
_collections = [
    ("projects", "project_id", resources.projects, resources.project),
    ("groups", "group_id", resources.groups, resources.group),
    ("domains", "domain_id", resources.domains, resources.domain),
    ("roles", "role_id", resources.roles, resources.role),
    ("services", "service_id", resources.services, resources.service),
    ("endpoints", "endpoint_id", resources.endpoints, resources.endpoint),
    ("regions", "region_id", resources.regions, resources.region),
]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^(?:\.json)?$", endpoint(GET=v2.versions)),
    re_path(r"^v2\.0/?(?:\.json)?$", endpoint(GET=v2.show_version)),
    re_path(r"^v2\.0/tokens/?(?:\.json|\.xml)?$", xml.with_faults(endpoint(POST=v2.authenticate))),
    re_path(rf"^v2\.0/tokens/(?P<secret>{_ID})/endpoints/?$", endpoint(GET=v2.token_endpoints)),
    re_path(rf"^v2\.0/tokens/(?P<secret>{_ID})/?$", endpoint(GET=v2.validate, HEAD=v2.no_head)),
    re_path(r"^v2\.0/tenants/?$", endpoint(GET=v2.tenants)),
    re_path(r"^v2\.0/users/?(?:\.json)?$", endpoint(GET=admin.users, POST=admin.create)),
    re_path(r"^v2\.0/users/detail/?$", endpoint(GET=admin.users)),
    re_path(rf"^v2\.0/users/(?P<user_id>{_ID})/action/?$", endpoint(POST=admin.act)),
    re_path(rf"^v2\.0/users/(?P<user_id>{_ID})/?$", endpoint(GET=admin.user, PUT=admin.update)),
    re_path(r"^v2\.0/(?P<rest>[\s\S]*)$", whatever(v2.unknown)),
    re_path(r"^v3/?(?:\.json)?$", endpoint("keystone", GET=v3.discovery)),
    _v3("auth/tokens", POST=v3.issue, GET=v3.show, DELETE=v3.revoke),
    _v3("auth/catalog", GET=v3.show_catalog),
    _v3("auth/projects", GET=v3.auth_projects),
    _v3("auth/domains", GET=v3.auth_domains),
    _v3("auth/system", GET=v3.auth_system),
    _v3("role_assignments", GET=resources.role_assignments),
    _v3(rf"users/(?P<user_id>{_ID})/projects", GET=resources.user_projects),
    _v3(rf"users/(?P<user_id>{_ID})/groups", GET=resources.user_groups),
    _v3(rf"users/(?P<user_id>{_ID})/application_credentials", GET=app_credentials.listing, POST=app_credentials.create),
    _v3(rf"users/(?P<user_id>{_ID})/application_credentials/(?P<credential_id>{_ID})",
        GET=app_credentials.show, DELETE=app_credentials.delete),
    _v3(rf"users/(?P<user_id>{_ID})/access_rules", GET=app_credentials.list_rules),
    _v3(rf"users/(?P<user_id>{_ID})/access_rules/(?P<rule_id>{_ID})",
        GET=app_credentials.show_rule, DELETE=app_credentials.delete_rule),
    _v3(rf"users/(?P<user_id>{_ID})/credentials/OS-EC2", GET=ec2.listing, POST=ec2.create),
    _v3(rf"users/(?P<user_id>{_ID})/credentials/OS-EC2/(?P<access>{_ID})", GET=ec2.show, DELETE=ec2.delete),
    _v3("s3tokens", POST=ec2.s3_token),
    _v3("ec2tokens", POST=ec2.ec2_token),
    _v3(rf"users/(?P<user_id>{_ID})/password", POST=changes.change_password),
    _v3("users", GET=resources.users, POST=resources.read_only),
    _v3(rf"users/(?P<user_id>{_ID})", GET=resources.user, PATCH=changes.update_user, PUT=resources.read_only, DELETE=resources.read_only),
    _v3(rf"projects/(?P<project_id>{_ID})/(?:users|groups)/(?P<user_id>{_ID})/roles/(?P<role_id>{_ID})",
        PUT=resources.read_only, DELETE=resources.read_only),
    *(_kept(name, listing, changes=_list_changes) for name, _, listing, _ in _collections),
    *(_kept(rf"{name}/(?P<{key}>{_ID})", show) for name, key, _, show in _collections),
    re_path(r"^v3/(?P<rest>[\s\S]*)$", whatever(resources.unknown, "keystone")),
]
