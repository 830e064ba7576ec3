"""Carrying out a plan, through the verbs that the API uses too, so that what goes is given back to the ledger by the usual commissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import structlog

from synnefo.common.errors import StateConflict
from synnefo.common.ids import ProjectID, UserID
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.enforcement.plan import Action, Item, Kind
from synnefo.pithos.models import StoredObject, Version
from synnefo.pithos.services import history, objects

log = structlog.get_logger(__name__)


def carry_out(actions: Iterable[Action]) -> Iterator[tuple[Action, bool]]:
    """Do one action after the other; yields each with whether it was done. Failures are logged and do not stop the rest."""
    for action in actions:
        item = action.item
        try:
            if item.kind == Kind.HISTORY:
                history.purge_contents(item.account, item.container, item.mapfile)
            else:
                _delete(item)
        except Exception:
            log.exception("enforcement.failed", kind=item.kind, account=item.account, version=item.version)
            yield action, False
        else:
            log.info("enforcement.done", kind=item.kind, account=item.account, version=item.version)
            yield action, True


def _delete(item: Item) -> None:
    """In place of the owner, whose account may be closed; with its contents where deleting alone would give nothing back."""

    def is_the_same(found: StoredObject | None) -> None:
        if found is None or found.current_id != item.version:
            raise StateConflict("The object was changed since the plan was made.")

    mapfile = Version.objects.filter(pk=item.version).values_list("mapfile", flat=True).first()
    caller = Caller(user_id=UserID(item.account), email="", name="", project_id=ProjectID(item.project_id))
    objects.delete(caller, item.account, item.container, item.name, check=is_the_same)
    if not conf.PITHOS_BACKEND_FREE_VERSIONING and mapfile and Version.objects.filter(pk=item.version).exists():
        history.purge_contents(item.account, item.container, mapfile)
