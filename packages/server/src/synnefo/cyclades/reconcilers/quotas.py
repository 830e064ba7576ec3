"""What servers, volumes, networks and addresses count for, against what the ledger says they use."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Sum
from django.utils import timezone

from synnefo.common.errors import NotFound, QuotaExceeded
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import quota
from synnefo.cyclades.models import (
    IPAddress,
    Network,
    Operation,
    OperationState,
    OperState,
    Server,
    Volume,
    VolumeStatus,
)
from synnefo.cyclades.services import charges, network_quota

type_key = tuple[str, str, str]
"""(user, project, resource)"""


@dataclass(frozen=True, slots=True)
class Difference:
    user_id: str
    project_id: str
    resource: str
    used: int
    recorded: int
    is_pending: bool
    """A commission on it is under way: it may be right in a moment."""


def counted() -> dict[type_key, int]:
    """What there is, by owner, project and resource. A handful of aggregate queries."""
    totals: dict[type_key, int] = defaultdict(int)
    active = {OperState.STARTED, OperState.BUILD, OperState.ERROR}
    rows = Server.objects.filter(deleted=False).values_list("user_id", "project_id", "operstate", "flavor__cpu", "flavor__ram")
    for user, project, operstate, cpu, ram in rows.iterator(chunk_size=2000):
        amounts = {charges.VM: 1, charges.TOTAL_CPU: cpu, charges.TOTAL_RAM: ram * 2**20}
        if operstate in active:
            amounts |= {charges.CPU: cpu, charges.RAM: ram * 2**20}
        for resource, amount in amounts.items():
            totals[user, project, resource] += amount
    disks = Volume.objects.filter(deleted=False).exclude(status=VolumeStatus.DELETED).values_list("user_id", "project_id").annotate(Sum("size"))
    for user, project, size in disks:
        totals[user, project, charges.DISK] += size * 2**30
    for network in Network.objects.filter(public=False, deleted=False).exclude(user_id=None).only("user_id", "project_id"):
        totals[str(network.user_id), str(network.project_id), network_quota.NETWORK] += 1
    for address in IPAddress.objects.filter(floating_ip=True, deleted=False).only("user_id", "project_id"):
        totals[str(address.user_id), str(address.project_id), network_quota.FLOATING_IP] += 1
    return totals


def differences() -> list[Difference]:
    """Where the ledger is wrong. What is under way is marked, not hidden."""
    totals = counted()
    found = []
    moving = set(Operation.objects.filter(state=OperationState.PENDING, kind__in=("quota.adjust", "network.release_quota")).values_list("payload__user", flat=True))
    seen = set()
    for user, projects in quota("cyclades").usages().items():
        for project, resources in projects.items():
            for resource, usage in resources.items():
                key = (str(user), str(project), resource)
                seen.add(key)
                if usage.usage != totals.get(key, 0):
                    found.append(Difference(*key, used=totals.get(key, 0), recorded=usage.usage,
                                            is_pending=bool(usage.pending) or str(user) in moving))
    found += [Difference(*key, used=amount, recorded=0, is_pending=False) for key, amount in totals.items() if amount and key not in seen]
    return found


def repair(found: list[Difference], *, force: bool = False, atomic: bool = False) -> list[tuple[Difference, str]]:
    """Correct the ledger where no commission is under way; returns what it refused, with the reason. With `force` limits do not matter.

    A commission for each difference, so that one over a limit holds up no other; with `atomic` one for all, or nothing.
    """
    name = f"client: reconcile-resources-cyclades, time: {timezone.now().isoformat(timespec='seconds')}"
    open_ = [item for item in found if not item.is_pending]
    refused: list[tuple[Difference, str]] = []
    for group in [open_] if atomic and open_ else [[item] for item in open_]:
        lines: dict[UserID, dict[tuple[ProjectID, str], int]] = defaultdict(dict)
        for item in group:
            lines[UserID(item.user_id)][ProjectID(item.project_id), item.resource] = item.used - item.recorded
        try:
            quota("cyclades").issue_many(lines, request_id="", name=name, force=force, auto_accept=True)
        except (NotFound, QuotaExceeded) as error:
            refused += [(item, error.public) for item in group]
    return refused
