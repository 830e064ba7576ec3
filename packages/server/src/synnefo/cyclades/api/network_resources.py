"""The four resources of the network API as data: what they look like, what filters them, and which service does what.

A method that a resource does not have is `None`; the dispatcher answers 405 for it and lists the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from synnefo.common.errors import Forbidden, InvalidInput
from synnefo.common.ports import Caller
from synnefo.cyclades.api import network_bodies as bodies
from synnefo.cyclades.api import network_queries as queries
from synnefo.cyclades.api import network_views as views
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet
from synnefo.cyclades.services import (
    floating_ips,
    network_policy,
    network_tags,
    network_verbs,
    port_verbs,
    subnets,
)

type_row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """`create` gets the parsed members of one request and makes all or none; `update` and `action` one object's body."""

    singular: str
    collection: str
    attributes: frozenset[str]
    visible: Callable[[Caller, bool], QuerySet[Any]]
    prepared: Callable[[QuerySet[Any]], QuerySet[Any]]
    render: Callable[[Any], type_row]
    lookups: Mapping[str, queries.type_filter]
    create: Callable[[Caller, Sequence[type_row]], Sequence[int]]
    update: Callable[[Caller, int, type_row], None]
    delete: Callable[[Caller, int], None]
    access: Callable[[Caller, int], Any]
    reassign: Callable[[Caller, int, str, bool], None] | None = None
    extra_filters: frozenset[str] = field(default_factory=frozenset)

    @property
    def known(self) -> set[str]:
        return {*self.attributes, *self.lookups, *self.extra_filters}


def _network_rows(rows: QuerySet[Network]) -> QuerySet[Network]:
    return rows.prefetch_related(Prefetch("subnets", queryset=Subnet.objects.order_by("id")))


def _subnet_rows(rows: QuerySet[Subnet]) -> QuerySet[Subnet]:
    return rows.prefetch_related("pools")


def _port_rows(rows: QuerySet[Port]) -> QuerySet[Port]:
    return rows.prefetch_related("addresses")


def _floating_rows(rows: QuerySet[IPAddress]) -> QuerySet[IPAddress]:
    return rows.select_related("port")


def _create_networks(caller: Caller, members: Sequence[type_row]) -> list[int]:
    rows = network_verbs.create_networks(caller, [bodies.network_spec(member, caller) for member in members])
    return [row.pk for row in rows]


def _update_network(caller: Caller, network_id: int, body: type_row) -> None:
    if not set(body) & views.NETWORK_ATTRIBUTES:
        raise InvalidInput("The body names no attribute of a network.")
    if body.get("router:external") is True:
        raise Forbidden("Only the operator may make a network external.")
    network_verbs.update_network(caller, network_id, name=bodies.name_of(body), description=bodies.description_of(body))


def _create_subnets(caller: Caller, members: Sequence[type_row]) -> list[int]:
    return [row.pk for row in subnets.create_subnets(caller, [bodies.subnet_spec(member) for member in members])]


def _update_subnet(caller: Caller, subnet_id: int, body: type_row) -> None:
    if not body or not set(body) <= {"name", "description"}:
        raise InvalidInput("Only name and description of a subnet can change.")
    subnets.update_subnet(caller, subnet_id, name=bodies.name_of(body), description=bodies.description_of(body))


def _create_ports(caller: Caller, members: Sequence[type_row]) -> list[int]:
    specs = []
    for member in members:
        request = bodies.PortRequest(member)
        specs.append(port_verbs.PortSpec(
            network_id=request.network_id, server_id=request.server_id, address=request.address,
            subnet_id=bodies.fixed_subnet_id(member), name=request.name, description=request.description,
            profile=request.profile,
        ))
    return [row.pk for row in port_verbs.create_ports(caller, specs)]


def _update_port(caller: Caller, port_id: int, body: type_row) -> None:
    bodies.check_fixed_port_attributes(body)
    profile = (bodies.profile_of(body),) if "security_groups" in body else None
    port_verbs.update_port(
        caller, port_id, name=bodies.name_of(body), description=bodies.description_of(body), profile=profile,
        device=bodies.device_change(body), fixed_ips=bodies.fixed_ip_set(body),
    )


def _create_floating_ips(caller: Caller, members: Sequence[type_row]) -> list[int]:
    specs = [bodies.floating_ip_spec(member, caller) for member in members]
    return [row.pk for row in floating_ips.create_floating_ips(caller, specs)]


def _update_floating_ip(caller: Caller, address_id: int, body: type_row) -> None:
    description = bodies.description_of(body)
    if description is None and "port_id" not in body:
        raise InvalidInput("Give port_id or description.")
    if description is not None:
        floating_ips.describe_floating_ip(caller, address_id, description)
    if "port_id" in body:
        value = body["port_id"]
        target = None if value in (None, "") else network_policy.parsed_id(value, "port")
        floating_ips.associate_floating_ip(caller, address_id, target)


_COMMON: dict[str, queries.type_filter] = {"id": queries.ids("id"), "description": queries.exactly("description")}


def _project(values: list[str]) -> Q:
    return Q(project_id__in=values)


def _owner(values: list[str]) -> Q:
    return Q(user_id__in=values)


NETWORKS = Resource(
    "network", "networks", views.NETWORK_ATTRIBUTES,
    lambda caller, with_deleted: network_policy.visible_networks(caller, with_deleted=with_deleted),
    _network_rows, views.network,
    _COMMON | {
        "name": queries.exactly("name"), "user_id": _owner, "tenant_id": _project, "project_id": _project,
        "type": queries.exactly("flavor"), "public": queries.flag("public"), "shared": queries.flag("public"),
        "router:external": queries.flag("external_router"), "SNF:floating_ip_pool": queries.flag("floating_ip_pool"),
        "shared_to_project": queries.flag("shared_to_project"),
    },
    _create_networks, _update_network, network_verbs.delete_network, network_policy.access_network,
    network_verbs.reassign_network,
    frozenset({"provider:network_type", "provider:physical_network", "provider:segmentation_id", "vlan_transparent"}),
)
SUBNETS = Resource(
    "subnet", "subnets", views.SUBNET_ATTRIBUTES,
    lambda caller, with_deleted: network_policy.visible_subnets(caller, with_deleted=with_deleted),
    _subnet_rows, views.subnet,
    _COMMON | {
        "name": queries.exactly("name"), "network_id": queries.ids("network_id"), "cidr": queries.exactly("cidr"),
        "user_id": _owner, "tenant_id": _owner, "project_id": _owner,
        "public": queries.flag("public"), "enable_dhcp": queries.flag("dhcp"),
    },
    _create_subnets, _update_subnet, subnets.delete_subnet, network_policy.access_subnet,
    None, frozenset({"shared"}),
)
PORTS = Resource(
    "port", "ports", views.PORT_ATTRIBUTES,
    lambda caller, with_deleted: network_policy.visible_ports(caller),
    _port_rows, views.port,
    _COMMON | {
        "name": queries.exactly("name"), "network_id": queries.ids("network_id"), "device_id": queries.ids("server_id"),
        "device_owner": queries.exactly("device_owner"), "status": queries.exactly("state"),
        "mac_address": queries.exactly("mac"), "user_id": _owner, "tenant_id": _owner, "project_id": _owner,
    },
    _create_ports, _update_port, port_verbs.delete_port, network_policy.access_port,
    None, frozenset({"fixed_ips", "binding:host_id", "binding:profile", "binding:vif_type", "dns_domain"}),
)
FLOATING_IPS = Resource(
    "floatingip", "floatingips", views.FLOATING_IP_ATTRIBUTES,
    lambda caller, with_deleted: network_policy.visible_floating_ips(caller, with_deleted=with_deleted),
    _floating_rows, views.floating_ip,
    _COMMON | {
        "floating_network_id": queries.ids("network_id"), "floating_ip_address": queries.addresses("address"),
        "port_id": queries.ids("port_id"), "instance_id": queries.ids("port__server_id"),
        "user_id": _owner, "tenant_id": _project, "project_id": _project,
    },
    _create_floating_ips, _update_floating_ip, floating_ips.delete_floating_ip, network_policy.access_floating_ip,
    floating_ips.reassign_floating_ip,
    frozenset({"dns_name", "dns_domain"}),
)
RESOURCES = {resource.collection: resource for resource in (NETWORKS, SUBNETS, PORTS, FLOATING_IPS)}


def tag(resource: Resource, caller: Caller, key: int, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Change an object's tags. Raises `NotFound`, and `Forbidden` for objects of others."""
    return network_tags.change_tags(caller, resource.access(caller, key), change)
