from __future__ import annotations

from typing import Any

from synnefo.astakos.services import housekeeping
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Delete expired sessions, tokens that ended a week ago and forgotten unverified accounts."

    def handle(self, *args: Any, **options: Any) -> None:
        self.detail(housekeeping.clean(), options)
