from __future__ import annotations

from typing import Any

from synnefo.astakos.services import registry
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Register every service that this host runs, with its component, from the configured addresses. Repeatable."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in registry.register_local_services():
            self.note(line)
