"""Accounts and containers: their metadata, policies and sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.models import Account, Container, Permission, StoredObject, Version
from synnefo.pithos.services import charges, names
from synnefo.pithos.services.charges import ChangedMeanwhile

MAX_META = 32
BATCH = 500


@dataclass(frozen=True, slots=True)
class Policy:
    """What a request wants of a container's policies; None leaves one as it is (or at its default when new)."""

    versioning: str | None = None
    quota_bytes: int | None = None
    project_id: str | None = None


def require_owner(caller: Caller, account: str) -> None:
    """Raises `Forbidden`."""
    if caller.user_id != account:
        raise Forbidden("You may not do this in another user's account.")


def get_account(account: str) -> Account:
    """The account's row, not stored when there is none."""
    return Account.objects.filter(pk=account).first() or Account(name=account)


@transactional()
def update_account(caller: Caller, account: str, *, meta: Mapping[str, str], merge: bool) -> None:
    """Set metadata (all of it, unless `merge`; an empty value removes a key). Raises `Forbidden`, `InvalidInput`."""
    require_owner(caller, account)
    Account.objects.get_or_create(name=account)
    row = Account.objects.select_for_update().get(name=account)
    row.meta = merge_meta(row.meta if merge else {}, meta)
    row.updated_at = timezone.now()
    row.save()


def find(account: str, name: str) -> Container | None:
    return Container.objects.filter(account=account, name=name).first()


def access(caller: Caller, account: str, name: str) -> Container:
    """The container, for its owner or somebody who may read an object in it. Raises `NotFound`, `Forbidden`."""
    found = find(account, name)
    if caller.user_id == account:
        if found is None:
            raise NotFound("Container does not exist.")
        return found
    if found is None or not Permission.objects.filter(object__container=found, holder__in=(caller.user_id, "*")).exists():
        raise Forbidden("You may not read this container.")
    return found


def get_own(caller: Caller, account: str, name: str) -> Container:
    """The container, for its owner only. Raises `NotFound`, `Forbidden`."""
    require_owner(caller, account)
    return access(caller, account, name)


def lock(account: str, name: str) -> Container:
    """The container's row, locked: writes into one container come one after another. Raises `NotFound`."""
    found = Container.objects.select_for_update().filter(account=account, name=name).first()
    if found is None:
        raise NotFound("Container does not exist.")
    return found


def lock_unmoved(where: Container) -> Container:
    """Lock the container as `lock` does. Raises `ChangedMeanwhile` when it is another one now, or another project pays for it."""
    row = lock(where.account, where.name)
    if (row.pk, row.project_id, row.versioning) != (where.pk, where.project_id, where.versioning):
        raise ChangedMeanwhile("The container was changed meanwhile. Try again.")
    return row


def charged_bytes(container: Container) -> int:
    """What the container's project pays for: the current objects, and the history where history is not free."""
    if conf.PITHOS_BACKEND_FREE_VERSIONING:
        return container.bytes_used
    # Versions that differ in metadata only share their map, and are stored once.
    maps = Version.objects.filter(object__container=container).exclude(mapfile="").order_by().values("mapfile", "bytes").distinct()
    return sum(row["bytes"] for row in maps.iterator())


def count_bytes(account: str) -> tuple[int, int, int]:
    """(containers, objects, bytes) of an account."""
    sums = Container.objects.filter(account=account).aggregate(n=Count("id"), objects=Sum("objects_count"), total=Sum("bytes_used"))
    return sums["n"], sums["objects"] or 0, sums["total"] or 0


def list_containers(caller: Caller, account: str, *, prefix: str = "", marker: str = "", end_marker: str = "", limit: int) -> list[Container]:
    """Containers after the marker, by name. Others see only those with an object that they may read. One query."""
    rows = Container.objects.filter(names.within(prefix), account=account, name__gt=marker)
    if end_marker:
        rows = rows.filter(name__lt=end_marker)
    if caller.user_id != account:
        readable = Permission.objects.filter(object__container=OuterRef("pk"), holder__in=(caller.user_id, "*"))
        rows = rows.filter(Exists(readable))
    return list(rows.order_by("name")[:limit])


def put(caller: Caller, account: str, name: str, *, meta: Mapping[str, str], policy: Policy) -> bool:
    """Create a container, or merge metadata and policies into it. Returns whether it is new. Raises `Forbidden`, `InvalidInput`, `QuotaExceeded`."""
    require_owner(caller, account)
    names.parse_container(name)
    _check_policy(caller, policy)
    created = _create(account, name, merge_meta({}, meta), policy)
    if not created:
        update(caller, account, name, meta=meta, policy=policy, merge=True)
    return created


def _check_policy(caller: Caller, policy: Policy) -> None:
    if policy.versioning not in {None, "auto", "none"}:
        raise InvalidInput("Versioning is auto or none.")
    if policy.quota_bytes is not None and not 0 <= policy.quota_bytes < 2**63:
        raise InvalidInput("A container's quota is a number of bytes; 0 is no limit.")
    if policy.project_id is not None and policy.project_id not in caller.project_ids:
        raise Forbidden("You are not a member of that project.")


@transactional()
def _create(account: str, name: str, meta: dict[str, str], policy: Policy) -> bool:
    # A new container is paid by the account's own project, whatever the token's.
    defaults = {"project_id": policy.project_id or account, "versioning": policy.versioning or conf.PITHOS_BACKEND_VERSIONING,
                "quota_bytes": policy.quota_bytes if policy.quota_bytes is not None else conf.PITHOS_BACKEND_CONTAINER_QUOTA, "meta": meta}
    _, created = Container.objects.get_or_create(account=account, name=name, defaults=defaults)
    return created


def update(caller: Caller, account: str, name: str, *, meta: Mapping[str, str], policy: Policy, merge: bool) -> None:
    """Set metadata (all of it, unless `merge`; an empty value removes a key) and policies. A new project takes over the whole usage.

    Raises `NotFound`, `Forbidden`, `InvalidInput`, `QuotaExceeded`, `StateConflict`. Not inside a transaction.
    """
    _check_policy(caller, policy)
    charges.retrying(lambda: _update(caller, account, name, meta, policy, merge=merge))


def _update(caller: Caller, account: str, name: str, meta: Mapping[str, str], policy: Policy, *, merge: bool) -> None:
    container = get_own(caller, account, name)
    deltas: dict[str, int] = {}
    if policy.project_id is not None and policy.project_id != container.project_id:
        total = charged_bytes(container)
        deltas = {container.project_id: -total, policy.project_id: total}

    @transactional()
    def write(serial: Serial | None) -> None:
        row = lock(account, name)
        if deltas and (row.project_id != container.project_id or row.bytes_used != container.bytes_used):
            raise ChangedMeanwhile("The container was changed meanwhile. Try again.")
        row.meta = merge_meta(row.meta if merge else {}, meta) if meta or not merge else row.meta
        row.versioning = policy.versioning or row.versioning
        row.quota_bytes = row.quota_bytes if policy.quota_bytes is None else policy.quota_bytes
        row.project_id = policy.project_id or row.project_id
        row.updated_at = timezone.now()
        row.save()
        charges.record(serial)

    charges.charged(account, deltas, f"{account}/{name}", write)


def merge_meta(known: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Changes over what is known; an empty value removes the key. Raises `InvalidInput` over the limit."""
    merged = {key: value for key, value in {**known, **changes}.items() if value}
    if len(merged) > MAX_META:
        raise InvalidInput(f"At most {MAX_META} metadata items.")
    return merged


def delete(caller: Caller, account: str, name: str) -> None:
    """Delete a container that has no current object, with all history. Raises `StateConflict`. Not inside a transaction."""
    charges.retrying(lambda: _delete(caller, account, name))


def _delete(caller: Caller, account: str, name: str) -> None:
    container = get_own(caller, account, name)
    history = charged_bytes(container)

    @transactional()
    def write(serial: Serial | None) -> None:
        row = lock_unmoved(container)
        if row.objects_count:
            raise StateConflict("The container is not empty.")
        if charged_bytes(row) != history:
            raise ChangedMeanwhile("The container was changed meanwhile. Try again.")
        purge_objects(StoredObject.objects.filter(container=row))
        row.delete()
        charges.record(serial)

    if container.objects_count:
        raise StateConflict("The container is not empty.")
    charges.charged(account, {container.project_id: -history}, f"{account}/{name}", write)


def purge_objects(rows: QuerySet[StoredObject]) -> None:
    """Remove objects with all their versions, in batches. In the caller's transaction."""
    while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
        StoredObject.objects.filter(pk__in=keys).update(current=None)
        Version.objects.filter(object__in=keys).delete()
        StoredObject.objects.filter(pk__in=keys).delete()


def empty(caller: Caller, account: str, name: str) -> int:
    """Delete every current object; history stays where versions are kept. Returns how many. Not inside a transaction."""
    return charges.retrying(lambda: _empty(caller, account, name))


def _empty(caller: Caller, account: str, name: str) -> int:
    container = get_own(caller, account, name)
    is_free = container.versioning == "none" or conf.PITHOS_BACKEND_FREE_VERSIONING

    @transactional()
    def write(serial: Serial | None) -> int:
        row = lock_unmoved(container)
        if row.bytes_used != container.bytes_used:
            raise ChangedMeanwhile("The container was changed meanwhile. Try again.")
        count = row.objects_count
        current = StoredObject.objects.filter(container=row, current__isnull=False)
        if row.versioning == "none":
            purge_objects(current)
        else:
            _mark_deleted(caller, current)
        row.objects_count = row.bytes_used = 0
        row.updated_at = timezone.now()
        row.save(update_fields=["updated_at", "objects_count", "bytes_used"])
        charges.record(serial)
        return count

    return charges.charged(account, {container.project_id: -container.bytes_used if is_free else 0}, f"{account}/{name}/", write)


def _mark_deleted(caller: Caller, current: QuerySet[StoredObject]) -> None:
    while batch := list(current[:BATCH]):
        bury(caller, batch)


def bury(caller: Caller, items: Iterable[StoredObject]) -> None:
    """Give each object a version that says when it was deleted. In the caller's transaction, under the container's lock."""
    batch = list(items)
    keys = [item.pk for item in batch]
    Version.objects.bulk_create([Version(object=item, hash="", modified_by=caller.user_id, is_deletion=True) for item in batch])
    StoredObject.objects.filter(pk__in=keys).update(current=None, bytes=0)
    Permission.objects.filter(object__in=keys).delete()
