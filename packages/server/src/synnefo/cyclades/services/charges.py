"""What a server counts for in the quota ledger, by its state and its next action."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from synnefo.common.ids import ProjectID
from synnefo.cyclades.models import Operation, OperState, Server, Volume, VolumeStatus
from synnefo.cyclades.models.flavors import Flavor
from synnefo.cyclades.services import operations

VM, CPU, TOTAL_CPU, RAM, TOTAL_RAM, DISK = (f"cyclades.{name}" for name in ("vm", "cpu", "total_cpu", "ram", "total_ram", "disk"))
SERVER_RESOURCES = (VM, CPU, TOTAL_CPU, RAM, TOTAL_RAM, DISK)
type_charges = dict[tuple[ProjectID, str], int]


def of_build(project_id: str, flavor: Flavor, volume_sizes_gib: Iterable[int]) -> type_charges:
    """A new server with new volumes."""
    amounts = {VM: 1, CPU: flavor.cpu, TOTAL_CPU: flavor.cpu, RAM: flavor.ram_bytes, TOTAL_RAM: flavor.ram_bytes,
               DISK: sum(volume_sizes_gib) * 2**30}
    return _for(project_id, amounts)


def of_running(server: Server, *, sign: int) -> type_charges:
    """Its CPUs and memory coming into use (+1) or going out of use (-1)."""
    return _for(server.project_id, {CPU: sign * server.flavor.cpu, RAM: sign * server.flavor.ram_bytes})


def of_resize(server: Server, new: Flavor) -> type_charges:
    """From its flavor to another of the same disk."""
    cpu, ram = new.cpu - server.flavor.cpu, new.ram_bytes - server.flavor.ram_bytes
    amounts = {TOTAL_CPU: cpu, TOTAL_RAM: ram}
    if server.is_active:
        amounts |= {CPU: cpu, RAM: ram}
    return _for(server.project_id, amounts)


def of_action(server: Server, action: str) -> type_charges:
    """What an action changes, in the server's present state. Empty when nothing."""
    if action == "START" or action == "REBOOT":
        return of_running(server, sign=1) if server.operstate == OperState.STOPPED else {}
    if action == "STOP":
        return of_running(server, sign=-1) if server.is_active else {}
    return {}


def of_removal(server: Server, volumes: Iterable[Volume]) -> type_charges:
    """Everything the server and its volumes count for, given back."""
    amounts = {VM: -1, TOTAL_CPU: -server.flavor.cpu, TOTAL_RAM: -server.flavor.ram_bytes}
    if server.is_active:
        amounts |= {CPU: -server.flavor.cpu, RAM: -server.flavor.ram_bytes}
    charges = _for(server.project_id, amounts)
    for volume in volumes:
        if not volume.deleted and volume.status != VolumeStatus.DELETED:
            key = (ProjectID(volume.project_id), DISK)
            charges[key] = charges.get(key, 0) - volume.size_bytes
    return charges


def _for(project_id: str, amounts: Mapping[str, int]) -> type_charges:
    return {(ProjectID(project_id), resource): amount for resource, amount in amounts.items() if amount}


def adjustment(user_id: str, charges: type_charges, name: str) -> Operation | None:
    """An operation that makes the ledger follow what has already happened: forced, settled at once, done exactly once.

    In the transaction that sees the change; None when there is nothing to change.
    """
    if not charges:
        return None
    lines = [[project, resource, amount] for (project, resource), amount in charges.items()]
    return operations.schedule("quota.adjust", payload={"user": user_id, "charges": lines, "name": name})
