"""Settings of cyclades, declared in the registry."""

from typing import Any

from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("cyclades", name, type_, default, help_, **extra)
