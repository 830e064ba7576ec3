"""What OpenStack clients ask of the network API besides its four resources: extensions, quotas, security groups and
the collections that this cloud has only empty.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from synnefo.common.errors import Forbidden, InvalidInput, MethodNotAllowed, NotFound, NotSupported
from synnefo.common.ports import INFINITE, Caller, QuotaUsage, quota
from synnefo.cyclades.api import network_queries as queries
from synnefo.cyclades.api import network_views as views
from synnefo.cyclades.services import network_usage
from synnefo.cyclades.services.network_policy import parsed_id
from synnefo.cyclades.services.security_groups import GROUPS

COLLECTION_NAMES = [
    ("extension", "extensions"), ("quota", "quotas"), ("availability_zone", "availability_zones"), ("agent", "agents"),
    ("network_ip_availability", "network-ip-availabilities"), ("security_group", "security-groups"),
    ("security_group_rule", "security-group-rules"),
]
EMPTY = {
    "routers": "routers", "subnetpools": "subnetpools", "address-scopes": "address_scopes", "trunks": "trunks",
    "rbac-policies": "rbac_policies", "service-providers": "service_providers",
}
EXTENSIONS = {
    "external-net": "Neutron external network", "router": "Floating IPs", "security-group": "Built-in security groups",
    "quotas": "Quotas", "quota_details": "Quota details", "project-id": "project_id beside tenant_id",
    "pagination": "Pagination", "sorting": "Sorting", "standard-attr-description": "Descriptions",
    "standard-attr-timestamp": "Timestamps", "standard-attr-revisions": "Revision numbers", "standard-attr-tag": "Tags",
    "net-mtu": "MTU", "binding": "Port binding", "availability_zone": "Availability zone",
    "network_availability_zone": "Network availability zone", "network-ip-availability": "Addresses in use",
    "fip-port-details": "Port details of floating IPs", "agent": "Agents", "snf-network": "Synnefo's own attributes",
}
UPDATED = "2026-01-01T00:00:00Z"
NETWORK_RESOURCE, FLOATING_IP_RESOURCE = "cyclades.network.private", "cyclades.floating_ip"
ID_KEY = {"extensions": "alias"}

type_handler = Callable[[HttpRequest, Caller, list[str]], HttpResponse]


def answer(request: HttpRequest, caller: Caller, parts: list[str]) -> HttpResponse:
    """Raises `NotFound` for collections that do not exist."""
    if parts[0] in EMPTY:
        return _empty(request, parts)
    handler = HANDLERS.get(parts[0])
    if handler is None:
        raise NotFound("API endpoint not found.")
    return handler(request, caller, parts[1:])


def _empty(request: HttpRequest, parts: list[str]) -> HttpResponse:
    if request.method == "POST":
        raise NotSupported(f"This cloud has no {parts[0]}.")
    _reading(request)
    if len(parts) > 1:
        raise NotFound(f"There is no {parts[0].removesuffix('s')} {parts[1][:64]}.")
    return JsonResponse({EMPTY[parts[0]]: []})


def _reading(request: HttpRequest) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(("GET", "HEAD"))


def _only(parts: list[str], most: int) -> None:
    if len(parts) > most:
        raise InvalidInput("API endpoint not found.")


def _filtered(
    request: HttpRequest, objects: list[dict[str, Any]], *, but: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Exact filters over what is small enough to be rendered whole; those of `but` have been applied already."""
    known = {key for item in objects for key in item} | {"id", "name", "tenant_id", "project_id", "network_id", "network_name", *but}
    query = queries.parse(request.GET, known)
    filters = {key: values for key, values in query.filters.items() if key not in but}
    kept = [item for item in objects if all(queries.matches(item, key, values) for key, values in filters.items())]
    return [queries.trimmed(item, query.fields) for item in kept]


def _extensions(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _reading(request)
    _only(rest, 1)
    members = [
        {"alias": alias, "name": name, "description": name, "updated": UPDATED, "links": []}
        for alias, name in EXTENSIONS.items()
    ]
    if not rest:
        return JsonResponse({"extensions": members})
    found = next((member for member in members if member["alias"] == rest[0]), None)
    if found is None:
        raise NotFound(f"There is no extension {rest[0][:64]!r}.")
    return JsonResponse({"extension": found})


def _quotas(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    if request.method in {"PUT", "DELETE"}:
        raise Forbidden("Quotas are set by the operator and by projects.")
    _reading(request)
    _only(rest, 2)
    if not rest:
        return JsonResponse({"quotas": []})
    project = rest[0]
    if project not in caller.project_ids and project != caller.project_id:
        raise Forbidden("You are not a member of that project.")
    kind = rest[1] if len(rest) > 1 else ""
    if kind not in {"", "default", "details"}:
        raise InvalidInput("API endpoint not found.")
    usages = quota("cyclades").usages(user_ids=[caller.user_id]).get(caller.user_id, {}).get(project, {})  # type: ignore[call-overload]
    return JsonResponse({"quota": _quota_details(usages) if kind == "details" else _quota_limits(usages)})


def _quota_limits(usages: dict[str, QuotaUsage]) -> dict[str, int]:
    return {key: entry["limit"] for key, entry in _quota_details(usages).items()}


def _quota_details(usages: dict[str, QuotaUsage]) -> dict[str, dict[str, int]]:
    unlimited, none = {"limit": -1, "used": 0, "reserved": 0}, {"limit": 0, "used": 0, "reserved": 0}
    return {
        "network": _usage(usages.get(NETWORK_RESOURCE)), "floatingip": _usage(usages.get(FLOATING_IP_RESOURCE)),
        "subnet": unlimited, "port": unlimited, "router": none, "security_group": unlimited,
        "security_group_rule": unlimited, "subnetpool": none, "rbac_policy": none,
    }


def _usage(holding: QuotaUsage | None) -> dict[str, int]:
    """The tighter of the member's and the project's limit; -1 for none."""
    if holding is None:
        return {"limit": 0, "used": 0, "reserved": 0}
    limit = min(holding.limit, holding.project_limit - (holding.project_usage - holding.usage))
    return {"limit": -1 if limit >= INFINITE // 2 else max(limit, 0), "used": holding.usage, "reserved": holding.pending}


def _availability_zones(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _reading(request)
    _only(rest, 0)
    zone = {"name": "nova", "resource": "network", "state": "available"}
    return JsonResponse({"availability_zones": _filtered(request, [zone])})


def _agents(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _reading(request)
    if rest:
        raise NotFound(f"There is no agent {rest[0][:64]}.")
    return JsonResponse({"agents": []})


def _ip_availabilities(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _reading(request)
    _only(rest, 1)
    if rest:
        return JsonResponse({"network_ip_availability": network_usage.availability(caller, parsed_id(rest[0], "network"))})
    asked = request.GET.getlist("ip_version")
    if not set(asked) <= {"4", "6"}:
        raise InvalidInput("ip_version must be 4 or 6.", field="ip_version")
    rows = network_usage.availabilities(caller, ip_versions=frozenset(map(int, asked)) or network_usage.BOTH)
    return JsonResponse({"network_ip_availabilities": _filtered(request, rows, but={"ip_version"})})


def _read_only(request: HttpRequest) -> None:
    if request.method in {"POST", "PUT", "DELETE"}:
        raise Forbidden("The built-in security groups cannot be changed.")
    _reading(request)


def _security_groups(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _read_only(request)
    _only(rest, 1)
    groups = [views.security_group(group.number, caller.project_id) for group in GROUPS]
    if not rest:
        return JsonResponse({"security_groups": _filtered(request, groups)})
    return JsonResponse({"security_group": _by_id(groups, rest[0], "security group")})


def _security_group_rules(request: HttpRequest, caller: Caller, rest: list[str]) -> HttpResponse:
    _read_only(request)
    _only(rest, 1)
    rules = [views.security_group_rule(rule, caller.project_id) for group in GROUPS for rule in group.rules]
    if not rest:
        return JsonResponse({"security_group_rules": _filtered(request, rules)})
    return JsonResponse({"security_group_rule": _by_id(rules, rest[0], "security group rule")})


def _by_id(objects: list[dict[str, Any]], text: str, what: str) -> dict[str, Any]:
    key = str(parsed_id(text, what))
    found = next((item for item in objects if item["id"] == key), None)
    if found is None:
        raise NotFound(f"There is no {what} {key}.")
    return found


HANDLERS: dict[str, type_handler] = {
    "extensions": _extensions, "quotas": _quotas, "availability_zones": _availability_zones, "agents": _agents,
    "network-ip-availabilities": _ip_availabilities, "security-groups": _security_groups,
    "security-group-rules": _security_group_rules,
}
