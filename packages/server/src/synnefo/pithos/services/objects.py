"""Objects: reading, writing whole new versions, metadata, deletion. Every write makes one new version under the container's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import Q
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, QuotaExceeded, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.hashing import EMPTY, block_count, root_hash
from synnefo.pithos.models import Attribute, Container, Permission, StoredObject, Version
from synnefo.pithos.services import blocks, charges, containers

DOMAIN = "pithos"
MAX_NAME = 1024
MAX_META = 64
MAX_SIZE = 2**50


@dataclass(frozen=True, slots=True)
class Draft:
    """The next version of an object. None keeps what the current version has (its content, type, or metadata)."""

    hashes: Sequence[str] | None = None
    size: int = 0
    etag: str = ""
    content_type: str | None = None
    content_encoding: str | None = None
    content_disposition: str | None = None
    manifest: str | None = None
    meta: Mapping[str, str] | None = None
    """Of the domain; replaces all keys of it unless `merge`."""
    merge: bool = False
    domain: str = DOMAIN
    check: Callable[[StoredObject | None], None] = field(default=lambda _current: None)
    """Called under the lock with the object as it is; raises to refuse (conditions of the request)."""


def parse_name(name: str) -> str:
    """Raises `InvalidInput`."""
    if not 0 < len(name) <= MAX_NAME or "\0" in name:
        raise InvalidInput(f"An object name has 1 to {MAX_NAME} characters.")
    return name


def find(container: Container, name: str) -> StoredObject | None:
    return StoredObject.objects.select_related("current", "container").filter(container=container, name=name).first()


def can(caller: Caller, item: StoredObject, kind: str) -> bool:
    """Whether the caller may read or write the object. Who may write may read."""
    if caller.user_id == item.container.account:
        return True
    kinds = [Permission.WRITE] if kind == Permission.WRITE else [Permission.READ, Permission.WRITE]
    return Permission.objects.filter(object=item, kind__in=kinds, holder__in=(caller.user_id, "*")).exists()


def get(caller: Caller, account: str, container: str, name: str, *, version: int | None = None) -> tuple[StoredObject, Version]:
    """An object and the version asked for (the current one by default). Raises `NotFound`, `Forbidden`."""
    where = containers.find(account, container)
    item = find(where, name) if where is not None else None
    if item is None or where is None:
        raise NotFound("Object does not exist.") if caller.user_id == account else Forbidden("You may not read this object.")
    if not can(caller, item, Permission.READ):
        raise Forbidden("You may not read this object.")
    if version is not None:
        found = Version.objects.filter(pk=version, object=item, is_deletion=False).first() if version < 2**63 else None
        if found is None:
            raise NotFound("Version does not exist.")
        return item, found
    if item.current is None:
        raise NotFound("Object does not exist.")
    return item, item.current


def hashes_of(version: Version) -> list[str]:
    """Block names of a version; an empty object has one empty block in its published map."""
    return blocks.store().get_map(version.mapfile) if version.mapfile else []


def meta_of(version: Version, domain: str = DOMAIN) -> dict[str, str]:
    return dict(Attribute.objects.filter(version=version, domain=domain).values_list("key", "value"))


def versions_of(caller: Caller, account: str, container: str, name: str) -> list[Version]:
    """Oldest first, deletions left out. Raises `NotFound`, `Forbidden`."""
    where = containers.find(account, container)
    item = find(where, name) if where is not None else None
    if item is None or not can(caller, item, Permission.READ):
        raise NotFound("Object does not exist.") if caller.user_id == account else Forbidden("You may not read this object.")
    return list(Version.objects.filter(object=item, is_deletion=False).order_by("pk"))


def write(caller: Caller, account: str, container: str, name: str, draft: Draft) -> Version:
    """Make the draft the object's new version. Blocks are stored already. Not inside a transaction.

    Raises `NotFound` (container), `Forbidden`, `QuotaExceeded`, `InvalidInput`, and what `draft.check` raises; then nothing has changed.
    """
    parse_name(name)
    where = _writable_container(caller, account, container)
    item = find(where, name)
    _require_writable(caller, account, item)
    draft.check(item if item is not None and item.current is not None else None)
    old = item.bytes if item is not None else 0
    size = old if draft.hashes is None else draft.size
    if draft.hashes is None and (item is None or item.current is None):
        raise NotFound("Object does not exist.")
    delta = size - old
    if where.quota_bytes and delta > 0 and containers.usage_of(where).bytes + delta > where.quota_bytes:
        raise QuotaExceeded(f"The container's own limit of {where.quota_bytes} bytes would be passed.")
    if where.versioning == "auto" and not conf.PITHOS_BACKEND_FREE_VERSIONING and draft.hashes is not None:
        delta = size
    mapfile = blocks.new_map(draft.hashes) if draft.hashes and size else ""

    @transactional()
    def commit(serial: Serial | None) -> Version:
        return _commit(caller, account, container, name, draft, mapfile, old, serial)

    try:
        return charges.charged(account, {where.project_id: delta}, f"{account}/{container}/{name}", commit)
    except BaseException:
        if mapfile and not Version.objects.filter(mapfile=mapfile).exists():
            blocks.store().delete_map(mapfile)
        raise


def _writable_container(caller: Caller, account: str, container: str) -> Container:
    found = containers.find(account, container)
    if found is None:
        raise NotFound("Container does not exist.") if caller.user_id == account else Forbidden("You may not write here.")
    return found


def _require_writable(caller: Caller, account: str, item: StoredObject | None) -> None:
    """Others may replace an object that they may write, but not make new ones."""
    if caller.user_id != account and (item is None or not can(caller, item, Permission.WRITE)):
        raise Forbidden("You may not write this object.")


def _commit(caller: Caller, account: str, container: str, name: str, draft: Draft, mapfile: str, old: int,
            serial: Serial | None) -> Version:
    where = containers.lock(account, container)
    item = find(where, name)
    _require_writable(caller, account, item)
    before = item.current if item is not None else None
    draft.check(item if before is not None else None)
    if (item.bytes if item is not None else 0) != old:
        raise StateConflict("The object was changed meanwhile. Try again.")
    if item is None:
        item = StoredObject.objects.create(container=where, name=name)
    version = _new_version(caller, item, before, draft, mapfile)
    _carry_attributes(before, version, draft)
    if draft.hashes is not None:
        blocks.record_use(account, draft.hashes)
    item.current, item.bytes = version, version.bytes
    item.save(update_fields=["current", "bytes"])
    if where.versioning == "none" and before is not None:
        before.delete()
    where.updated_at = version.created_at
    where.save(update_fields=["updated_at"])
    charges.record(serial)
    return version


def _new_version(caller: Caller, item: StoredObject, before: Version | None, draft: Draft, mapfile: str) -> Version:
    base = before or Version(content_type="application/octet-stream", hash=EMPTY)
    keeps_content = draft.hashes is None
    return Version.objects.create(
        object=item, bytes=base.bytes if keeps_content else draft.size, hash=base.hash if keeps_content else root_hash(draft.hashes or []),
        mapfile=base.mapfile if keeps_content else mapfile, etag=base.etag if keeps_content else draft.etag,
        content_type=_kept(draft.content_type, base.content_type), content_encoding=_kept(draft.content_encoding, base.content_encoding),
        content_disposition=_kept(draft.content_disposition, base.content_disposition), manifest=_kept(draft.manifest, base.manifest),
        modified_by=caller.user_id)


def _kept(new: str | None, old: str) -> str:
    return old if new is None else new


def _carry_attributes(before: Version | None, version: Version, draft: Draft) -> None:
    """Metadata of other domains goes with the object; that of the draft's domain is replaced or merged."""
    carried = list(Attribute.objects.filter(version=before)) if before is not None else []
    own = {item.key: item.value for item in carried if item.domain == draft.domain}
    if draft.meta is not None:
        own = containers.merge_meta(own if draft.merge else {}, draft.meta)
    elif draft.hashes is not None and not draft.merge:
        own = {}
    others = [Attribute(version=version, domain=item.domain, key=item.key, value=item.value) for item in carried if item.domain != draft.domain]
    Attribute.objects.bulk_create([*others, *(Attribute(version=version, domain=draft.domain, key=key, value=value) for key, value in own.items())])


def draft_from_hashes(account: str, hashes: Sequence[str], size: int, draft: Draft) -> Draft:
    """Complete a draft with blocks that are named, not sent. Raises `InvalidInput` for a list that does not fit the size."""
    if not 0 <= size <= MAX_SIZE:
        raise InvalidInput("The size is not a sensible number of bytes.")
    if size == 0 and list(hashes) in ([], [EMPTY]):
        return replace(draft, hashes=[], size=0, etag=blocks.Content().etag)
    if len(hashes) != block_count(size, conf.PITHOS_BACKEND_BLOCK_SIZE):
        raise InvalidInput(f"{size} bytes need {block_count(size, conf.PITHOS_BACKEND_BLOCK_SIZE)} block hashes, not {len(hashes)}.")
    etag = ""
    if size <= conf.PITHOS_MD5_SYNC_MAX:
        content = blocks.Content()
        for data in blocks.read_range(hashes, size, 0, size):
            content.add(data, "")
        etag = content.etag
    return replace(draft, hashes=list(hashes), size=size, etag=etag)


def delete(caller: Caller, account: str, container: str, name: str, *, check: Callable[[StoredObject | None], None] = lambda _: None) -> None:
    """Delete an object; its history stays where versions are kept. Owner only. Raises `NotFound`, `Forbidden`."""
    containers.require_owner(caller, account)
    where = containers.find(account, container)
    item = find(where, name) if where is not None else None
    if where is None or item is None or item.current is None:
        raise NotFound("Object does not exist.")
    check(item)
    old = item.bytes

    @transactional()
    def commit(serial: Serial | None) -> None:
        row = containers.lock(account, container)
        found = find(row, name)
        if found is None or found.current is None:
            raise NotFound("Object does not exist.")
        check(found)
        if found.bytes != old:
            raise StateConflict("The object was changed meanwhile. Try again.")
        _delete_current(caller, row, found)
        charges.record(serial)

    is_free = where.versioning == "none" or conf.PITHOS_BACKEND_FREE_VERSIONING
    charges.charged(account, {where.project_id: -old if is_free else 0}, f"{account}/{container}/{name}", commit)


def _delete_current(caller: Caller, container: Container, item: StoredObject) -> None:
    now = timezone.now()
    if container.versioning == "none":
        containers.purge_objects([item.pk])
    else:
        Version.objects.create(object=item, hash="", modified_by=caller.user_id, is_deletion=True, created_at=now)
        item.current, item.bytes = None, 0
        item.save(update_fields=["current", "bytes"])
        Permission.objects.filter(object=item).delete()
    container.updated_at = now
    container.save(update_fields=["updated_at"])


@transactional()
def set_permissions(caller: Caller, account: str, container: str, name: str, permissions: Mapping[str, Sequence[str]]) -> None:
    """Replace who may read and write. Owner only."""
    containers.require_owner(caller, account)
    where = containers.lock(account, container)
    item = find(where, name)
    if item is None or item.current is None:
        raise NotFound("Object does not exist.")
    Permission.objects.filter(object=item).delete()
    Permission.objects.bulk_create([Permission(object=item, kind=kind, holder=holder)
                                    for kind, holders in permissions.items() for holder in dict.fromkeys(holders)])


def permissions_of(item: StoredObject) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, holder in Permission.objects.filter(object=item).order_by("pk").values_list("kind", "holder"):
        found.setdefault(kind, []).append(holder)
    return found


# Listings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listing:
    """What a listing asks for. `end_marker` is exclusive, as `marker`."""

    prefix: str = ""
    delimiter: str = ""
    marker: str = ""
    end_marker: str = ""
    limit: int = 10000
    with_virtual: bool = True


def list_objects(caller: Caller, container: Container, asked: Listing) -> list[StoredObject | str]:
    """Objects, and virtual folder names as strings, by name. With a delimiter the names below one folder are skipped, not read."""
    found: list[StoredObject | str] = []
    for entry in _entries(caller, container, asked):
        if isinstance(entry, str) and not asked.with_virtual:
            continue
        found.append(entry)
        if len(found) >= asked.limit:
            break
    return found


def _entries(caller: Caller, container: Container, asked: Listing) -> Iterator[StoredObject | str]:
    rows = StoredObject.objects.filter(container=container, current__isnull=False).select_related("current").order_by("name")
    if caller.user_id != container.account:
        readable = Permission.objects.filter(object__container=container, holder__in=(caller.user_id, "*")).values("object")
        rows = rows.filter(pk__in=readable)
    if asked.prefix:
        rows = rows.filter(name__startswith=asked.prefix)
    if asked.end_marker:
        rows = rows.filter(name__lt=asked.end_marker)
    after = Q(name__gt=asked.marker) if asked.marker else Q()
    while True:
        page = list(rows.filter(after)[: min(asked.limit, 1000) + 1])
        if not page:
            return
        after = Q(name__gt=page[-1].name)
        for item in page:
            folder = _folder_of(item.name, asked)
            if folder is None:
                yield item
                continue
            if not asked.marker.startswith(folder):
                yield folder
            # The last name that can begin with the folder's: the next page starts behind it.
            after = Q(name__gt=folder + chr(0x10FFFF))
            break


def _folder_of(name: str, asked: Listing) -> str | None:
    """The virtual folder that stands for the name, or None when the object itself is shown."""
    if not asked.delimiter:
        return None
    position = name.find(asked.delimiter, len(asked.prefix))
    end = position + len(asked.delimiter)
    return None if position < 0 or end == len(name) else name[:end]
