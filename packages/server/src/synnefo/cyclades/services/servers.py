"""What users and operators do with servers. Each verb checks, charges, writes one short transaction with an operation, and performs it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import IntegrityError

from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound
from synnefo.common.ids import ProjectID, Serial, UserID
from synnefo.common.ports import Caller, quota
from synnefo.common.settings import conf
from synnefo.cyclades import policy
from synnefo.cyclades.models import Backend, Flavor, Operation, Server, ServerMetadata, Volume
from synnefo.cyclades.services import allocator, build_parameters, charges, commissions, network_operations, operations
from synnefo.cyclades.services.server_networks import NetworkRequest, create_ports_for_server

log = structlog.get_logger(__name__)
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ServerImage:
    """What a new server is made from. `mapfile` names its block map in the object store."""

    id: str
    version: int
    name: str
    mapfile: str
    size_bytes: int
    disk_format: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A server to be built; shapes and limits of single fields are the API's to check."""

    name: str
    flavor: Flavor
    image: ServerImage
    password: str = field(repr=False)
    networks: Sequence[NetworkRequest] | None = None
    """None: the default networks."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    personality: Sequence[Mapping[str, Any]] = ()
    authorized_keys: str = ""
    key_names: Sequence[str] = ()
    user_data: str = ""
    project_id: ProjectID | None = None
    description: str = ""
    idempotency_key: str = ""


def create_server(caller: Caller, request: ServerRequest, *, backend: Backend | None = None) -> Server:
    """Build a server, on the backend or where the allocator puts it. Returns when its job is submitted, or after a bounded wait.

    Not inside a transaction. Raises `InvalidInput` (project, sizes), `Forbidden` (flavor), `QuotaExceeded`, `NoCapacity`, and what the networks raise; then nothing remains.
    """
    project_id = request.project_id or caller.project_id
    if project_id not in caller.project_ids:
        raise InvalidInput("You are not a member of that project.", field="project")
    _require_fit(request)
    earlier = _find_earlier(caller, request.idempotency_key)
    if earlier is not None:
        return earlier
    backend = operations.require_online(backend or allocator.allocate(caller.user_id, request.flavor))
    serial = issue(caller.user_id, charges.of_build(project_id, request.flavor, [request.flavor.disk]), f"server {request.name[:50]}", "BUILD")
    try:
        server, pending = _insert(caller, request, project_id, backend, serial)
    except IntegrityError:
        commissions.reject_now(serial)
        earlier = _find_earlier(caller, request.idempotency_key)
        if earlier is None:
            raise
        return earlier
    except BaseException:
        commissions.reject_now(serial)
        raise
    commissions.accept_now(serial)
    log.info("server.create.accepted", server=server.pk, backend=backend.pk, flavor=request.flavor.pk, image=request.image.id)
    network_operations.start(pending)
    return _reload(server.pk)


def _require_fit(request: ServerRequest) -> None:
    if request.image.size_bytes > request.flavor.disk_bytes:
        raise InvalidInput(f"The image needs {-(-request.image.size_bytes // 2**30)} GiB; the flavor has a disk of {request.flavor.disk} GiB.",
                           field="flavorRef")


def _find_earlier(caller: Caller, key: str) -> Server | None:
    """The server that the same request made before."""
    if not key:
        return None
    return Server.objects.select_related("flavor__volume_type", "backend").filter(user_id=caller.user_id, idempotency_key=key).first()


def issue(user_id: UserID | str, wanted: charges.type_charges, what: str, action: str) -> Serial:
    """Ask the ledger for an action. Raises `QuotaExceeded`, `InvalidInput` (no member of the project), `DependencyUnavailable`."""
    try:
        return quota("cyclades").issue(UserID(user_id), wanted, request_id=str(uuid.uuid4()),
                                       name=f"client: api, resource: {what}, action: {action}")
    except NotFound as error:
        raise InvalidInput("The user is not a member of that project, or a resource is not registered.", field="project") from error


@transactional()
def _insert(caller: Caller, request: ServerRequest, project_id: ProjectID, backend: Backend, serial: Serial) -> tuple[Server, list[Operation]]:
    """All rows of a new server, or none."""
    server = Server.objects.create(
        name=request.name, user_id=caller.user_id, project_id=project_id, backend=backend, flavor=request.flavor, image_id=request.image.id,
        image_version=request.image.version, key_names=list(request.key_names), description=request.description,
        idempotency_key=request.idempotency_key)
    Volume.objects.create(
        user_id=caller.user_id, project_id=project_id, size=request.flavor.disk, volume_type=request.flavor.volume_type, server=server, index=0,
        source=f"image:{request.image.id}", source_version=request.image.version, origin=request.image.mapfile)
    ServerMetadata.objects.bulk_create([ServerMetadata(server=server, key=key, value=value) for key, value in request.metadata.items()])
    create_ports_for_server(server, caller=caller, requested=None if request.networks is None else list(request.networks))
    build_parameters.store(server, _build_parameters(request))
    commissions.record_accepted(serial)
    networks = network_operations.ensure_networks_active(server)
    build = operations.schedule("server.create", backend=backend, server=server, task="BUILD",
                                payload={"img_id": _image_uri(request.image), "img_format": request.image.disk_format})
    return server, [*networks, build]


def _image_uri(image: ServerImage) -> str:
    return f"pithosmap://{image.mapfile}/{image.size_bytes}"


def _build_parameters(request: ServerRequest) -> dict[str, Any]:
    """What the node is told once. `img_properties` come from the image."""
    found: dict[str, Any] = {
        "img_id": _image_uri(request.image), "img_format": request.image.disk_format, "img_passwd": request.password,
        "img_properties": dict(request.image.properties), "img_personality": [dict(item) for item in request.personality]}
    if request.authorized_keys:
        found["auth_keys"] = request.authorized_keys
    if request.user_data:
        found["cloud_userdata"] = request.user_data
    return found


def _reload(server_id: int) -> Server:
    return Server.objects.select_related("flavor__volume_type", "backend").get(pk=server_id)


# Actions ----------------------------------------------------------------------------------------------------------


def start_server(caller: Caller, server_id: int) -> None:
    """Raises `NotFound`, `Forbidden`, `Busy`, `InvalidInput` (state), `QuotaExceeded`, `DependencyUnavailable`."""
    _act(caller, server_id, "START", "server.start")


def shutdown_server(caller: Caller, server_id: int, *, timeout_s: int | None = None) -> None:
    """Ask the guest to stop; power is cut after `timeout_s` (None: the cluster's default). Raises as `start_server`."""
    _act(caller, server_id, "STOP", "server.shutdown", {"timeout_s": timeout_s})


def reboot_server(caller: Caller, server_id: int, *, hard: bool = False) -> None:
    """Stop and start; `hard` without asking the guest. Raises as `start_server`."""
    _act(caller, server_id, "REBOOT", "server.reboot", {"timeout_s": 0 if hard else None})


def resize_server(caller: Caller, server_id: int, flavor: Flavor) -> None:
    """Change CPUs and memory of a stopped server. Raises as `start_server`."""
    server = policy.access_server(caller, server_id)
    if (flavor.disk, flavor.volume_type_id) != (server.flavor.disk, server.flavor.volume_type_id):
        raise InvalidInput("A resize keeps disk size and volume type.", field="flavorRef")
    if flavor.pk == server.flavor_id:
        raise InvalidInput("The server has this flavor already.", field="flavorRef")
    _act(caller, server_id, "RESIZE", "server.resize", {"flavor": flavor.pk, "vcpus": flavor.cpu, "memory_mib": flavor.ram},
         wanted=charges.of_resize(server, flavor))


def _act(caller: Caller, server_id: int, action: str, kind: str, payload: Mapping[str, Any] | None = None, *,
         wanted: charges.type_charges | None = None) -> None:
    server = policy.access_server(caller, server_id)
    policy.require_possible(server, action)
    operations.require_online(server.backend)
    needed = wanted if wanted is not None else charges.of_action(server, action)
    # What is given back is given back when it has happened; only what is asked for is asked for now.
    asked = {key: amount for key, amount in needed.items() if amount > 0}
    serial = issue(server.user_id, needed, f"server {server_id}", action) if asked else None
    try:
        operation = _schedule_action(caller, server_id, action, kind, dict(payload or {}), serial)
    except BaseException:
        if serial is not None:
            commissions.reject_now(serial)
        raise
    operations.perform(operation)


@transactional()
def _schedule_action(caller: Caller, server_id: int, action: str, kind: str, payload: dict[str, Any], serial: Serial | None) -> Operation:
    server = policy.access_server(caller, server_id, lock=True)
    policy.require_possible(server, action)  # again, now that nobody can change it
    backend = operations.require_online(server.backend)
    if serial is not None:
        commissions.record_pending(serial)
    server.serial = serial
    return operations.schedule(kind, backend=backend, server=server, task=action, payload=payload)


def delete_server(caller: Caller, server_id: int) -> None:
    """Destroy a server. Accepted in every state, also while it is built; repeating it is accepted. Raises `NotFound`, `Forbidden`, `InvalidInput`
    (deleted already), `DependencyUnavailable`.
    """
    policy.require_possible(policy.access_server(caller, server_id), "DESTROY")
    operation = _schedule_removal(caller, server_id)
    if operation is not None:
        operations.perform(operation)


@transactional()
def _schedule_removal(caller: Caller, server_id: int) -> Operation | None:
    server = policy.access_server(caller, server_id, lock=True)
    policy.require_possible(server, "DESTROY")
    backend = operations.require_online(server.backend)
    if server.task == "DESTROY":
        return None
    # What another task had asked for is given back; should its job succeed after all, its event charges it.
    commissions.decide(server.serial, accept=False)
    server.serial = None
    log.info("server.delete.accepted", server=server_id)
    return operations.schedule("server.delete", backend=backend, server=server, task="DESTROY", payload={"job": server.backendjobid})


@transactional()
def rename_server(caller: Caller, server_id: int, *, name: str | None = None, description: str | None = None) -> Server:
    """Raises `NotFound`, `InvalidInput`, `Forbidden`."""
    server = policy.access_server(caller, server_id, lock=True)
    policy.require_changeable(server)
    if name is not None:
        if not 0 < len(name) <= MAX_NAME:
            raise InvalidInput(f"A name has 1 to {MAX_NAME} characters.", field="name")
        server.name = name
    if description is not None:
        server.description = description[:MAX_NAME]
    server.save(update_fields=["name", "description", "updated_at"])
    return server


@transactional()
def update_metadata(caller: Caller, server_id: int, items: Mapping[str, str], *, replace: bool = False) -> dict[str, str]:
    """Set metadata; with `replace` all other keys go. Returns the result. Raises `InvalidInput` over the limits."""
    server = policy.access_server(caller, server_id, lock=True)
    policy.require_changeable(server)
    known = {} if replace else dict(server.metadata.values_list("key", "value"))
    known |= items
    if len(known) > conf.CYCLADES_VM_MAX_METADATA:
        raise InvalidInput(f"A server has at most {conf.CYCLADES_VM_MAX_METADATA} metadata items.")
    if replace:
        server.metadata.exclude(key__in=known).delete()
    for key, value in items.items():
        ServerMetadata.objects.update_or_create(server=server, key=key, defaults={"value": value})
    server.save(update_fields=["updated_at"])
    return known


@transactional()
def delete_metadata(caller: Caller, server_id: int, key: str) -> None:
    """Raises `NotFound` for a key that is not there."""
    server = policy.access_server(caller, server_id, lock=True)
    policy.require_changeable(server)
    if not server.metadata.filter(key=key).delete()[0]:
        raise NotFound("Metadata key not found.")
    server.save(update_fields=["updated_at"])


@transactional()
def set_suspended(server_id: int, suspended: bool) -> None:
    """For operators: a suspended server can be looked at by its owner, nothing else. Raises `InvalidInput`."""
    server = Server.objects.select_for_update().filter(pk=server_id, deleted=False).first()
    if server is None:
        raise NotFound(f"Server {server_id} does not exist.")
    if server.suspended == suspended:
        raise InvalidInput(f"Server {server_id} is {'already' if suspended else 'not'} suspended.")
    server.suspended = suspended
    server.save(update_fields=["suspended", "updated_at"])
