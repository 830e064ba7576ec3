"""Containers: their policies, sums, and the access rules of an account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Sum
from django.utils import timezone

from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import Serial
from synnefo.common.ports import Caller
from synnefo.common.settings import conf
from synnefo.pithos.models import Container, Permission, StoredObject, Version
from synnefo.pithos.services import charges

MAX_NAME = 256
MAX_META = 64
BATCH = 500


@dataclass(frozen=True, slots=True)
class Usage:
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What a request wants of a container's policies; None leaves one as it is (or at its default when new)."""

    versioning: str | None = None
    quota_bytes: int | None = None
    project_id: str | None = None


def parse_name(name: str) -> str:
    """Raises `InvalidInput`."""
    if not 0 < len(name) <= MAX_NAME or "/" in name or "\0" in name:
        raise InvalidInput(f"A container name has 1 to {MAX_NAME} characters and no slash.")
    return name


def require_owner(caller: Caller, account: str) -> None:
    """Raises `Forbidden`."""
    if caller.user_id != account:
        raise Forbidden("You may not do this in another user's account.")


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


def lock(account: str, name: str) -> Container:
    """The container's row, locked: writes into one container come one after another. Raises `NotFound`."""
    found = Container.objects.select_for_update().filter(account=account, name=name).first()
    if found is None:
        raise NotFound("Container does not exist.")
    return found


def usage_of(container: Container) -> Usage:
    sums = StoredObject.objects.filter(container=container, current__isnull=False).aggregate(n=Count("id"), total=Sum("bytes"))
    return Usage(sums["n"], sums["total"] or 0)


def usage_of_account(account: str) -> tuple[int, Usage]:
    """(containers, usage of all)."""
    sums = StoredObject.objects.filter(container__account=account, current__isnull=False).aggregate(n=Count("id"), total=Sum("bytes"))
    return Container.objects.filter(account=account).count(), Usage(sums["n"], sums["total"] or 0)


def list_containers(caller: Caller, account: str, *, marker: str, limit: int) -> list[tuple[Container, Usage]]:
    """Containers after the marker, by name, with their sums. Others see only those with an object that they may read. Two queries."""
    rows = Container.objects.filter(account=account, name__gt=marker)
    if caller.user_id != account:
        readable = Permission.objects.filter(object__container=OuterRef("pk"), holder__in=(caller.user_id, "*"))
        rows = rows.filter(Exists(readable))
    found = list(rows.order_by("name")[:limit])
    sums = StoredObject.objects.filter(container__in=found, current__isnull=False).values("container").annotate(n=Count("id"), total=Sum("bytes"))
    usages = {row["container"]: Usage(row["n"], row["total"] or 0) for row in sums.order_by()}
    return [(item, usages.get(item.pk, Usage(0, 0))) for item in found]


def put(caller: Caller, account: str, name: str, *, meta: Mapping[str, str], policy: Policy) -> bool:
    """Create a container, or merge metadata and policies into it. Returns whether it is new. Raises `Forbidden`, `InvalidInput`, `QuotaExceeded`."""
    require_owner(caller, account)
    parse_name(name)
    _check_policy(caller, policy)
    created = _create(caller, account, name, dict(meta), policy)
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
def _create(caller: Caller, account: str, name: str, meta: dict[str, str], policy: Policy) -> bool:
    # A new container is paid by the account's own project, whatever the token's.
    defaults = {"project_id": policy.project_id or account, "versioning": policy.versioning or conf.PITHOS_BACKEND_VERSIONING,
                "quota_bytes": policy.quota_bytes if policy.quota_bytes is not None else conf.PITHOS_BACKEND_CONTAINER_QUOTA, "meta": meta}
    _, created = Container.objects.get_or_create(account=account, name=name, defaults=defaults)
    return created


def update(caller: Caller, account: str, name: str, *, meta: Mapping[str, str], policy: Policy, merge: bool) -> None:
    """Set metadata (all of it, unless `merge`; an empty value removes a key) and policies. A new project takes over the whole usage."""
    require_owner(caller, account)
    _check_policy(caller, policy)
    container = find(account, name)
    if container is None:
        raise NotFound("Container does not exist.")
    deltas: dict[str, int] = {}
    if policy.project_id is not None and policy.project_id != container.project_id:
        total = usage_of(container).bytes
        deltas = {container.project_id: -total, policy.project_id: total}

    @transactional()
    def write(serial: Serial | None) -> None:
        row = lock(account, name)
        if row.project_id != container.project_id:
            raise StateConflict("The container's project was changed meanwhile. Try again.")
        row.meta = merge_meta(row.meta if merge else {}, meta)
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


@transactional()
def delete(caller: Caller, account: str, name: str) -> None:
    """Delete a container that has no current object, with all history. Raises `StateConflict`."""
    require_owner(caller, account)
    container = lock(account, name)
    if StoredObject.objects.filter(container=container, current__isnull=False).exists():
        raise StateConflict("The container is not empty.")
    purge_objects(StoredObject.objects.filter(container=container).values_list("pk", flat=True))
    container.delete()


def purge_objects(keys: Iterable[int]) -> None:
    """Remove objects with all their versions, in batches. In the caller's transaction."""
    wanted = list(keys)
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        StoredObject.objects.filter(pk__in=batch).update(current=None)
        Version.objects.filter(object__in=batch).delete()
        StoredObject.objects.filter(pk__in=batch).delete()


def empty(caller: Caller, account: str, name: str) -> int:
    """Delete every current object; history stays where versions are kept. Returns how many."""
    require_owner(caller, account)
    container = find(account, name)
    if container is None:
        raise NotFound("Container does not exist.")
    total = usage_of(container).bytes

    @transactional()
    def write(serial: Serial | None) -> int:
        row = lock(account, name)
        if usage_of(row).bytes != total:
            raise AlreadyExists("The container changed meanwhile. Try again.")
        objects = list(StoredObject.objects.filter(container=row, current__isnull=False))
        now = timezone.now()
        for start in range(0, len(objects), BATCH):
            batch = objects[start : start + BATCH]
            if row.versioning == "none":
                purge_objects([item.pk for item in batch])
                continue
            Version.objects.bulk_create([Version(object=item, hash="", modified_by=caller.user_id, is_deletion=True, created_at=now) for item in batch])
            StoredObject.objects.filter(pk__in=[item.pk for item in batch]).update(current=None, bytes=0)
            Permission.objects.filter(object__in=batch).delete()
        row.updated_at = now
        row.save(update_fields=["updated_at"])
        charges.record(serial)
        return len(objects)

    return charges.charged(account, {container.project_id: -total}, f"{account}/{name}", write)
