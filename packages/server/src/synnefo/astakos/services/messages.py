"""Texts that operators may replace: `ASTAKOS_<NAME>_MESSAGE` takes the place of the default."""

from __future__ import annotations

from typing import Any

from synnefo.common.settings import conf

DEFAULTS: dict[str, str] = {}
"""Name -> text with `{placeholders}`. Each part of astakos adds its own."""


def declare(**texts: str) -> None:
    """Add messages, by name."""
    DEFAULTS.update(texts)


def text(name: str, **values: Any) -> str:
    """The message with its placeholders filled; `{service_name}` is always known, and unknown ones stay as they are."""
    template: str = conf.find(f"ASTAKOS_{name}_MESSAGE") or DEFAULTS[name]
    return template.format_map(_Known(service_name=conf.BRANDING_SERVICE_NAME, **values))


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
