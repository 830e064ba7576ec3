from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synnefo.astakos.models import ApiToken
from synnefo.astakos.services import audit, tokens
from synnefo.common.commands import RemoveCommand, unknown
from synnefo.common.errors import NotFound


class Command(RemoveCommand):
    help = "Revoke API tokens by number; they stop working at once."
    kind = "token"
    argument_type = int

    def remove(self, key: int, options: Mapping[str, Any]) -> None:
        token = ApiToken.objects.select_related("user").filter(pk=key, revoked_at=None).first()
        if token is None:
            raise NotFound(unknown("token", key, "token-list"))
        tokens.revoke(token, actor=audit.OPERATOR)
