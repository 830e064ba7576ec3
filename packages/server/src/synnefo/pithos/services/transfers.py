"""Copying and moving objects: content and metadata go along, no data moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synnefo.common.db import transactional
from synnefo.common.errors import NotFound, NotSupported
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.pithos.models import Container, StoredObject, Version
from synnefo.pithos.models.objects import new_uuid
from synnefo.pithos.services import charges, containers, names, objects
from synnefo.pithos.services.objects import Draft


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies; `version` only in sources."""

    account: str
    container: str
    name: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What the copy has otherwise than its source; None or no entry keeps the source's."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    manifest: str | None = None
    meta: Mapping[str, str] | None = None
    permissions: Mapping[str, Sequence[str]] | None = None
    check_source: objects.type_check = objects.anything
    check_target: objects.type_check = objects.anything


def copy(caller: Caller, source: Place, target: Place, changes: Changes) -> tuple[Version, Version]:
    """(new version, source): the source's content and metadata as the target's new version. Raises what `objects.get` and `objects.write` raise."""
    item, version = objects.get(caller, source.account, source.container, source.name, version=source.version)
    changes.check_source(item)
    draft = _draft(version, changes, objects.hashes_of(version))
    return objects.write(caller, target.account, target.container, target.name, draft), version


def _draft(version: Version, changes: Changes, hashes: list[str]) -> Draft:
    def kept(new: str | None, old: str) -> str:
        return old if new is None else new

    return Draft(
        hashes=hashes, size=version.bytes, etag=version.etag, content_type=kept(changes.content_type, version.content_type),
        content_encoding=kept(changes.content_encoding, version.content_encoding),
        content_disposition=kept(changes.content_disposition, version.content_disposition), manifest=kept(changes.manifest, version.manifest),
        meta=changes.meta or {}, merge=True, origin=version, permissions=changes.permissions,
        check=changes.check_target)


def move(caller: Caller, source: Place, target: Place, changes: Changes) -> tuple[Version, Version]:
    """As `copy`, and the source is gone in the same transaction; the object keeps its uuid and block map. Owner only, within one account."""
    containers.require_owner(caller, source.account)
    names.parse_object(target.name)
    if target.account != source.account:
        raise NotSupported("Objects move within one account only. Copy it, then delete it.")
    if (source.container, source.name) == (target.container, target.name):
        return copy(caller, source, target, changes)
    return charges.retrying(lambda: _move(caller, source, target, changes))


def _move(caller: Caller, source: Place, target: Place, changes: Changes) -> tuple[Version, Version]:
    item, version = objects.get(caller, source.account, source.container, source.name)
    changes.check_source(item)
    where, existing = objects.writable_container(caller, target.account, target.container, target.name)
    old = existing.bytes if existing is not None else 0
    draft = _draft(version, changes, objects.hashes_of(version))
    deltas = {where.project_id: objects.charge_for(where, draft, old)}
    released = objects.release_for(item.container, version.bytes)
    deltas[item.container.project_id] = deltas.get(item.container.project_id, 0) + released

    @transactional()
    def commit(serial: Serial | None) -> Version:
        origin, destination = _lock_both(item.container, where)
        row = objects.current(objects.find(origin, source.name))
        if row is None:
            raise NotFound("Object does not exist.")
        if row.current_id != version.pk:
            raise charges.ChangedMeanwhile("The object was changed meanwhile. Try again.")
        uuid = row.uuid
        StoredObject.objects.filter(pk=row.pk).update(uuid=new_uuid())
        moved = objects.write_locked(caller, destination, target.name, draft, version.mapfile, old)
        StoredObject.objects.filter(pk=moved.object_id).update(uuid=uuid)
        moved.object.uuid = uuid
        objects.delete_locked(caller, origin, source.name, version.bytes, changes.check_source)
        charges.record(serial)
        return moved

    return charges.charged(source.account, deltas, f"{target.account}/{target.container}/{target.name}", commit), version


def _lock_both(first: Container, second: Container) -> tuple[Container, Container]:
    """Lock both containers in the order of their names; one row when they are the same."""
    if first.pk == second.pk:
        row = containers.lock_unmoved(first)
        return row, row
    if first.name < second.name:
        one = containers.lock_unmoved(first)
        return one, containers.lock_unmoved(second)
    other = containers.lock_unmoved(second)
    return containers.lock_unmoved(first), other
