"""Who may do what to which server, and in which state: the lookups and the table that APIs, pages and commands ask."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from synnefo.common.errors import Busy, Forbidden, InvalidInput, NotFound
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.cyclades.models import OperState, Server


class WrongState(InvalidInput):
    """The server's state, or what is being done to it, forbids the action."""


HOT = {OperState.STARTED, OperState.STOPPED}
STATES: dict[str, set[OperState]] = {
    "START": {OperState.STOPPED},
    "STOP": {OperState.STARTED},
    "REBOOT": {OperState.STARTED, OperState.STOPPED},
    "RESIZE": {OperState.STOPPED},
    "CONNECT": HOT,
    "DISCONNECT": HOT,
    "CONSOLE": {OperState.STARTED},
    "DESTROY": set(OperState) - {OperState.DESTROYED},
}
NEEDS_HOTPLUG = {"CONNECT", "DISCONNECT"}
WORDS = {"START": "started", "STOP": "stopped", "REBOOT": "rebooted", "RESIZE": "resized", "CONNECT": "connected to a network",
         "DISCONNECT": "disconnected from a network", "CONSOLE": "shown", "DESTROY": "destroyed"}
IGNORES_TASKS = {"DESTROY", "CONSOLE"}


def visible_servers(caller: Caller, *, deleted: bool | None = False) -> QuerySet[Server]:
    """What the caller may see: his own, and what is shared with his projects. `deleted` None means both."""
    condition = Q(user_id=caller.user_id) | Q(shared_to_project=True, project_id__in=caller.project_ids)
    rows = Server.objects.filter(condition)
    return rows if deleted is None else rows.filter(deleted=deleted)


def access_server(caller: Caller, server_id: int, *, lock: bool = False) -> Server:
    """The server, deleted ones included. Raises `NotFound` for others' as for none. With `lock` its row is locked."""
    if not 0 < server_id < 2**63:
        raise NotFound("Server not found.")
    rows = visible_servers(caller, deleted=None).filter(pk=server_id)
    if lock:
        rows = rows.select_for_update(of=("self",))
    found = rows.select_related("flavor__volume_type", "backend").first()
    if found is None:
        raise NotFound("Server not found.")
    return found


def require_changeable(server: Server) -> None:
    """Raises `InvalidInput` for a deleted server, `Forbidden` for a suspended one."""
    if server.deleted:
        raise WrongState(f"Server {server.pk} has been deleted.")
    if server.suspended:
        raise Forbidden("Administratively Suspended VM")


def require_possible(server: Server, action: str) -> None:
    """The table: raises `Busy` while the server is built, `InvalidInput` when state or pending task forbid the action."""
    require_changeable(server)
    if action not in IGNORES_TASKS:
        if server.task == "BUILD" or server.operstate == OperState.BUILD:
            raise Busy(f"Server {server.pk} is being built. Wait until it is ready.")
        if server.task:
            raise WrongState(f"Cannot {action} server {server.pk} while {server.task} is in progress.")
    allowed = STATES[action]
    if action in NEEDS_HOTPLUG and not conf.GANETI_USE_HOTPLUG:
        allowed = allowed - {OperState.STARTED}
    if server.operstate not in allowed:
        raise WrongState(f"A server in state {server.operstate} cannot be {WORDS[action]}.")


def refusal_of(server: Server, action: str) -> str:
    """Why the action is not possible now, or nothing."""
    try:
        require_possible(server, action)
    except (Busy, InvalidInput, Forbidden) as error:
        return error.public
    return ""
