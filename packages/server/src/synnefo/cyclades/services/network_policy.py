"""Who sees which network, subnet, port and floating IP. Look-ups only, without locks or side effects.

`visible_*` are querysets; `access_*` find one object and raise `NotFound` for what the caller may not know of.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades.models.networks import IPAddress, Network, Port, Subnet

MAX_ID = 2**63 - 1


def parsed_id(value: object, what: str) -> int:
    """An id given as a decimal string or an integer. Raises `InvalidInput`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > MAX_ID:
        raise InvalidInput(f"Malformed {what} id.", field=f"{what}_id")
    return int(text)


def _shared(caller: Caller) -> Q:
    return Q(shared_to_project=True, project_id__in=caller.project_ids)


def _own_or_shared(caller: Caller) -> Q:
    return Q(user_id=caller.user_id) | _shared(caller)


def visible_networks(caller: Caller, *, with_deleted: bool = False) -> QuerySet[Network]:
    """Own, public, or shared with one of the caller's projects."""
    rows = Network.objects.filter(_own_or_shared(caller) | Q(public=True))
    return rows if with_deleted else rows.filter(deleted=False)


def visible_subnets(caller: Caller, *, with_deleted: bool = False) -> QuerySet[Subnet]:
    rows = Subnet.objects.filter(network__in=visible_networks(caller, with_deleted=with_deleted).values("id"))
    return rows if with_deleted else rows.filter(deleted=False)


def visible_floating_ips(caller: Caller, *, with_deleted: bool = False) -> QuerySet[IPAddress]:
    rows = IPAddress.objects.filter(_own_or_shared(caller), floating_ip=True)
    return rows if with_deleted else rows.filter(deleted=False)


def visible_ports(caller: Caller) -> QuerySet[Port]:
    """Own; of a visible server; on a visible private network; or carrying a visible floating IP."""
    private = visible_networks(caller).filter(public=False).values("id")
    floating = visible_floating_ips(caller).filter(port=OuterRef("pk"))
    server = Q(server__user_id=caller.user_id) | Q(
        server__shared_to_project=True, server__project_id__in=caller.project_ids)
    return Port.objects.filter(Q(user_id=caller.user_id) | server | Q(network__in=private) | Exists(floating))


def access_network(caller: Caller, network_id: int) -> Network:
    network = visible_networks(caller).filter(pk=network_id).first()
    if network is None:
        raise NotFound(f"Network {network_id} was not found.")
    return network


def access_subnet(caller: Caller, subnet_id: int) -> Subnet:
    subnet = visible_subnets(caller).select_related("network").filter(pk=subnet_id).first()
    if subnet is None:
        raise NotFound(f"Subnet {subnet_id} was not found.")
    return subnet


def access_port(caller: Caller, port_id: int) -> Port:
    port = visible_ports(caller).select_related("network", "server").filter(pk=port_id).first()
    if port is None:
        raise NotFound(f"Port {port_id} was not found.")
    return port


def access_floating_ip(caller: Caller, address_id: int) -> IPAddress:
    row = visible_floating_ips(caller).select_related("network").filter(pk=address_id).first()
    if row is None:
        raise NotFound(f"Floating IP {address_id} was not found.")
    return row
