"""Choosing the cluster of a new server: the least loaded one that has its disk template, is online and not drained."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from synnefo.common.db import transactional
from synnefo.common.errors import NoCapacity
from synnefo.common.ids import UserID
from synnefo.common.settings import conf
from synnefo.cyclades.models import Backend, Flavor
from synnefo.cyclades.services import backends

log = structlog.get_logger(__name__)
VCPUS_PER_INSTANCE = 4
CPU_RATIO = 3


def allocate(user_id: UserID, flavor: Flavor) -> Backend:
    """The backend for a server of this flavor; its figures are lowered so that the next choice sees them. Raises `NoCapacity`.

    Opens its own short transaction; stale figures are read before, outside of it.
    """
    backends.refresh_stale()
    return _allocate(user_id, flavor.volume_type.template, flavor.ram, flavor.disk * 1024)


@transactional()
def _allocate(user_id: UserID, template: str, ram_mib: int, disk_mib: int) -> Backend:
    pinned = _pinned(user_id)
    if pinned is not None:
        return pinned
    candidates = [backend for backend in Backend.objects.select_for_update().filter(offline=False, drained=False).order_by("pk")
                  if template in backend.disk_templates]
    if not candidates:
        log.warning("allocator.no_backend", template=template)
        raise NoCapacity("No cluster can take a new server now. Try again later.")
    disk = disk_mib * 2 if template == "drbd" else disk_mib
    chosen = min(_fitting(candidates, ram_mib, disk), key=load)
    chosen.mfree, chosen.dfree = max(0, chosen.mfree - ram_mib), max(0, chosen.dfree - disk)
    chosen.pinst_cnt += 1
    chosen.save(update_fields=["mfree", "dfree", "pinst_cnt"])
    return chosen


def _pinned(user_id: UserID) -> Backend | None:
    """The backend that the operator gave this user, drained or not."""
    wanted = conf.BACKEND_PER_USER.get(user_id)
    return None if wanted is None else backends.get_backend(wanted)


def _fitting(candidates: Sequence[Backend], ram_mib: int, disk_mib: int) -> Sequence[Backend]:
    """Those with room; all of them when none has, because Ganeti has the last word."""
    fitting = [item for item in candidates
               if item.mfree > ram_mib and item.dfree > disk_mib and item.ctotal
               and VCPUS_PER_INSTANCE * (item.pinst_cnt + 1) / item.ctotal < CPU_RATIO]
    return fitting or candidates


def load(backend: Backend) -> float:
    """How full a backend is: half processors, half memory and disk."""
    cpu = VCPUS_PER_INSTANCE * (backend.pinst_cnt + 1) / (CPU_RATIO * backend.ctotal) if backend.ctotal else 1.0
    mem = 1 - backend.mfree / backend.mtotal if backend.mtotal else 1.0
    disk = 1 - backend.dfree / backend.dtotal if backend.dtotal else 1.0
    return 0.5 * cpu + 0.5 * (mem + disk)
