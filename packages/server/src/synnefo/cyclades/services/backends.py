"""Ganeti clusters: adding them with a check, changing them, reading their figures."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import structlog
from django.db import IntegrityError
from django.utils import timezone
from prometheus_client import Gauge

from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, DomainError, InvalidInput, NoCapacity, NotFound, StateConflict
from synnefo.common.settings import conf
from synnefo.cyclades.adapters import cluster_for
from synnefo.cyclades.models import Backend, BackendNetwork, Operation
from synnefo.cyclades.models.backends import MAX_BACKENDS
from synnefo.cyclades.ports import Capacity, ClusterInfo, GanetiLoginRefused
from synnefo.cyclades.services import network_jobs, network_operations

log = structlog.get_logger(__name__)
SILENT = Gauge("synnefo_backend_silent", "1 while jobs are submitted to a cluster and none of its events arrives", ["cluster"])
NOTE_STEP = datetime.timedelta(seconds=30)
SILENCE = datetime.timedelta(minutes=2)
SILENCE_WINDOW = datetime.timedelta(hours=1)
HYPERVISORS = ("kvm", "xen-pvm", "xen-hvm")
CONNECTION = {"clustername", "port", "username", "password_encrypted", "rapi_host", "rapi_ca"}
"""Fields that a changed backend is tried with before they are kept."""


def check_access(backend: Backend) -> ClusterInfo:
    """Ask the cluster who it is. Raises when it cannot be reached, refuses the login, or is another one."""
    cluster = cluster_for(backend)
    try:
        info = cluster.info()
    except GanetiLoginRefused as error:
        raise InvalidInput(f"The cluster refused the login of {backend.username}. Check user and password.", field="password") from error
    if info.name != backend.clustername:
        raise InvalidInput(f"The cluster calls itself {info.name}, not {backend.clustername}. Register it by that name.")
    try:
        # Changes nothing, but is refused to a login without write access.
        cluster.add_cluster_tags(["snf:access-check"], reason="snf:access-check", dry_run=True)
    except GanetiLoginRefused as error:
        raise InvalidInput(f"User {backend.username} of the cluster has no write access.", field="username") from error
    return info


def add_backend(*, clustername: str, username: str, password: str, rapi_host: str = "", port: int = 5080, rapi_ca: str = "",
                hypervisor: str = "kvm", public: bool = True, check: bool = True, init: bool = True) -> Backend:
    """Record a cluster, drained. Not inside a transaction: it is asked first. Raises `InvalidInput`, `AlreadyExists`, `NoCapacity`.

    With `init` the public networks are created in it.
    """
    _check_fields(clustername=clustername, username=username, port=port, rapi_host=rapi_host, hypervisor=hypervisor)
    backend = Backend(clustername=clustername, username=username, rapi_host=rapi_host, port=port, rapi_ca=rapi_ca,
                      hypervisor=hypervisor, public=public)
    backend.password = password
    if check:
        check_access(backend)
    try:
        _insert(backend)
    except IntegrityError as error:
        raise AlreadyExists(f"There is already a backend for {clustername}.") from error
    log.info("backend.added", backend=backend.pk, cluster=clustername)
    if init:
        network_operations.create_public_networks_in(backend)
    return backend


def _check_fields(**fields: Any) -> None:
    """Raises `InvalidInput` for values that no backend can have."""
    if fields.get("hypervisor", "kvm") not in HYPERVISORS:
        raise InvalidInput(f"Hypervisor is one of {', '.join(HYPERVISORS)}.", field="hypervisor")
    if not 0 < fields.get("port", 1) < 2**16:
        raise InvalidInput("A port is a number from 1 to 65535.", field="port")
    for name, longest in (("clustername", 128), ("username", 64), ("rapi_host", 255)):
        value = fields.get(name)
        if value is None or (name == "rapi_host" and not value):
            continue
        if not 0 < len(value) <= longest or not value.isprintable() or " " in value:
            raise InvalidInput(f"{name} has 1 to {longest} characters, without spaces.", field=name)


@transactional()
def _insert(backend: Backend) -> None:
    taken = set(Backend.objects.values_list("index", flat=True))
    free = [index for index in range(MAX_BACKENDS) if index not in taken]
    if not free:
        raise NoCapacity(f"There are {MAX_BACKENDS} backends already; more cannot be told apart by their MAC addresses.")
    backend.index, backend.pk = free[0], None
    backend.save(force_insert=True)


def get_backend(backend_id: int | str) -> Backend:
    """By number or cluster name. Raises `NotFound`."""
    text = str(backend_id)
    rows = Backend.objects.filter(pk=int(text)) if text.isdigit() and len(text) < 19 else Backend.objects.filter(clustername=text)
    found = rows.first()
    if found is None:
        raise NotFound(f"Backend {backend_id} does not exist. Try: snf-manage backend-list")
    return found


def modify_backend(backend: Backend, *, password: str | None = None, **changes: Any) -> Backend:
    """Change fields; new ways to connect are tried first. Raises as `check_access`, `InvalidInput`, `AlreadyExists`."""
    _check_fields(**changes)
    for key, value in changes.items():
        setattr(backend, key, value)
    if password is not None:
        backend.password = password
        changes["password_encrypted"] = backend.password_encrypted
    if CONNECTION & set(changes) and not backend.offline:
        check_access(backend)
    try:
        backend.save(update_fields=sorted(changes))
    except IntegrityError as error:
        raise AlreadyExists(f"There is already a backend for {backend.clustername}.") from error
    log.info("backend.modified", backend=backend.pk, fields=sorted(changes))
    return backend


def remove_backend(backend_id: int, *, ignore_unreachable: bool = False) -> list[str]:
    """Forget a cluster that has no servers of ours. Not inside a transaction: our networks are removed from the cluster first.

    Returns what was left in the cluster. Raises `NotFound`, `StateConflict`, and, unless told otherwise, what the cluster raises.
    """
    backend = get_backend(backend_id)
    if backend.servers.filter(deleted=False).exists():
        raise StateConflict(f"Backend {backend_id} still has servers.")
    left = _remove_networks(backend, ignore_unreachable=ignore_unreachable)
    _forget(backend_id)
    log.info("backend.removed", backend=backend_id, cluster=backend.clustername, left=left)
    return left


def _remove_networks(backend: Backend, *, ignore_unreachable: bool) -> list[str]:
    left = []
    for row in BackendNetwork.objects.filter(backend=backend).exclude(state=BackendNetwork.DELETED).order_by("network_id"):
        try:
            network_jobs.disconnect_and_remove(cluster_for(backend), row.network_id, reason=f"snf:backend-remove-{backend.pk}", is_repeated=False)
        except DomainError as error:
            if not ignore_unreachable:
                raise
            left.append(f"Network {row.network_id} was left in {backend.clustername}: {error.public}")
    return left


@transactional()
def _forget(backend_id: int) -> None:
    backend = Backend.objects.select_for_update().get(pk=backend_id)
    if backend.servers.filter(deleted=False).exists():  # again, now that no new one can come
        raise StateConflict(f"Backend {backend_id} still has servers.")
    backend.servers.update(backend=None)
    BackendNetwork.objects.filter(backend=backend).delete()
    backend.delete()


def refresh(backend: Backend) -> None:
    """Read capacity and disk templates. The cluster is asked outside of any transaction. Raises as the cluster does."""
    cluster = cluster_for(backend)
    capacity, info = cluster.capacity(), cluster.info()
    _store(backend.pk, capacity, info)


def _store(backend_id: int, capacity: Capacity, info: ClusterInfo) -> None:
    allowed = (info.raw.get("ipolicy") or {}).get("disk-templates") or info.enabled_disk_templates
    templates = [name for name in info.enabled_disk_templates if name in allowed]
    Backend.objects.filter(pk=backend_id).update(
        mfree=capacity.mem_free_mib, mtotal=capacity.mem_total_mib, dfree=capacity.disk_free_mib, dtotal=capacity.disk_total_mib,
        pinst_cnt=capacity.instances, ctotal=capacity.cpus, disk_templates=templates, refreshed_at=timezone.now())


def refresh_all(backends: Iterable[Backend] | None = None) -> dict[str, str]:
    """Refresh every online backend; one that fails does not stop the others. Returns the failures by cluster name."""
    failures = {}
    for backend in Backend.objects.filter(offline=False) if backends is None else backends:
        try:
            refresh(backend)
        except DomainError as error:
            failures[backend.clustername] = error.public
            log.warning("backend.refresh.failed", backend=backend.pk, reason=error.public)
    return failures


def refresh_stale() -> None:
    """Refresh those whose figures are older than BACKEND_REFRESH_MIN."""
    limit = timezone.now() - datetime.timedelta(minutes=conf.BACKEND_REFRESH_MIN)
    online = Backend.objects.filter(offline=False)
    refresh_all([*online.filter(refreshed_at=None), *online.filter(refreshed_at__lt=limit)])


_noted: dict[str, datetime.datetime] = {}


def note_event(clustername: str) -> None:
    """An event of the cluster has arrived. Written twice a minute at most."""
    now = timezone.now()
    if now - _noted.get(clustername, now - SILENCE) < NOTE_STEP:
        return
    if Backend.objects.filter(clustername=clustername).update(last_event_at=now):
        _noted[clustername] = now


def find_silent() -> list[Backend]:
    """Online backends that got jobs but sent no event about them: their eventd or the broker's route to them is down. Warns of each."""
    now = timezone.now()
    silent = []
    for backend in Backend.objects.filter(offline=False):
        asked = (Operation.objects.filter(backend=backend, created_at__range=(now - SILENCE_WINDOW, now - SILENCE)).exclude(jobs=[])
                 .order_by("-created_at").values_list("created_at", flat=True).first())
        is_silent = asked is not None and (backend.last_event_at is None or backend.last_event_at < asked - NOTE_STEP)
        SILENT.labels(backend.clustername).set(is_silent)
        if is_silent:
            silent.append(backend)
            log.warning("backend.silent", cluster=backend.clustername, last_event_at=backend.last_event_at,
                        hint="see whether snf-ganeti-eventd runs on the cluster's master and reaches the broker")
    return silent
