"""One of everything that the identity service's addresses name, and a token of each kind of caller.

`seed()` needs a database; for a server in other processes see `SCRIPT`.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass, replace

from django.contrib.auth.models import Group
from django.utils import timezone

from synnefo.astakos.models import (
    ApiToken,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
    Resource,
    User,
)
from synnefo.astakos.services import (
    app_credentials,
    applications,
    components,
    ec2,
    limits,
    memberships,
    resources,
    tokens,
    user_changes,
    users,
)
from synnefo.astakos.services.app_credentials import Rule, Wish
from synnefo.astakos.services.oauth2 import clients
from synnefo.astakos.services.project_definitions import Definition
from synnefo.common.db import transactional
from tests.support.identity import PASSWORD, register_catalog

RESOURCES = ("cyclades.vm", "cyclades.disk")
REDIRECT = "https://client.example.org/back"
CLIENT_SECRET = "a long client secret"
PROJECT_ADMINS = "project-admins"
"""A group for ASTAKOS_PROJECT_ADMIN_GROUPS."""
SCRIPT = "import django; django.setup(); from tests.support.identity_seeds import as_json; print(as_json())"
"""Seeds the database of a server, in a process with the server's environment."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """`tokens`: by kind of caller. `named`: what stands for each name in a path. `uuids`: of users, by kind of caller."""

    tokens: dict[str, str]
    named: dict[str, str]
    uuids: dict[str, str]


@transactional()
def _define_resources() -> None:
    for name in RESOURCES:
        resources.register_resource({"name": name, "desc": name, "service_type": "compute", "service_origin": "cyclades_compute"},
                                    "cyclades")


@transactional()
def make_project(owner: User, name: str, members: list[User]) -> Project:
    """A running project with capacities, of which all of them are members."""
    project = Project.objects.create(realname=name, owner=owner, state=ProjectState.ACTIVE, max_members=10_000,
                                     end_date=timezone.now() + datetime.timedelta(days=365))
    for user in members:
        ProjectMembership.objects.create(project=project, user=user, state=MembershipState.ACCEPTED, was_accepted=True)
    ProjectResourceQuota.objects.bulk_create([
        ProjectResourceQuota(project=project, resource=resource, project_capacity=10**6, member_capacity=10**5)
        for resource in Resource.objects.all()])
    limits.apply([project])
    return project


def _named(user: User, **options: object) -> tuple[ApiToken, str]:
    issued = tokens.issue_named(user, "test", **options)  # type: ignore[arg-type]
    return issued.token, issued.secret


def seed() -> Seeds:
    """Everything once, with names that do not clash with each other."""
    if components.find_component("cyclades") is None:
        register_catalog()
        _define_resources()
    people = {kind: users.create_user(f"{kind}@example.org", first_name=kind, last_name="X", password=PASSWORD if kind == "member" else None)
              for kind in ("user", "member", "owner", "project_admin", "helpdesk", "suspended", "expired")}
    people["admin"] = users.create_user("admin@example.org", is_admin=True)
    users.ensure_groups()
    user_changes.modify_user(people["helpdesk"].user_id, user_changes.Changes(add_groups=("helpdesk",)))
    user_changes.modify_user(people["admin"].user_id, user_changes.Changes(add_groups=("admin-api", "admin-stats")))
    Group.objects.get_or_create(name=PROJECT_ADMINS)
    user_changes.modify_user(people["project_admin"].user_id, user_changes.Changes(add_groups=(PROJECT_ADMINS,)))
    project = make_project(people["owner"], "a project.example.org", [people["owner"], people["member"]])
    secrets_of = {kind: _named(user)[1] for kind, user in people.items()}
    secrets_of["restricted"] = _named(people["member"], project_id=project.uuid)[1]
    token, _ = _named(people["member"])
    ApiToken.objects.filter(user=people["expired"]).update(expires_at=timezone.now() - datetime.timedelta(days=1))
    user_changes.modify_user(people["suspended"].user_id, user_changes.Changes(active=False))
    named = {**_things(people["member"], token, project.uuid), "project_id": project.uuid, "user_id": people["member"].uuid,
             "token_id": str(token.pk), "secret": secrets_of["member"], "domain_id": "default", "role_id": "member", "region_id": "default",
             "membership_id": str(project.memberships.get(user=people["member"]).pk),
             "app_id": str(applications.submit(people["owner"], Definition(name="new.example.org", end_date=project.end_date)).pk),
             "group_id": str(people["helpdesk"].groups.get().pk)}
    return Seeds({**secrets_of, "component": components.token_of(components.get_component("cyclades"))}, named, {kind: user.uuid for kind, user in people.items()})


def _things(user: User, token: ApiToken, project_id: str) -> dict[str, str]:
    """What belongs to the user and has an address of its own."""
    from synnefo.astakos.quotaholder import services as ledger
    from synnefo.astakos.services import catalog

    wish = Wish(name="for a program", access_rules=[Rule(service="compute", method="GET", path="/v2.1/servers")])
    credential, _ = app_credentials.create(token, wish)
    unused, _ = app_credentials.create(token, replace(wish, name="gone", access_rules=[Rule(service="image", method="GET", path="/v2/images")]))
    app_credentials.delete(token, unused.id)
    rule = next(item for item in app_credentials.list_rules(user) if item.service == "image")
    key = ec2.create(token, memberships.all_memberships(user)[0].project_id)
    clients.add("client", [REDIRECT], secret=CLIENT_SECRET)
    serial = ledger.issue("cyclades", [ledger.Charge(f"project:{project_id}", "", RESOURCES[0], 1)])
    service = catalog.v3_catalog(user.uuid, project_id)[0]
    return {"credential_id": credential.id, "rule_id": rule.id, "access": key.access, "serial": str(serial),
            "service_id": service["id"], "endpoint_id": service["endpoints"][0]["id"]}


def as_json() -> str:
    """For a process that has the environment of a server: `python -c "..."`."""
    return json.dumps(asdict(seed()))
