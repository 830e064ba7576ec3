from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from synnefo.astakos.models import AuthPolicyProfile
from synnefo.astakos.services import policies, policy_profiles
from synnefo.common.commands import Field, ShowCommand


def _policies(profile: AuthPolicyProfile) -> dict[str, Any]:
    found = {name: getattr(profile, f"policy_{name}") for name in policies.OVERRIDABLE}
    return {name: value for name, value in found.items() if value is not None}


class Command(ShowCommand):
    help = "Show a policy profile of sign-in providers."
    kind = "policy profile"
    argument = "name"
    fields: ClassVar[dict[str, Field]] = {
        "id": Field("id", ""), "is active": Field("active", ""), "name": Field("name", ""), "provider": Field("provider", ""),
        "is exclusive": Field("is_exclusive", ""), "priority": Field("priority", ""), "policies": Field(_policies, ""),
        "groups": Field(lambda row: [group.name for group in row.groups.all()], ""),
        "users": Field(lambda row: [user.email for user in row.users.all()], ""),
    }

    def find(self, key: str, options: Mapping[str, Any]) -> AuthPolicyProfile:
        return policy_profiles.get_profile(key)
