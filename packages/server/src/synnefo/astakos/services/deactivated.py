"""Inactive users whose projects still work, as an older version or an interrupted command may have left them."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from synnefo.astakos.models import ACTIVE_MEMBERSHIPS, ProjectState, User
from synnefo.astakos.services import audit, user_projects, users
from synnefo.common.db import transactional
from synnefo.common.ids import UserID


def inactive_users() -> Iterator[User]:
    """Those that were accepted once."""
    return User.objects.filter(is_active=False, moderated=True, is_rejected=False, email_verified=True).order_by("pk").iterator(chunk_size=500)


def unsuspended(user: User) -> list[str]:
    """Projects of his, and projects he is a member of, that are not suspended for him."""
    if user.is_active:
        return []
    own = {project.realname for project in user.projects_owned.filter(state=ProjectState.ACTIVE)}
    memberships = user.memberships.filter(state__in=ACTIVE_MEMBERSHIPS, project__state=ProjectState.ACTIVE).select_related("project")
    return sorted(own | {membership.project.realname for membership in memberships})


@transactional()
def suspend(user_id: UserID) -> None:
    """Raises `NotFound`. Nothing happens to a user who is active by now."""
    user = users.lock_user(user_id)
    if not user.is_active:
        user.deactivated_at = user.deactivated_at or timezone.now()  # or opening the account again would not restore them
        user.save(update_fields=["deactivated_at", "updated_at"])
        user_projects.suspend_all(user)
        audit.record("user.projects_suspended", actor=audit.OPERATOR, target=user.uuid)
