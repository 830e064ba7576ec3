"""Objects: reading, writing whole new versions, metadata, deletion. Every write makes one new version under the container's lock."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, QuotaExceeded
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.hashing import EMPTY, block_count, root_hash
from synnefo.pithos.models import Attribute, Container, Permission, StoredObject, Version
from synnefo.pithos.services import blocks, charges, containers, names
from synnefo.pithos.services.charges import ChangedMeanwhile

DOMAIN = "pithos"
MAX_SIZE = 2**50

type_check = Callable[[StoredObject | None], None]


def anything(_: StoredObject | None) -> None:
    """A check that accepts every state."""


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
    origin: Version | None = None
    """The version whose metadata of all domains the new one starts with; by default the object's current version."""
    permissions: Mapping[str, Sequence[str]] | None = None
    """Who else may read and write, {kind: holders}; None leaves it. Owner only."""
    check: type_check = field(default=anything)
    """Called under the lock with the object as it is; raises to refuse (conditions of the request)."""


def find(container: Container, name: str) -> StoredObject | None:
    return StoredObject.objects.select_related("current", "container").filter(container=container, name=name).first()


def current(item: StoredObject | None) -> StoredObject | None:
    """The object if it exists now, None when only its history is left."""
    return item if item is not None and item.current is not None else None


def can(caller: Caller, item: StoredObject, kind: str) -> bool:
    """Whether the caller may read or write the object. Who may write may read."""
    if caller.user_id == item.container.account:
        return True
    kinds = [Permission.WRITE] if kind == Permission.WRITE else [Permission.READ, Permission.WRITE]
    return Permission.objects.filter(object=item, kind__in=kinds, holder__in=(caller.user_id, "*")).exists()


def get_any(caller: Caller, account: str, container: str, name: str) -> StoredObject:
    """An object that exists or did. Raises `NotFound`, and `Forbidden` for others, who must not learn what exists."""
    where = containers.find(account, container)
    item = find(where, name) if where is not None else None
    if item is None or not can(caller, item, Permission.READ):
        raise NotFound("Object does not exist.") if caller.user_id == account else Forbidden("You may not read this object.")
    return item


def get(caller: Caller, account: str, container: str, name: str, *, version: int | None = None) -> tuple[StoredObject, Version]:
    """An object and the version asked for (the current one by default). Raises `NotFound`, `Forbidden`."""
    item = get_any(caller, account, container, name)
    if version is not None:
        found = Version.objects.filter(pk=version, object=item, is_deletion=False).first() if version < 2**63 else None
        if found is None:
            raise NotFound("Version does not exist.")
        return item, found
    if item.current is None:
        raise NotFound("Object does not exist.")
    return item, item.current


def hashes_of(version: Version) -> list[str]:
    """Block names of a version, none for an empty one."""
    return blocks.store().get_map(version.mapfile) if version.mapfile else []


def meta_of(version: Version, domain: str = DOMAIN) -> dict[str, str]:
    return dict(Attribute.objects.filter(version=version, domain=domain).order_by("key").values_list("key", "value"))


def versions_of(caller: Caller, account: str, container: str, name: str) -> list[Version]:
    """Oldest first, deletions left out. Raises `NotFound`, `Forbidden`."""
    return list(Version.objects.filter(object=get_any(caller, account, container, name), is_deletion=False).order_by("pk"))


def writable_container(caller: Caller, account: str, container: str, name: str) -> tuple[Container, StoredObject | None]:
    """The container and the object in it that the caller may write. Raises `NotFound`, `Forbidden`."""
    where = containers.find(account, container)
    if where is None:
        raise NotFound("Container does not exist.") if caller.user_id == account else Forbidden("You may not write here.")
    item = find(where, name)
    require_writable(caller, account, item)
    return where, item


def require_writable(caller: Caller, account: str, item: StoredObject | None) -> None:
    """Others may replace an object that they may write, but not make new ones. Raises `Forbidden`."""
    if caller.user_id != account and (item is None or not can(caller, item, Permission.WRITE)):
        raise Forbidden("You may not write this object.")


def write(caller: Caller, account: str, container: str, name: str, draft: Draft) -> Version:
    """Make the draft the object's new version. Blocks are stored already. Not inside a transaction.

    Raises `NotFound` (container), `Forbidden`, `QuotaExceeded`, `InvalidInput`, and what `draft.check` raises; then nothing has changed.
    """
    names.parse_object(name)
    mapfile = ""

    def attempt() -> Version:
        nonlocal mapfile
        where, item = writable_container(caller, account, container, name)
        draft.check(current(item))
        if draft.hashes is None and current(item) is None:
            raise NotFound("Object does not exist.")
        old = item.bytes if item is not None else 0
        _check_container_quota(where, old if draft.hashes is None else draft.size, old)
        if draft.hashes and not mapfile:
            mapfile = blocks.new_map(draft.hashes)

        @transactional()
        def commit(serial: Serial | None) -> Version:
            row = containers.lock_unmoved(where)
            version = write_locked(caller, row, name, draft, mapfile, old)
            charges.record(serial)
            return version

        delta = charge_for(where, draft, old)
        return charges.charged(account, {where.project_id: delta}, f"{account}/{container}/{name}", commit)

    try:
        return charges.retrying(attempt)
    except BaseException:
        if mapfile and not Version.objects.filter(mapfile=mapfile).exists():
            blocks.store().delete_map(mapfile)
        raise


def charge_for(where: Container, draft: Draft, old: int) -> int:
    """Bytes by which a write changes what the container's project pays for."""
    if draft.hashes is None:
        return 0
    keeps_charging = where.versioning == "auto" and not conf.PITHOS_BACKEND_FREE_VERSIONING
    return draft.size if keeps_charging else draft.size - old


def _check_container_quota(where: Container, size: int, old: int) -> None:
    if where.quota_bytes and size > old and where.bytes_used + size - old > where.quota_bytes:
        raise QuotaExceeded(f"The container's own limit of {where.quota_bytes} bytes would be passed; it holds {where.bytes_used}.")


def write_locked(caller: Caller, where: Container, name: str, draft: Draft, mapfile: str, old: int) -> Version:
    """The part of `write` inside the transaction that holds the container's lock. `old` is the size that was charged against."""
    item = find(where, name)
    require_writable(caller, where.account, item)
    draft.check(current(item))
    if (item.bytes if item is not None else 0) != old:
        raise ChangedMeanwhile("The object was changed meanwhile. Try again.")
    if item is None:
        item = StoredObject.objects.create(container=where, name=name)
    before = item.current
    if before is None:
        if draft.hashes is None:
            raise NotFound("Object does not exist.")
        where.objects_count += 1
    version = _new_version(caller, item, before, draft, mapfile)
    _check_container_quota(where, version.bytes, old)
    _carry_attributes(draft.origin or before, version, draft)
    if draft.hashes is not None:
        blocks.record_use(where.account, draft.hashes)
    item.current, item.bytes = version, version.bytes
    item.save(update_fields=["current", "bytes"])
    if where.versioning == "none" and before is not None:
        before.delete()
    if draft.permissions is not None:
        containers.require_owner(caller, where.account)
        _replace_permissions(item, draft.permissions)
    where.bytes_used += version.bytes - old
    where.updated_at = version.created_at
    where.save(update_fields=["updated_at", "objects_count", "bytes_used"])
    return version


def _new_version(caller: Caller, item: StoredObject, before: Version | None, draft: Draft, mapfile: str) -> Version:
    base = before or Version(content_type="application/octet-stream", hash=EMPTY)
    keeps_content = draft.hashes is None
    return Version.objects.create(
        object=item, bytes=base.bytes if keeps_content else draft.size, hash=base.hash if keeps_content else root_hash(draft.hashes or []),
        mapfile=base.mapfile if keeps_content else mapfile, etag=base.etag if keeps_content else draft.etag,
        content_type=_kept(draft.content_type, base.content_type), content_encoding=_kept(draft.content_encoding, base.content_encoding),
        content_disposition=_kept(draft.content_disposition, base.content_disposition), manifest=_kept(draft.manifest, base.manifest),
        modified_by=caller.user_id, created_at=_later_than(item))


def _later_than(item: StoredObject) -> datetime.datetime:
    """Now, but behind the object's last version even when the clock went back."""
    last = Version.objects.filter(object=item).order_by("-pk").values_list("created_at", flat=True).first()
    now = timezone.now()
    return now if last is None else max(now, last + datetime.timedelta(microseconds=1))


def _kept(new: str | None, old: str) -> str:
    return old if new is None else new


def _carry_attributes(origin: Version | None, version: Version, draft: Draft) -> None:
    """Metadata of other domains goes with the object; that of the draft's domain is replaced or merged."""
    carried = list(Attribute.objects.filter(version=origin)) if origin is not None else []
    own = {item.key: item.value for item in carried if item.domain == draft.domain}
    if draft.meta is not None:
        own = containers.merge_meta(own if draft.merge else {}, draft.meta)
    others = [Attribute(version=version, domain=item.domain, key=item.key, value=item.value) for item in carried if item.domain != draft.domain]
    Attribute.objects.bulk_create([*others, *(Attribute(version=version, domain=draft.domain, key=key, value=value) for key, value in own.items())])


def draft_from_hashes(hashes: Sequence[str], size: int, draft: Draft) -> Draft:
    """Complete a draft with blocks that are stored already; computes the MD5 of objects that are not too large for it.

    Raises `InvalidInput` for a list that does not fit the size.
    """
    check_hash_count(hashes, size)
    if size == 0:
        return replace(draft, hashes=[], size=0, etag=blocks.Content().etag)
    etag = ""
    if size <= conf.PITHOS_MD5_SYNC_MAX:
        content = blocks.Content()
        for data in blocks.read_range(hashes, size, 0, size):
            content.add(data, "")
        etag = content.etag
    return replace(draft, hashes=list(hashes), size=size, etag=etag)


def check_hash_count(hashes: Sequence[str], size: int) -> None:
    """Raises `InvalidInput` for a list of hashes that does not fit the size."""
    if not 0 <= size <= MAX_SIZE:
        raise InvalidInput("The size is not a sensible number of bytes.")
    if size == 0 and list(hashes) == [EMPTY]:
        return
    wanted = block_count(size, conf.PITHOS_BACKEND_BLOCK_SIZE)
    if len(hashes) != wanted:
        raise InvalidInput(f"{size} bytes need {wanted} block hashes, not {len(hashes)}.")


def delete(caller: Caller, account: str, container: str, name: str, *, check: type_check = anything) -> None:
    """Delete an object; its history stays where versions are kept. Owner only. Raises `NotFound`, `Forbidden`. Not inside a transaction."""
    containers.require_owner(caller, account)

    def attempt() -> None:
        where = containers.find(account, container)
        item = current(find(where, name)) if where is not None else None
        if where is None or item is None:
            raise NotFound("Object does not exist.")
        check(item)
        old = item.bytes

        @transactional()
        def commit(serial: Serial | None) -> None:
            delete_locked(caller, containers.lock_unmoved(where), name, old, check)
            charges.record(serial)

        charges.charged(account, {where.project_id: release_for(where, old)}, f"{account}/{container}/{name}", commit)

    charges.retrying(attempt)


def release_for(where: Container, size: int) -> int:
    """Bytes by which deleting an object changes what the container's project pays for."""
    is_released = where.versioning == "none" or conf.PITHOS_BACKEND_FREE_VERSIONING
    return -size if is_released else 0


def delete_locked(caller: Caller, where: Container, name: str, old: int, check: type_check = anything) -> None:
    """The part of `delete` inside the transaction that holds the container's lock."""
    item = current(find(where, name))
    if item is None:
        raise NotFound("Object does not exist.")
    check(item)
    if item.bytes != old:
        raise ChangedMeanwhile("The object was changed meanwhile. Try again.")
    if where.versioning == "none":
        containers.purge_objects(StoredObject.objects.filter(pk=item.pk))
    else:
        containers.bury(caller, [item])
    where.objects_count -= 1
    where.bytes_used -= old
    where.updated_at = timezone.now()
    where.save(update_fields=["updated_at", "objects_count", "bytes_used"])


@transactional()
def set_permissions(caller: Caller, account: str, container: str, name: str, permissions: Mapping[str, Sequence[str]]) -> None:
    """Replace who may read and write. Owner only. Raises `NotFound`, `Forbidden`."""
    containers.require_owner(caller, account)
    where = containers.lock(account, container)
    item = current(find(where, name))
    if item is None:
        raise NotFound("Object does not exist.")
    _replace_permissions(item, permissions)


def _replace_permissions(item: StoredObject, permissions: Mapping[str, Sequence[str]]) -> None:
    Permission.objects.filter(object=item).delete()
    Permission.objects.bulk_create([Permission(object=item, kind=kind, holder=holder)
                                    for kind, holders in permissions.items() for holder in dict.fromkeys(holders)])


def permissions_of(item: StoredObject) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for kind, holder in Permission.objects.filter(object=item).order_by("pk").values_list("kind", "holder"):
        found.setdefault(kind, []).append(holder)
    return found
