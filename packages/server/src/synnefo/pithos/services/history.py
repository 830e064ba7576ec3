"""Giving up old versions where history is paid for."""

from __future__ import annotations

from synnefo.common.db import transactional
from synnefo.common.errors import NotFound, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.settings import conf
from synnefo.pithos.models import Container, StoredObject, Version
from synnefo.pithos.services import charges, containers


def purge_contents(account: str, container: str, mapfile: str) -> None:
    """Forget the versions of a container that have these contents, none of which may be current. Not inside a transaction.

    Raises `NotFound`, `StateConflict` (an object has the contents now). For operators: nobody's access is checked.
    """
    charges.retrying(lambda: _purge(account, container, mapfile))


def _purge(account: str, container: str, mapfile: str) -> None:
    where = containers.find(account, container)
    if where is None:
        raise NotFound("Container does not exist.")
    size = _size(where, mapfile)

    @transactional()
    def write(serial: Serial | None) -> None:
        row = containers.lock_unmoved(where)
        if _size(row, mapfile) != size:
            raise charges.ChangedMeanwhile("The container was changed meanwhile. Try again.")
        Version.objects.filter(object__container=row, mapfile=mapfile).delete()
        charges.record(serial)

    delta = 0 if conf.PITHOS_BACKEND_FREE_VERSIONING else -size
    charges.charged(account, {where.project_id: delta}, f"{account}/{container}", write)


def _size(where: Container, mapfile: str) -> int:
    """What the contents are paid for. Raises `NotFound`, `StateConflict`."""
    if StoredObject.objects.filter(container=where, current__mapfile=mapfile).exists():
        raise StateConflict("An object has these contents.")
    found = Version.objects.filter(object__container=where, mapfile=mapfile).exclude(mapfile="").first()
    if found is None:
        raise NotFound("No version has these contents.")
    return found.bytes
