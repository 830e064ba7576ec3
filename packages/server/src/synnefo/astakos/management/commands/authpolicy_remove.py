from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.astakos.services import policy_profiles
from synnefo.common.commands import RemoveCommand


class Command(RemoveCommand):
    help = "Remove policy profiles of sign-in providers; the users and groups that have them stay."
    kind = "policy profile"
    argument = "name"

    def remove(self, key: str, options: Mapping[str, Any]) -> None:
        policy_profiles.remove_profile(key)
