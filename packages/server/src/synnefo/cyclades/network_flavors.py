"""Network types ("flavors"): how isolation is done. Data, so that a site can add its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synnefo.common.errors import InvalidInput
from synnefo.common.settings import conf

POOL = "pool"


@dataclass(frozen=True, slots=True)
class NetworkFlavor:
    """`link` and `mac_prefix` are a value, `pool`, or None for the type's own rule (see `services.networks`)."""

    name: str
    mode: str
    link: str | None
    mac_prefix: str
    ganeti_tags: tuple[str, ...] = ()


def all_flavors() -> dict[str, NetworkFlavor]:
    """The built-in types with the site's merged over them, field by field."""
    flavors = {flavor.name: flavor for flavor in _built_in()}
    for name, fields in conf.CYCLADES_NETWORK_FLAVORS.items():
        flavors[name] = _merged(name, flavors.get(name), fields)
    return flavors


def flavor_of(name: str) -> NetworkFlavor:
    """Raises `InvalidInput` for a type this site does not know."""
    flavor = all_flavors().get(name)
    if flavor is None:
        raise InvalidInput(f"Unknown network type {name!r}. Known: {', '.join(sorted(all_flavors()))}.", field="type")
    return flavor


def _built_in() -> tuple[NetworkFlavor, ...]:
    default = conf.DEFAULT_MAC_PREFIX
    return (
        NetworkFlavor("CUSTOM", "bridged", conf.DEFAULT_BRIDGE, default),
        NetworkFlavor("IP_LESS_ROUTED", "routed", None, default, ("ip-less-routed",)),
        NetworkFlavor("MAC_FILTERED", "bridged", conf.DEFAULT_MAC_FILTERED_BRIDGE, POOL, ("private-filtered",)),
        NetworkFlavor("PHYSICAL_VLAN", "bridged", POOL, default, ("physical-vlan",)),
    )


def _merged(name: str, base: NetworkFlavor | None, fields: dict[str, Any]) -> NetworkFlavor:
    known = base or NetworkFlavor(name, "bridged", conf.DEFAULT_BRIDGE, conf.DEFAULT_MAC_PREFIX)
    return NetworkFlavor(
        name, fields.get("mode", known.mode), fields.get("link", known.link),
        fields.get("mac_prefix", known.mac_prefix), tuple(fields.get("tags", known.ganeti_tags)),
    )
