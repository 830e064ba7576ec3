"""The identity port, answered from this process's database. One `authenticate` costs three queries."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from synnefo.astakos.models import ApiToken, Ec2Credential, User
from synnefo.astakos.services import accounts, memberships, tokens
from synnefo.common.errors import Forbidden, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.ports import Caller


class LocalIdentity:
    """Implements `synnefo.common.ports.Identity`."""

    def authenticate(self, token: str, *, client_ip: str | None = None) -> Caller:
        found = tokens.require_live(token, client_ip=client_ip)
        if found.is_unscoped:
            raise Forbidden("This token has no project. Ask the identity service for one that is scoped to a project.")
        return _caller(found.user, found)

    def caller_of(self, user_id: UserID) -> Caller:
        user = User.objects.filter(uuid=user_id).first()
        if user is None:
            raise Unauthenticated("Invalid credentials")
        tokens.require_active(user)
        return _caller(user, None)

    def caller_of_key(self, key: Ec2Credential) -> Caller:
        """Whoever signs with an access key, held to its project. Raises `Unauthenticated` when that is gone."""
        source = key.app_credential
        return _caller(key.user, ApiToken(user=key.user, project_id=key.project_id, app_credential=source, expires_at=timezone.now(),
                                          roles=None if source is None else source.roles))

    def emails_of(self, user_ids: Iterable[UserID]) -> dict[UserID, str]:
        found = accounts.names_by_uuid(str(user_id).lower() for user_id in user_ids)
        return {UserID(uuid): email for uuid, email in found.items()}

    def user_ids_of(self, emails: Iterable[str]) -> dict[str, UserID]:
        """Keyed by the spelling that was asked for."""
        found = accounts.uuids_by_name(email.strip() for email in emails)
        return {email: UserID(uuid) for email, uuid in found.items()}


def _caller(user: User, token: ApiToken | None) -> Caller:
    found = memberships.within_scope(memberships.all_memberships(user), token)
    project_id = memberships.paying_project(user, token, found)
    membership = next((item for item in found if item.project_id == project_id), None)
    return Caller(
        user_id=user.user_id, email=user.email, name=user.realname or user.email, project_id=project_id,
        project_ids=tuple(item.project_id for item in found),
        roles=tuple(role.name for role in memberships.roles_of(user, membership, token)),
        expires_at=token.expires_at if token else None, access_rules=memberships.rules_of(token),
    )
