"""How resources are shown to people: names, headings and order. What is known of our own, with ASTAKOS_RESOURCES_META over it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from synnefo.common.settings import conf

_KNOWN = {
    "pithos.diskspace": ("Storage space", "storage"), "cyclades.disk": ("Disk", "compute"), "cyclades.total_cpu": ("CPUs", "compute"),
    "cyclades.cpu": ("CPUs in use", "compute"), "cyclades.total_ram": ("RAM", "compute"), "cyclades.ram": ("RAM in use", "compute"),
    "cyclades.vm": ("Machines", "compute"), "cyclades.network.private": ("Private networks", "network"),
    "cyclades.floating_ip": ("Floating IPs", "network"), "astakos.pending_app": ("Pending applications", "accounts"),
}
"""In the order in which people look for them."""
_GROUPS = {"storage": "Storage", "compute": "Compute", "network": "Network", "accounts": "Accounts"}


@dataclass(frozen=True, slots=True)
class ResourceText:
    """`order` sorts over all headings; unknown resources come last, by name, each under a heading of its own name."""

    name: str
    label: str
    heading: str
    help: str
    order: tuple[int, int, str]


def of(name: str) -> ResourceText:
    """The texts of one resource. `verbose_name`, `group`, `help_text` and `order` are what the setting may say of it."""
    label, group = _KNOWN.get(name, (name, name))
    said = conf.ASTAKOS_RESOURCES_META.get(name, {})
    group = str(said.get("group", group))
    groups, known = list(_GROUPS), list(_KNOWN)
    place = known.index(name) if name in _KNOWN else len(known)
    wanted = said.get("order")
    return ResourceText(
        name, str(said.get("verbose_name", label)), _GROUPS.get(group, group), str(said.get("help_text", "")),
        (groups.index(group) if group in groups else len(groups), wanted if isinstance(wanted, int) else place, name))


def in_order(names: Iterable[str]) -> list[ResourceText]:
    return sorted((of(name) for name in names), key=lambda text: text.order)
