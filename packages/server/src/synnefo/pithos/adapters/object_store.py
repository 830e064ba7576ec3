"""What the image service sees of the object store. Implements `synnefo.common.ports.ObjectStore`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Prefetch, Q

from synnefo.common.errors import Forbidden, NotFound
from synnefo.common.ports import Caller
from synnefo.common.ports import StoredObject as ObjectView
from synnefo.pithos.models import Attribute, Permission, StoredObject, Version
from synnefo.pithos.services import blocks, objects
from synnefo.pithos.services.objects import Draft

CHUNK = 200


class DirectObjectStore:
    """In the same process and database."""

    def get_object(self, caller: Caller, account: str, container: str, name: str, *, domain: str) -> ObjectView:
        try:
            item, version = objects.get(caller, account, container, name)
        except Forbidden as error:
            raise NotFound("Object does not exist.") from error
        return _view(caller, item, version, domain)

    def get_object_by_uuid(self, caller: Caller, uuid: str, *, domain: str, version: int | None = None,
                           check_permissions: bool = True) -> ObjectView:
        item = StoredObject.objects.select_related("current", "container").filter(uuid=uuid).first()
        if item is None or (check_permissions and not objects.can(caller, item, Permission.READ)):
            raise NotFound("Object does not exist.")
        found = item.current if version is None else Version.objects.filter(pk=version, object=item, is_deletion=False).first()
        if found is None:
            raise NotFound("Object does not exist.")
        return _view(caller, item, found, domain)

    def list_objects_in_domain(self, caller: Caller, *, domain: str) -> Iterator[ObjectView]:
        readable = Permission.objects.filter(holder__in=(caller.user_id, "*")).values("object")
        rows = (StoredObject.objects.filter(Q(container__account=caller.user_id) | Q(pk__in=readable),
                                            current__attributes__domain=domain).distinct()
                .select_related("current", "container")
                .prefetch_related("permissions", Prefetch("current__attributes", Attribute.objects.filter(domain=domain))))
        for item in rows.order_by("pk").iterator(chunk_size=CHUNK):
            assert item.current is not None
            meta = {attribute.key: attribute.value for attribute in item.current.attributes.all()}
            permissions: dict[str, list[str]] = {}
            for permission in item.permissions.all():
                permissions.setdefault(permission.kind, []).append(permission.holder)
            yield _made(caller, item, item.current, meta, permissions)

    def update_meta(self, caller: Caller, account: str, container: str, name: str, *, domain: str, meta: Mapping[str, str | None],
                    replace: bool = False) -> ObjectView:
        changes = {key: value or "" for key, value in meta.items()}
        objects.write(caller, account, container, name, Draft(meta=changes, merge=not replace, domain=domain))
        return self.get_object(caller, account, container, name, domain=domain)

    def set_readers(self, caller: Caller, account: str, container: str, name: str, readers: Sequence[str]) -> None:
        item, _ = objects.get(caller, account, container, name)
        kept = objects.permissions_of(item).get(Permission.WRITE, [])
        objects.set_permissions(caller, account, container, name, {Permission.READ: readers, Permission.WRITE: kept})

    def read(self, mapfile: str, size_bytes: int) -> Iterator[bytes]:
        return blocks.read_range(self.read_block_hashes(mapfile, size_bytes), size_bytes, 0, size_bytes)

    def read_block_hashes(self, mapfile: str, size_bytes: int) -> Sequence[str]:
        return blocks.store().get_map(mapfile) if mapfile else []


def _view(caller: Caller, item: StoredObject, version: Version, domain: str) -> ObjectView:
    return _made(caller, item, version, objects.meta_of(version, domain), objects.permissions_of(item))


def _made(caller: Caller, item: StoredObject, version: Version, meta: Mapping[str, str], permissions: Mapping[str, Sequence[str]]) -> ObjectView:
    is_owner = caller.user_id == item.container.account
    return ObjectView(
        uuid=item.uuid, account=item.container.account, container=item.container.name, name=item.name, version=version.pk,
        size_bytes=version.bytes, mapfile=version.mapfile, content_type=version.content_type, modified_at=version.created_at,
        created_at=version.created_at, is_public="*" in permissions.get(Permission.READ, ()), meta=meta,
        permissions={kind: tuple(holders) for kind, holders in permissions.items()} if is_owner else {})
