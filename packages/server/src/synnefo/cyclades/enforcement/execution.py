"""Carrying out a plan, through the verbs that the API uses too, so that what goes is given back to the ledger by the usual commissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import sleep

import structlog

from synnefo.common.errors import StateConflict
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import Caller
from synnefo.cyclades.enforcement.plan import Action, Do, Item, Kind
from synnefo.cyclades.models import Port
from synnefo.cyclades.services import servers
from synnefo.cyclades.services.floating_ips import find_floating_ip, remove_floating_ip
from synnefo.cyclades.services.port_verbs import remove_port

log = structlog.get_logger(__name__)
ATTEMPTS = 100


def carry_out(actions: Iterable[Action], *, shutdown_timeout_s: int | None = None) -> Iterator[tuple[Action, bool]]:
    """Do one action after the other; yields each with whether its job could be submitted. Failures are logged and do not stop the rest.

    Jobs are not waited for, except that a NIC must have left its server before its address can go, or the server be stopped.
    """
    removed: set[int] = set()
    for action in actions:
        try:
            _do(action, removed, shutdown_timeout_s)
        except Exception:
            log.exception("enforcement.failed", kind=action.item.kind, id=action.item.id, action=action.do)
            yield action, False
        else:
            log.info("enforcement.done", kind=action.item.kind, id=action.item.id, action=action.do)
            yield action, True


def _do(action: Action, removed: set[int], shutdown_timeout_s: int | None) -> None:
    item = action.item
    if item.kind == Kind.ADDRESS:
        _part(item.id)
        if action.do == Do.REMOVE:
            remove_floating_ip(find_floating_ip(item.id))
    elif item.kind == Kind.VOLUME:
        if item.server_id not in removed:
            raise StateConflict(f"Volume {item.id} is no longer without its server: only whole servers are removed.")
    elif action.do == Do.REMOVE:
        servers.delete_server(_in_place_of_owner(item), item.id)
        removed.add(item.id)
    else:
        servers.shutdown_server(_in_place_of_owner(item), item.id, timeout_s=shutdown_timeout_s)


def _in_place_of_owner(item: Item) -> Caller:
    """Made here rather than asked for: the owner's account may be closed, and his server still counts."""
    return Caller(user_id=UserID(item.user_id), email="", name="", project_id=ProjectID(item.project_id))


def _part(address_id: int) -> None:
    """Take the address off its server, and see it gone."""
    row = find_floating_ip(address_id)
    if row.port_id is None:
        return
    remove_port(row.port_id)
    for _ in range(ATTEMPTS):
        if not Port.objects.filter(pk=row.port_id).exists():
            return
        sleep(1)
    raise StateConflict(f"Floating IP {row.address} did not leave its server in time.")
