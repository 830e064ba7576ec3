"""Making the ports of a server agree with the NICs Ganeti reports, from an event or from the reconciler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction

from synnefo.common.settings import conf
from synnefo.cyclades import ganeti_names, macs
from synnefo.cyclades.models.network_locks import lock_networks
from synnefo.cyclades.models.networks import Network, Port
from synnefo.cyclades.models.servers import Server
from synnefo.cyclades.services import addresses
from synnefo.cyclades.services.ports import remove_port

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=60)
"""A port that waits for its NIC this long is not missed yet."""
PROFILES = {"protected": "ENABLED", "limited": "PROTECTED", "unprotected": "DISABLED"}

type_nic = Mapping[str, Any]


def sync_nics(
    server: Server, nics: Sequence[type_nic], *, at: datetime, is_connecting: bool = False, has_failed: bool = False
) -> bool:
    """Copy what Ganeti says of each NIC to its port; remove ports whose NIC is gone; never invent ports.

    `nics` are dictionaries with name, network, ip, mac, index and perhaps firewall; missing indexes count from 0.
    `at` is the time the report was made, `is_connecting` whether a job that adds a NIC to the server still runs,
    `has_failed` that the job that was to add or remove one has just failed: no port waits for it any longer. Runs in
    the caller's transaction with the server's row locked. False when the report names a network that is not ours:
    then nothing was changed. Repeating is safe.
    """
    reported = _by_port(server, nics)
    lock_networks(server.ports.values_list("network_id", flat=True))
    rows = Port.objects.select_for_update(of=("self",)).select_related("network").filter(server=server)
    ports = {port.pk: port for port in rows.order_by("id")}
    networks = _networks_of(reported)
    if networks is None:
        log.error("server.nics.foreign_network", server=server.pk, nics=[nic.get("network") for nic in nics])
        return False
    for port_id, port in ports.items():
        if port_id in reported:
            _update(port, reported[port_id], networks[port_id])
        elif _is_stale(port, at, is_connecting=is_connecting, has_failed=has_failed):
            remove_port(port, reason="the NIC is gone")
    for port_id in set(reported) - set(ports):
        log.error("server.nics.unknown", server=server.pk, nic=ganeti_names.nic_name(port_id))
    return True


def _by_port(server: Server, nics: Sequence[type_nic]) -> dict[int, type_nic]:
    found: dict[int, type_nic] = {}
    for position, nic in enumerate(nics):
        port_id = ganeti_names.port_id_of(str(nic.get("name") or ""))
        if port_id is None:
            log.error("server.nics.unknown", server=server.pk, nic=nic.get("name") or f"unknown-nic-{position}")
            continue
        index = nic.get("index")
        found[port_id] = {**nic, "index": index if isinstance(index, int) else position}
    return found


def _networks_of(reported: Mapping[int, type_nic]) -> dict[int, Network] | None:
    """The network of each reported NIC, or None when one of them is not ours."""
    ids = {port_id: ganeti_names.network_id_of(str(nic.get("network") or "")) for port_id, nic in reported.items()}
    known = Network.objects.in_bulk([key for key in ids.values() if key is not None])
    if any(key not in known for key in ids.values()):
        return None
    return {port_id: known[key] for port_id, key in ids.items() if key is not None}


def _is_stale(port: Port, at: datetime, *, is_connecting: bool, has_failed: bool) -> bool:
    if port.state == Port.ACTIVE or (port.state == Port.BUILD and has_failed):
        return True
    return not is_connecting and at - port.updated_at > GRACE


def _update(port: Port, nic: type_nic, network: Network) -> None:
    changed = {"state": Port.ACTIVE, "index": nic["index"], "firewall_profile": _profile(nic, network)}
    if network.pk != port.network_id:
        log.error("port.network.changed_outside", port=port.pk, network=network.pk, was=port.network_id)
        addresses.release_of_port(port, reason="the network was changed in the cluster")
        port.network = network
        changed["network"] = network
    dirty = [name for name, value in changed.items() if name == "network" or getattr(port, name) != value]
    for name in dirty:
        setattr(port, name, changed[name])
    if dirty:
        port.store(*dirty)
    _follow_mac(port, macs.normalised_mac(str(nic.get("mac") or "")))
    addresses.replace_ipv4(port, str(nic["ip"]) if nic.get("ip") else None)
    addresses.add_ipv6(port)


def _profile(nic: type_nic, network: Network) -> str | None:
    mode = nic.get("firewall")
    if mode is None:
        return str(conf.DEFAULT_FIREWALL_PROFILE) if network.public else None
    return PROFILES.get(str(mode), str(mode) if mode in PROFILES.values() else None)


def _follow_mac(port: Port, mac: str | None) -> None:
    if mac is None or mac == port.mac:
        return
    try:
        with transaction.atomic():
            Port.objects.filter(pk=port.pk).update(mac=mac)
    except IntegrityError:
        # Another port has it, of an instance that was moved or imported. Somebody must look; events go on.
        log.warning("port.mac.duplicate", port=port.pk, mac=mac)
        return
    port.mac = mac
