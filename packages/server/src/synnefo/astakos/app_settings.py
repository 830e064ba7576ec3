"""Settings of astakos, declared in the registry."""

from typing import Any

from synnefo.common.settings import conf


def _declare(name: str, type_: Any, default: Any, help_: str, **extra: Any) -> None:
    conf.declare("astakos", name, type_, default, help_, **extra)
