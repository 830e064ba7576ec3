"""Networks: creating, changing and deleting them, and what their presence in the backends means for their state.

Private networks exist in the database only until the first NIC needs them in a cluster; what is then to be done there
is in `services.network_operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from synnefo.common.errors import BrokenInvariant, Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades import macs
from synnefo.cyclades.models.network_locks import lock_address_pools, lock_value_pool
from synnefo.cyclades.models.networks import (
    NAME_LENGTH,
    BackendNetwork,
    IPAddress,
    Network,
    Port,
    Subnet,
)
from synnefo.cyclades.models.pools import ValuePool
from synnefo.cyclades.network_flavors import POOL, NetworkFlavor, flavor_of
from synnefo.cyclades.services import network_policy, pools, subnets

log = structlog.get_logger(__name__)

NETWORK_RESOURCE = "cyclades.network.private"
MODES = ("bridged", "routed")


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network as asked for. `link`, `mac_prefix`, `mode` and `ganeti_tags` override the flavor's (operators only)."""

    flavor: str
    name: str = ""
    description: str = ""
    user_id: str | None = None
    project_id: str | None = None
    shared_to_project: bool = False
    public: bool = False
    floating_ip_pool: bool = False
    drained: bool = False
    mode: str | None = None
    link: str | None = None
    mac_prefix: str | None = None
    ganeti_tags: tuple[str, ...] | None = None


def default_type() -> str:
    """The type of a network whose request names none. Raises `InvalidInput` where the operator wants it named."""
    name = conf.CYCLADES_DEFAULT_NETWORK_TYPE
    if name == "":
        name = conf.API_ENABLED_NETWORK_FLAVORS[0] if conf.API_ENABLED_NETWORK_FLAVORS else None
    if name is None:
        raise InvalidInput("The network's type is missing.", field="type")
    return str(name)


def check_user_may_create(flavor: str) -> None:
    """Raises `InvalidInput` for an unknown type and `Forbidden` for one that is not offered to users."""
    flavor_of(flavor)
    if flavor not in conf.API_ENABLED_NETWORK_FLAVORS:
        raise Forbidden(f"You may not create networks of type {flavor}.")


def check_name(name: str) -> None:
    if len(name) > NAME_LENGTH:
        raise InvalidInput(f"A name may have {NAME_LENGTH} characters at most.", field="name")


def store_network(spec: NetworkSpec, subnet_specs: Sequence[subnets.SubnetSpec] = ()) -> Network:
    """Write the network and its subnets, taking link and MAC prefix from their pools where the flavor says so.

    Runs in the caller's transaction. Raises `InvalidInput`, `NoCapacity` (pool empty or missing) and the errors of
    `subnets.add_subnet`.
    """
    check_name(spec.name)
    flavor = flavor_of(spec.flavor)
    network = Network(
        name=spec.name, description=spec.description, user_id=spec.user_id, project_id=spec.project_id,
        shared_to_project=spec.shared_to_project, flavor=flavor.name, mode=_checked_mode(spec, flavor),
        ganeti_tags=list(flavor.ganeti_tags if spec.ganeti_tags is None else spec.ganeti_tags), public=spec.public,
        external_router=spec.public, floating_ip_pool=spec.floating_ip_pool, drained=spec.drained,
    )
    _choose_link(network, flavor, spec.link)
    _choose_mac_prefix(network, flavor, spec.mac_prefix)
    network.save(force_insert=True)
    if not network.link:
        network.link = f"{conf.BACKEND_PREFIX_ID}link-{network.pk}"
        network.save(update_fields=["link"])
    for subnet_spec in subnet_specs:
        subnets.add_subnet(network, subnet_spec)
    log.info("network.created", network=network.pk, flavor=network.flavor, user=network.user_id, project=network.project_id,
             public=network.public, link=network.link, mac_prefix=network.mac_prefix)
    return network


def _checked_mode(spec: NetworkSpec, flavor: NetworkFlavor) -> str:
    mode = spec.mode or flavor.mode
    if mode not in MODES:
        raise InvalidInput(f"The mode is one of {', '.join(MODES)}.", field="mode")
    return mode


def _choose_link(network: Network, flavor: NetworkFlavor, override: str | None) -> None:
    if override and override != POOL and flavor.link == POOL:
        raise InvalidInput(f"The link of a {flavor.name} network comes from its pool.", field="link")
    link = override or flavor.link or ""
    if len(link) > macs.MAX_LINK_LENGTH:
        raise InvalidInput(f"A link's name may have {macs.MAX_LINK_LENGTH} characters at most.", field="link")
    if link == POOL:
        network.link = pools.take_lowest(lock_value_pool(ValuePool.BRIDGE))
        network.link_is_pooled = True
        return
    taken = Network.objects.filter(deleted=False, mode=network.mode, link=link)
    if flavor.name == "IP_LESS_ROUTED" and link and taken.exists():
        raise InvalidInput(f"Link {link} is used by another network.", field="link")
    network.link = link


def _choose_mac_prefix(network: Network, flavor: NetworkFlavor, override: str | None) -> None:
    if override and override != POOL and flavor.mac_prefix == POOL:
        raise InvalidInput(f"The MAC prefix of a {flavor.name} network comes from its pool.", field="mac_prefix")
    prefix = override or flavor.mac_prefix
    if prefix == POOL:
        network.mac_prefix = pools.take_lowest(lock_value_pool(ValuePool.MAC_PREFIX))
        network.mac_prefix_is_pooled = True
        return
    network.mac_prefix = macs.checked_prefix(prefix)


def update_network(
    caller: Caller, network_id: int, *, name: str | None = None, description: str | None = None
) -> Network:
    """Raises `NotFound`, `Forbidden` (public networks, or networks of others not shared), `InvalidInput`."""
    network = network_policy.access_network(caller, network_id)
    if network.public:
        raise Forbidden("A public network can only be changed by the operator.")
    return change_network(network, name=name, description=description)


def change_network(network: Network, *, name: str | None = None, description: str | None = None) -> Network:
    if name is not None:
        check_name(name)
        network.name = name
    if description is not None:
        network.description = description
    network.store("name", "description")
    return network


def check_deletable(network: Network) -> None:
    """Raises `StateConflict` while ports or floating IPs use it. The network is locked."""
    if Port.objects.filter(network=network).exists():
        raise StateConflict(f"Ports use network {network.pk}. Delete them first.")
    if IPAddress.objects.filter(network=network, floating_ip=True, deleted=False).exists():
        raise StateConflict(f"Floating IPs of network {network.pk} are reserved. Release them first.")


def mark_for_destruction(network: Network) -> None:
    """Nothing new is put on the network from now on. The network is locked."""
    network.action = Network.DESTROY
    network.drained = network.drained or network.public
    network.store("action", "drained")


def recompute_state(network: Network) -> bool:
    """Derive the state from the rows of the backends; True when the deletion became final just now.

    The network is locked. Whoever gets True releases the network's quota after the transaction.
    """
    if network.deleted:
        if network.state != Network.DELETED:
            network.state = Network.DELETED
            network.store("state")
        return False
    states = list(BackendNetwork.objects.filter(network=network).values_list("state", flat=True))
    if not states and not network.is_being_destroyed:
        if network.state != Network.ACTIVE:
            network.state = Network.ACTIVE
            network.store("state")
        return False
    if all(state == BackendNetwork.DELETED for state in states):
        if not network.is_being_destroyed and _is_used(network):
            # Somebody removed it from the clusters behind our back; it is created again where a NIC needs it.
            BackendNetwork.objects.filter(network=network).delete()
            return False
        finalise_deletion(network)
        return True
    return False


def _is_used(network: Network) -> bool:
    addresses = IPAddress.objects.filter(network=network, floating_ip=True, deleted=False)
    return Port.objects.filter(network=network).exists() or addresses.exists()


def finalise_deletion(network: Network) -> None:
    """The network is gone everywhere: give back link and MAC prefix, end subnets and pools. The network is locked."""
    if IPAddress.objects.filter(network=network, floating_ip=True, deleted=False).exists():
        raise BrokenInvariant("Internal error.", reason="network gone while floating IPs remain", network=network.pk)
    for subnet in Subnet.objects.filter(network=network, deleted=False):
        subnets.drop_subnet(subnet)
    _give_back(network.link_is_pooled, ValuePool.BRIDGE, network.link)
    _give_back(network.mac_prefix_is_pooled, ValuePool.MAC_PREFIX, network.mac_prefix)
    BackendNetwork.objects.filter(network=network).delete()
    network.state, network.deleted, network.drained = Network.DELETED, True, False
    network.store("state", "deleted", "drained")
    log.info("network.deleted", network=network.pk, user=network.user_id, project=network.project_id)


def _give_back(is_pooled: bool, kind: str, value: str) -> None:
    if not is_pooled:
        return
    pool = ValuePool.objects.select_for_update().filter(kind=kind).first()
    if pool is None or pool.index_of(value) is None:
        log.error("network.value_without_pool", kind=kind, value=value)
        return
    pools.put(pool, value)


def set_drained(network: Network, drained: bool) -> None:
    """For operators, the network locked. Raises `InvalidInput` when it changes nothing or the network is private."""
    if network.deleted or not network.public:
        raise InvalidInput("Only a public network that is not deleted can be drained.")
    if network.drained == drained:
        raise InvalidInput(f"The network is {'drained' if drained else 'not drained'} already.")
    network.drained = drained
    network.store("drained")


def set_floating_ip_pool(network: Network, is_pool: bool) -> None:
    """For operators, the network locked. Raises `InvalidInput` for private networks, `StateConflict` while in use."""
    if is_pool and not network.public:
        raise InvalidInput("Only a public network can be a pool of floating IPs.")
    if not is_pool and IPAddress.objects.filter(network=network, floating_ip=True, deleted=False).exists():
        raise StateConflict("Floating IPs of the network are reserved.")
    network.floating_ip_pool = is_pool
    network.store("floating_ip_pool")


def change_reservations(network: Network, add: Sequence[str], remove: Sequence[str]) -> None:
    """Keep addresses for others outside, or stop keeping them. The network is locked. Raises `ValueNotInPool`."""
    if not add and not remove:
        return
    rows = lock_address_pools(network)
    for values, change in ((add, pools.reserve), (remove, pools.unreserve)):
        for value in values:
            pool = next((pool for pool in rows if pool.index_of(value) is not None), None)
            if pool is None:
                raise pools.ValueNotInPool(f"{value} is in no allocation pool of network {network.pk}.")
            change(pool, [value])


def find_network(network_id: int) -> Network:
    """For operators, deleted ones too. Raises `NotFound`."""
    network = Network.objects.filter(pk=network_id).first()
    if network is None:
        raise NotFound(f"There is no network {network_id}.")
    return network


def status_of(network: Network) -> str:
    return "SNF:DRAINED" if network.drained else network.state
