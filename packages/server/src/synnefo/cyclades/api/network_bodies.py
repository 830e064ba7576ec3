"""Bodies of the network API, parsed into typed requests. Anything that cannot mean something is an `InvalidInput`."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest

from synnefo.common.errors import Forbidden, InvalidInput, NotSupported
from synnefo.common.ports import Caller
from synnefo.cyclades.models.networks import NAME_LENGTH
from synnefo.cyclades.network_flavors import all_flavors
from synnefo.cyclades.services import addresses, floating_ips, networks, security_groups, subnets
from synnefo.cyclades.services.network_policy import parsed_id

MAX_BULK = 100
MAX_LIST = 64
MAX_DESCRIPTION = 255
MAX_TAGS, MAX_TAG_LENGTH = 50, 255
_ABSENT = object()

type_body = dict[str, Any]


def json_object(request: HttpRequest) -> type_body:
    """The request's JSON object. Raises `InvalidInput` for another type, bad JSON or something that is no object."""
    if request.content_type != "application/json":
        raise InvalidInput("The Content-Type must be application/json.")
    try:
        body = json.loads(request.body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InvalidInput("Could not decode the request body as JSON.") from error
    if not isinstance(body, dict):
        raise InvalidInput("The request body must be a JSON object.")
    return body


def one(body: type_body, name: str) -> type_body:
    """The object under its singular name."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise InvalidInput(f"The request body needs an object {name!r}.", field=name)
    return value


def one_or_many(body: type_body, singular: str, plural: str) -> tuple[list[type_body], bool]:
    """The objects to create, and whether they came as a list."""
    if plural not in body:
        return [one(body, singular)], False
    members = body[plural]
    if singular in body:
        raise InvalidInput(f"Give either {singular!r} or {plural!r}.", field=plural)
    if not isinstance(members, list) or not 1 <= len(members) <= MAX_BULK:
        raise InvalidInput(f"{plural!r} must be a list of 1 to {MAX_BULK} objects.", field=plural)
    if not all(isinstance(member, dict) for member in members):
        raise InvalidInput(f"Each member of {plural!r} must be an object.", field=plural)
    return members, True


def text(body: type_body, field: str, default: str | None = None, *, limit: int = 1024) -> str | None:
    """A string attribute; null counts as absent."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, str):
        raise InvalidInput(f"{field} must be a string.", field=field)
    if len(value) > limit or "\x00" in value:
        raise InvalidInput(f"{field} may have {limit} characters at most, none of them NUL.", field=field)
    return value


def name_of(body: type_body) -> str | None:
    return text(body, "name", limit=NAME_LENGTH)


def description_of(body: type_body) -> str | None:
    return text(body, "description", limit=MAX_DESCRIPTION)


def boolean(body: type_body, field: str, default: bool) -> bool:
    value = body.get(field, default)
    if value is None:
        return default
    if not isinstance(value, bool):  # 0 == False in Python, but it is no boolean
        raise InvalidInput(f"{field} must be true or false.", field=field)
    return value


def _list(body: type_body, field: str) -> list[Any]:
    value = body.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise InvalidInput(f"{field} must be a list of at most {MAX_LIST} members.", field=field)
    return value


def project_of(body: type_body, caller: Caller) -> str:
    """The project that pays: named as `project`, or as `project_id`/`tenant_id` when it is one of the caller's."""
    named = text(body, "project", limit=255)
    if named is not None:
        if named not in caller.project_ids and named != caller.project_id:
            raise InvalidInput("You are not a member of that project.", field="project")
        return named
    for field in ("project_id", "tenant_id"):
        value = text(body, field, limit=255)
        if value is not None and value in caller.project_ids:
            return value
    return caller.project_id


def network_spec(body: type_body, caller: Caller) -> networks.NetworkSpec:
    if body.get("router:external") is True:
        raise Forbidden("Only the operator may create external networks.")
    flavor = text(body, "type")
    provider_type = text(body, "provider:network_type")
    if flavor is None and provider_type in all_flavors():
        flavor = provider_type
    flavor = flavor if flavor is not None else networks.default_type()
    networks.check_user_may_create(flavor)
    return networks.NetworkSpec(
        flavor=flavor, name=name_of(body) or "", description=description_of(body) or "", user_id=caller.user_id,
        project_id=project_of(body, caller), shared_to_project=boolean(body, "shared_to_project", False),
    )


def subnet_spec(body: type_body) -> tuple[int, subnets.SubnetSpec]:
    """The network's id and the subnet wanted on it."""
    network_id = parsed_id(body.get("network_id"), "network")
    cidr = text(body, "cidr", limit=64)
    if cidr is None:
        raise InvalidInput("cidr is missing.", field="cidr")
    if body.get("subnetpool_id") is not None:
        raise InvalidInput("There are no subnet pools.", field="subnetpool_id")
    version = body.get("ip_version", 4)
    version = 4 if version is None else version
    if isinstance(version, bool) or version not in (4, 6):
        raise InvalidInput("ip_version must be 4 or 6.", field="ip_version")
    return network_id, subnets.SubnetSpec(
        cidr=cidr, ip_version=version, name=name_of(body) or "", description=description_of(body) or "",
        gateway=_gateway(body), dhcp=_dhcp(body, version), pools=_pools(body),
        dns_nameservers=_addresses(body, "dns_nameservers"), host_routes=_host_routes(body),
    )


def _gateway(body: type_body) -> Any:
    """Absent or "" lets us choose, null means none: three cases that must not be mixed up."""
    value = body.get("gateway_ip", _ABSENT)
    if value is _ABSENT or value == "":
        return subnets.AUTO
    if value is not None and not isinstance(value, str):
        raise InvalidInput("gateway_ip must be an address or null.", field="gateway_ip")
    return value


def _dhcp(body: type_body, version: int) -> bool:
    dhcp = boolean(body, "enable_dhcp", True)
    modes = {text(body, field) for field in ("ipv6_ra_mode", "ipv6_address_mode")}
    if not modes <= {None, "slaac"} or (len(modes) == 2 and version == 6):
        raise InvalidInput("ipv6_ra_mode and ipv6_address_mode must both be slaac or absent.", field="ipv6_address_mode")
    if version == 6 and "enable_slaac" in body:
        return boolean(body, "enable_slaac", dhcp)
    return dhcp


def _pools(body: type_body) -> tuple[tuple[str, str], ...] | None:
    runs = []
    for member in _list(body, "allocation_pools"):
        if not isinstance(member, dict):
            raise InvalidInput("Each allocation pool must be an object.", field="allocation_pools")
        start, end = text(member, "start", limit=64), text(member, "end", limit=64)
        if start is None or end is None:
            raise InvalidInput("Each allocation pool needs start and end.", field="allocation_pools")
        runs.append((addresses.checked_ipv4(start, field="start"), addresses.checked_ipv4(end, field="end")))
    return tuple(runs) or None


def _addresses(body: type_body, field: str) -> tuple[str, ...]:
    return tuple(subnets.checked_address(member, field=field) for member in _list(body, field))


def _host_routes(body: type_body) -> tuple[dict[str, str], ...]:
    routes = []
    for member in _list(body, "host_routes"):
        if not isinstance(member, dict):
            raise InvalidInput("Each host route must be an object.", field="host_routes")
        routes.append({
            "destination": subnets.checked_destination(member.get("destination")),
            "nexthop": subnets.checked_address(member.get("nexthop"), field="nexthop"),
        })
    return tuple(routes)


class PortRequest:
    """A port as asked for. `server_id` None leaves it unattached; `address` None lets us choose."""

    def __init__(self, body: type_body) -> None:
        self.address = _fixed_ip(body)
        self.profile = _profile(body)
        self.server_id = _device(body)
        self.network_id = parsed_id(body.get("network_id"), "network")
        self.name = name_of(body) or ""
        self.description = description_of(body) or ""
        check_fixed_port_attributes(body)


def check_fixed_port_attributes(body: type_body) -> None:
    """Attributes that exist for other clouds and have one value here."""
    if body.get("allowed_address_pairs") or body.get("extra_dhcp_opts") or body.get("port_security_enabled") is False:
        raise InvalidInput("allowed_address_pairs, extra_dhcp_opts and port_security_enabled cannot be changed.")


def _fixed_ip(body: type_body) -> str | None:
    members = _list(body, "fixed_ips")
    if len(members) > 1:
        raise InvalidInput("A port has one fixed IP at most.", field="fixed_ips")
    for member in members:
        if not isinstance(member, dict):
            raise InvalidInput("Each member of fixed_ips must be an object.", field="fixed_ips")
        if member.get("ip_address") is not None:
            return addresses.checked_ipv4(member["ip_address"], field="ip_address")
    return None


def fixed_subnet_id(body: type_body) -> int | None:
    members = _list(body, "fixed_ips")
    value = members[0].get("subnet_id") if members and isinstance(members[0], dict) else None
    return None if value is None else parsed_id(value, "subnet")


def _profile(body: type_body) -> str | None:
    return security_groups.profile_of_groups(
        [parsed_id(member, "security group") for member in _list(body, "security_groups")])


def profile_of(body: type_body) -> str | None:
    return _profile(body)


def _device(body: type_body) -> int | None:
    value = body.get("device_id")
    return None if value in (None, "") else parsed_id(value, "device")


def device_change(body: type_body) -> tuple[int | None] | None:
    """None when `device_id` is absent; else the server to attach to, or (None,) for "none"."""
    return (_device(body),) if "device_id" in body else None


def fixed_ip_set(body: type_body) -> frozenset[str] | None:
    """The addresses a port update names, or None when it names none."""
    if "fixed_ips" not in body:
        return None
    named = []
    for member in _list(body, "fixed_ips"):
        if not isinstance(member, dict) or not isinstance(member.get("ip_address"), str):
            raise InvalidInput("Each member of fixed_ips needs an ip_address.", field="fixed_ips")
        named.append(member["ip_address"])
    return frozenset(named)


def floating_ip_spec(body: type_body, caller: Caller) -> floating_ips.FloatingIPSpec:
    network_id, address = body.get("floating_network_id"), body.get("floating_ip_address")
    port_id = body.get("port_id")
    return floating_ips.FloatingIPSpec(
        network_id=None if network_id is None else parsed_id(network_id, "network"),
        address=None if address is None else addresses.checked_ipv4(address, field="floating_ip_address"),
        project_id=project_of(body, caller), shared_to_project=boolean(body, "shared_to_project", False),
        description=description_of(body) or "", port_id=None if port_id in (None, "") else parsed_id(port_id, "port"),
    )


def action_of(body: type_body) -> tuple[str, type_body]:
    """The one action of an action body."""
    if len(body) != 1:
        raise InvalidInput("The body of an action has exactly one member.")
    (name, argument), = body.items()
    if name != "reassign":
        raise InvalidInput(f"Unknown action {name[:64]!r}.")
    if not isinstance(argument, dict):
        raise InvalidInput("The action's argument must be an object.")
    return name, argument


def tags_of(body: type_body) -> list[str]:
    value = body.get("tags")
    if not isinstance(value, list):
        raise InvalidInput("tags must be a list.", field="tags")
    return checked_tags(value)


def checked_tags(values: list[Any]) -> list[str]:
    for value in values:
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_TAG_LENGTH or "," in value or "\x00" in value:
            raise InvalidInput(f"A tag is 1 to {MAX_TAG_LENGTH} characters without commas.", field="tags")
    tags = sorted(set(values))
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"An object has {MAX_TAGS} tags at most.", field="tags")
    return tags


def refuse_unsupported(collection: str) -> None:
    raise NotSupported(f"This cloud has no {collection}.")
