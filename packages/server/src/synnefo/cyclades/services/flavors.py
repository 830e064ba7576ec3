"""Flavors and volume types: what users may choose, and what operators offer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound
from synnefo.common.ports import Caller
from synnefo.cyclades.models import Flavor, FlavorAccess, Server, VolumeType


def visible_flavors(caller: Caller) -> QuerySet[Flavor]:
    """Flavors that are public, or given to one of the caller's projects."""
    given = FlavorAccess.objects.filter(flavor=OuterRef("pk"), project_id__in=caller.project_ids)
    return Flavor.objects.filter(Q(public=True) | Exists(given), deleted=False).select_related("volume_type")


def get_flavor(caller: Caller, text: str) -> Flavor:
    """By number; deleted ones too, and those that are not public where a server of the caller has them. Raises `NotFound`."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise NotFound("Flavor not found.")
    given = FlavorAccess.objects.filter(flavor=OuterRef("pk"), project_id__in=caller.project_ids)
    had = Server.objects.filter(flavor=OuterRef("pk"), user_id=caller.user_id, deleted=False)
    rows = Flavor.objects.filter(Q(public=True) | Exists(given) | Exists(had), pk=int(text))
    found = rows.select_related("volume_type").first()
    if found is None:
        raise NotFound("Flavor not found.")
    return found


def flavor_for_server(caller: Caller, text: str, *, project_id: str) -> Flavor:
    """A flavor from which the project may make servers now. Raises `NotFound`, `Forbidden`."""
    found = get_flavor(caller, text)
    if found.deleted:
        raise NotFound("Flavor not found.")
    if not found.public and not FlavorAccess.objects.filter(flavor=found, project_id=project_id).exists():
        raise Forbidden("The project may not use this flavor.")
    if not found.allow_create:
        raise Forbidden("This flavor is not offered for new servers at the moment.")
    return found


def volume_type_of(text: str) -> VolumeType:
    """By number or disk template; a plain template is made when it is new. In the caller's transaction."""
    if text.isdigit():
        found = VolumeType.objects.filter(pk=int(text), deleted=False).first()
        if found is None:
            raise NotFound(f"Volume type {text} does not exist.")
        return found
    found = VolumeType.objects.filter(disk_template=text, deleted=False).first()
    return found or VolumeType.objects.create(name=text, disk_template=text)


@transactional()
def create_flavors(cpus: Sequence[int], rams: Sequence[int], disks: Sequence[int], templates: Iterable[str], *, public: bool = True) -> list[Flavor]:
    """Every combination; those that exist are left, those that were deleted come back. Raises `InvalidInput`."""
    if any(value <= 0 for value in (*cpus, *rams, *disks)):
        raise InvalidInput("CPUs, memory and disk are positive numbers.")
    found = []
    types = [volume_type_of(template) for template in templates]
    for cpu, ram, disk, volume_type in itertools.product(cpus, rams, disks, types):
        flavor, created = Flavor.objects.get_or_create(cpu=cpu, ram=ram, disk=disk, volume_type=volume_type, defaults={"public": public})
        if not created and flavor.deleted:
            flavor.deleted = False
            flavor.save(update_fields=["deleted"])
        found.append(flavor)
    return found
