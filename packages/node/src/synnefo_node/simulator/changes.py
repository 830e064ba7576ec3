"""Changes to NICs, disks, parameters and networks: the details that several opcodes share."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from synnefo_node.simulator.jobs import JobFailed
from synnefo_node.simulator.model import HV_DEFAULTS, NIC, Cluster, Disk, Instance, Network

type_say = Callable[[str], None]
_DISK_KEYS = {"size", "name", "mode"}


def new_nics(cluster: Cluster, wanted: list[dict[str, Any]]) -> list[NIC]:
    """NICs as asked for, with MAC addresses where none was given. Raises `JobFailed` for foreign networks and taken MACs."""
    return [_new_nic(cluster, given) for given in wanted]


def _new_nic(cluster: Cluster, given: dict[str, Any]) -> NIC:
    network = None
    if given.get("network"):
        network = cluster.networks.get(given["network"])
        if network is None:
            raise JobFailed(f"Network '{given['network']}' not found", "unknown_entity")
    mac = given.get("mac") or "auto"
    if mac in {"auto", "generate"}:
        mac = cluster.new_mac(network)
    elif mac in cluster.macs:
        raise JobFailed(f"MAC address {mac} already in use in cluster", "resource_not_unique")
    mode, link, vlan = (network.groups[0][1:] if network and network.groups else ("bridged", "br0", ""))
    return NIC(given.get("name"), mac, given.get("ip"), network.name if network else None, mode, link, vlan)


def check_addresses(cluster: Cluster, nics: list[NIC]) -> None:
    """Each NIC's network is connected and its address is free in it. Raises `JobFailed`."""
    for nic in nics:
        if nic.network is None:
            continue
        network = cluster.networks[nic.network]
        if not network.groups:
            raise JobFailed(f"Network '{network.name}' not connected to nodegroup 'default'", "wrong_input")
        if nic.ip and not network.is_free(nic.ip):
            raise JobFailed(f"IP address {nic.ip} already in use or does not belong to network {network.name}",
                            "resource_not_unique")
        twins = [other for other in nics if other is not nic and other.ip and (other.network, other.ip) == (nic.network, nic.ip)]
        if twins:
            raise JobFailed(f"IP address {nic.ip} already in use or does not belong to network {network.name}",
                            "resource_not_unique")


def check_hvparams(hypervisor: str, wanted: dict[str, Any]) -> None:
    for key in wanted:
        if key not in HV_DEFAULTS[hypervisor] and hypervisor == "fake":
            raise JobFailed(f"Parameter '{key}' is not supported", kind="HypervisorError")


def disk_parameters(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in _DISK_KEYS}


def apply(cluster: Cluster, instance: Instance, given: dict[str, Any], say: type_say) -> list[list[Any]]:
    """One modify job, all or nothing. Returns Ganeti's list of [what, new value]."""
    draft, done = deepcopy(instance), []
    check_hvparams(instance.hypervisor, given["hvparams"])
    if (given["nics"] or given["disks"]) and given["hotplug_if_possible"] and instance.hypervisor == "fake":
        say(" - WARNING: Hotplug is not supported: Hotplug is not supported by this hypervisor")
        say(" - INFO: Modification will take place without hotplugging.")
    for verb, key, parameters in given["nics"]:
        done += _change_nic(cluster, draft, verb, key, parameters, say)
    for verb, key, parameters in given["disks"]:
        done += _change_disk(draft, verb, key, parameters)
    for name, table in (("be", "beparams"), ("hv", "hvparams")):
        getattr(draft, table).update(given[table])
        done += [[f"{name}/{key}", value] for key, value in given[table].items()]
    draft.osparams.update(given["osparams"])
    draft.os = given["os_name"] or draft.os
    _commit(cluster, instance, draft)
    return done


def _commit(cluster: Cluster, old: Instance, new: Instance) -> None:
    for nic in old.nics:
        cluster.release(nic)
    for nic in new.nics:
        cluster.hold(nic, new.name)
    new.touched()
    cluster.save(new)


def _place(items: list[Any], key: object, what: str) -> int:
    """Position of an item by index, name or uuid."""
    for index, item in enumerate(items):
        if key in (index, str(index), item.uuid) or (item.name is not None and key == item.name):
            return index
    if key in (-1, "-1") and items:
        return len(items) - 1
    raise JobFailed(f"Cannot find {what} with identifier {key}", "unknown_entity")


def _change_nic(
    cluster: Cluster, draft: Instance, verb: str, key: object, parameters: dict[str, Any], say: type_say
) -> list[list[Any]]:
    if verb == "add":
        nic = _new_nic(cluster, parameters)
        check_addresses(cluster, [nic])
        if nic.ip and nic.network:
            say(f" - INFO: Reserving IP {nic.ip} in network {nic.network}")
        draft.nics.append(nic)
        index = len(draft.nics) - 1
        text = f"add:mac={nic.mac},ip={nic.ip},mode={nic.mode},link={nic.link},network={nic.network}"
        return [[f"nic.{index}", text]]
    index = _place(draft.nics, key, "NIC")
    if verb == "remove":
        draft.nics.pop(index)
        return [[f"NIC/{index}", "remove"]]
    if verb != "modify":
        raise JobFailed(f"Unknown NIC operation {verb}", "wrong_input")
    old = draft.nics[index]
    changed = NIC(parameters.get("name", old.name), parameters.get("mac", old.mac), parameters.get("ip", old.ip),
                  parameters.get("network", old.network), old.mode, old.link, old.vlan, old.uuid)
    if (changed.network, changed.ip) != (old.network, old.ip):
        check_addresses(cluster, [changed])
    draft.nics[index] = changed
    return [[f"nic.{name}/{index}", value] for name, value in parameters.items()]


def _change_disk(draft: Instance, verb: str, key: object, parameters: dict[str, Any]) -> list[list[Any]]:
    if verb == "add":
        if not isinstance(parameters.get("size"), int) or parameters["size"] <= 0:
            raise JobFailed("Invalid disk size parameter", "wrong_input")
        draft.disks.append(Disk(parameters.get("name"), parameters["size"], parameters=disk_parameters(parameters)))
        return [[f"disk/{len(draft.disks) - 1}", f"add:size={parameters['size']},mode=rw"]]
    index = _place(draft.disks, key, "disk")
    if verb in {"remove", "detach"}:
        draft.disks.pop(index)
        return [[f"disk/{index}", verb]]
    if verb != "modify":
        raise JobFailed(f"Unknown disk operation {verb}", "wrong_input")
    draft.disks[index].name = parameters.get("name", draft.disks[index].name)
    return [[f"disk.{name}/{index}", value] for name, value in parameters.items()]


def new_network(given: dict[str, Any]) -> Network:
    """Raises `JobFailed` for an impossible subnet or gateway."""
    try:
        subnet = ipaddress.IPv4Network(given["network"])
    except ValueError as error:
        raise JobFailed(f"Invalid IPv4 network: {error}", "wrong_input") from error
    outer = [str(subnet.network_address), str(subnet.broadcast_address)]
    gateway = given["gateway"]
    if gateway and ipaddress.IPv4Address(gateway) not in subnet:
        raise JobFailed(f"Gateway {gateway} outside of network {subnet}", "wrong_input")
    network = Network(given["network_name"], str(subnet), gateway, given["network6"], given["gateway6"],
                      given["mac_prefix"], sorted(given["tags"]), outer)
    network.reserved = list(dict.fromkeys([*outer, *([gateway] if gateway else []), *(given["add_reserved_ips"] or ())]))
    return network


def modify_network(network: Network, given: dict[str, Any], say: type_say) -> None:
    for address in given["add_reserved_ips"] or ():
        if address in network.reserved:
            say(f" - WARNING: IP address {address} is already reserved")
        elif not network.is_free(address):
            raise JobFailed(f"Cannot reserve IP address {address}: it is in use or outside of {network.network}",
                            "wrong_input")
        else:
            network.reserved.append(address)
    for address in given["remove_reserved_ips"] or ():
        if address in network.reserved:
            network.reserved.remove(address)
        else:
            say(f" - WARNING: IP address {address} is already unreserved")
    for key in ("gateway", "network6", "gateway6", "mac_prefix"):
        if given[key] is not None:
            setattr(network, key, given[key])
