"""What the API for administrators does with other people's accounts."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from synnefo.astakos.models import LOCAL, ApiToken, TokenKind, User
from synnefo.astakos.services import passwords, projects, security_mails, tokens, user_changes, users
from synnefo.astakos.services.user_changes import Changes
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import UserID

STATUSES = {
    "active": Q(is_active=True), "inactive": Q(is_active=False), "pending_verification": Q(email_verified=False),
    "pending_moderation": Q(email_verified=True, moderated=False), "rejected": Q(is_rejected=True)}


def get(uuid: str) -> User:
    """Raises `NotFound`."""
    user = _loaded().filter(uuid=uuid.lower().replace("\0", "")).first()
    if user is None:
        raise NotFound("There is no such user.")
    return user


def _loaded() -> QuerySet[User]:
    return User.objects.prefetch_related("groups", "login_methods")


def page(*, marker: str, email: str, status: str, limit: int) -> list[User]:
    """By uuid, after the user `marker`. Raises `InvalidInput`."""
    found = _loaded().order_by("uuid")
    if marker:
        found = found.filter(uuid__gt=marker.replace("\0", ""))
    if email:
        found = found.filter(email=email.lower().replace("\0", ""))
    if status:
        if status not in STATUSES:
            raise InvalidInput(f"status must be one of: {', '.join(STATUSES)}.", field="status")
        found = found.filter(STATUSES[status])
    return list(found[:limit])


def create(actor: User, *, email: str, first_name: str, last_name: str, password: str | None, affiliation: str, metadata: dict[str, Any]) -> tuple[User, str, str]:
    """An account that is open at once, without a mail; returns it with its password and API token. Raises `InvalidInput`, `AlreadyExists`."""
    chosen = password if password is not None else passwords.new_password()
    user = users.create_user(email, first_name=first_name, last_name=last_name, password=chosen)
    user_changes.modify_user(user.user_id, Changes(sign_terms=True), actor=actor.uuid)
    _describe(user, affiliation, metadata)
    return user, chosen, tokens.renew_primary(user.user_id, actor=actor.uuid).secret


def change(actor: User, user: User, changes: Changes, *, affiliation: str | None, metadata: dict[str, Any] | None) -> None:
    """Raises the errors of `modify_user`."""
    if not changes.is_empty:
        user_changes.modify_user(user.user_id, changes, actor=actor.uuid)
    _describe(user, affiliation, metadata)


def _describe(user: User, affiliation: str | None, metadata: dict[str, Any] | None) -> None:
    """Of the local way to sign in."""
    rows = user.login_methods.filter(module=LOCAL)
    if affiliation is not None:
        rows.update(affiliation=affiliation)
    if metadata is not None:
        rows.update(info=metadata)


@transactional()
def renew_token(actor: User, user_id: UserID) -> str:
    """Raises `NotFound`."""
    user = users.lock_user(user_id)
    security_mails.tell(user, "An administrator renewed the API token of your account.")
    return tokens.replace_primary(user, actor=actor.uuid).secret


def set_default_project(user_id: UserID, project_id: str) -> None:
    """Raises `StateConflict` for every refusal."""
    try:
        projects.set_default_project(user_id, project_id)
    except (NotFound, Forbidden) as error:
        raise StateConflict(error.public) from error


def token_ends(found: list[User]) -> dict[int, str]:
    """When the API tokens of these users expire: ISO 8601 by primary key."""
    rows = ApiToken.objects.filter(user__in=found, kind=TokenKind.PRIMARY, revoked_at=None)
    return {user: ends.isoformat() for user, ends in rows.values_list("user_id", "expires_at")}
