from __future__ import annotations

from typing import Any

from synnefo.astakos.services.oauth2 import keys
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = ("Sign ID tokens with a new key from now on. The public halves of the old keys can be fetched until what they signed "
            "has expired (OAUTH2_KEY_OVERLAP_HOURS).")

    def handle(self, *args: Any, **options: Any) -> None:
        key = keys.rotate()
        forgotten = keys.forget_old()
        self.stderr.write(f"{forgotten} older keys forgotten.")
        self.stdout.write(f"New {key.algorithm} key {key.kid}")
