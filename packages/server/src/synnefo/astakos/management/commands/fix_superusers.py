from __future__ import annotations

from typing import Any

from synnefo.astakos.services import housekeeping
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Give the superusers made by createsuperuser a full account."

    def handle(self, *args: Any, **options: Any) -> None:
        count = housekeeping.complete_superusers()
        self.note(f"Fixed {count} superuser(s)." if count else "There is nothing to fix.")
