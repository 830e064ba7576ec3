"""What there is to enforce the limit of stored bytes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from django.db.models import Exists, OuterRef

from synnefo.common.ids import ProjectID
from synnefo.common.ports import quota
from synnefo.common.settings import conf
from synnefo.pithos.enforcement.plan import Holding, Item, Kind
from synnefo.pithos.models import Attribute, Container, Permission, StoredObject, Version
from synnefo.pithos.services.charges import DISKSPACE

IMAGES = "plankton"
"""Domain of the attributes that make an object an image or a snapshot."""
EVERYBODY = "*"


def holdings(has_user: Callable[[str], bool], has_project: Callable[[str], bool], projects: Collection[str] | None) -> list[Holding]:
    """Counters of projects and of members. One question to the ledger."""
    asked = None if projects is None else [ProjectID(uuid) for uuid in sorted(projects)]
    totals: dict[str, Holding] = {}
    members = []
    for user, sources in quota("pithos").usages(project_ids=asked).items():
        for project, resources in sources.items():
            usage = resources.get(DISKSPACE)
            if usage is None or not has_project(project):
                continue
            totals[project] = Holding(project, "", usage.project_limit, usage.project_usage, usage.project_pending)
            if has_user(user):
                members.append(Holding(user, project, usage.limit, usage.usage, usage.pending))
    return [*totals.values(), *members]


def items(counters: Collection[Holding]) -> Iterator[Item]:
    """Objects and charged history of the projects that are over their limit. Two queries, and one a container with charged history."""
    over = {holding.source or holding.holder for holding in counters if holding.usage > holding.limit}
    shared = Permission.objects.filter(object=OuterRef("pk"), holder=EVERYBODY)
    image = Attribute.objects.filter(version=OuterRef("current"), domain=IMAGES)
    rows = StoredObject.objects.filter(container__project_id__in=over, current__isnull=False).select_related("container", "current")
    for row in rows.annotate(is_open=Exists(shared), is_image=Exists(image)).iterator(chunk_size=2000):
        version = row.current
        assert version is not None
        yield Item(Kind.OBJECT, row.container.account, row.container.name, row.container.project_id, row.name, version.bytes, version.created_at,
                   version.pk, is_shared=row.is_open or row.is_image)
    if not conf.PITHOS_BACKEND_FREE_VERSIONING:
        for container in Container.objects.filter(project_id__in=over):
            yield from _history(container)


def _history(container: Container) -> Iterator[Item]:
    """Contents that no current object of the container has. Versions with the same contents are stored and paid for once."""
    kept = StoredObject.objects.filter(container=container, current__isnull=False).values("current__mapfile")
    seen: set[str] = set()
    old = Version.objects.filter(object__container=container).exclude(mapfile="").exclude(mapfile__in=kept)
    for version in old.select_related("object").order_by("pk").iterator(chunk_size=2000):
        if version.mapfile not in seen:
            seen.add(version.mapfile)
            yield Item(Kind.HISTORY, container.account, container.name, container.project_id, version.object.name, version.bytes,
                       version.created_at, version.pk, version.mapfile)
