"""Everything that the identity service keeps about a user, for the user to take along. Secrets are not in it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from synnefo.astakos.models import AuditRecord, EmailChange, OAuthGrant, TokenKind, User
from synnefo.astakos.services import quotas, second_factors, users

LOG_LENGTH = 10_000
"""The newest events of the audit log."""


def of(user: User) -> dict[str, Any]:
    """As JSON, but that times are datetimes. A fixed number of queries."""
    return {
        "made_at": timezone.now(),
        "account": _fields(user, "uuid", "email", "first_name", "last_name", "affiliation", "date_joined", "updated_at", "last_login", "status", "verified_at",
                           "moderated_at", "accepted_email", "default_project", "level", "invitations", "is_superuser", "signed_terms_at"),
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "last_logins": users.last_logins(user),
        "sign_in_methods": _rows(user.login_methods, "module", "identifier", "active", "affiliation", "info", "created_at", "last_login_at"),
        "e_mail_changes": _rows(EmailChange.objects.filter(user=user), "new_email", "created_at"),
        "terms_signed": _rows(user.signatures, "terms", "signed_at", "client_ip"),
        "second_factor": second_factors.is_on(user),
        "passkeys": _rows(user.passkeys, "name", "created_at", "last_used_at"),
        "browsers": _rows(user.web_sessions, "method", "ip", "agent", "created_at", "last_used_at"),
        "tokens": _rows(user.api_tokens.filter(kind__in=(TokenKind.PRIMARY, TokenKind.NAMED), revoked_at=None), "kind", "name", "project_id", "created_at",
                        "expires_at", "last_used_at", "last_used_ip"),
        "application_credentials": _rows(user.app_credentials, "id", "name", "description", "project_id", "roles", "created_at", "expires_at", "last_used_at", "last_used_ip"),
        "access_keys": _rows(user.ec2_credentials, "access", "project_id", "created_at", "last_used_at"),
        "programs": _rows(OAuthGrant.objects.filter(user=user, revoked_at=None), "client__identifier", "scope", "created_at"),
        "invitations_sent": _rows(user.invitations_sent, "realname", "email", "created_at", "consumed_at"),
        "projects_owned": _rows(user.projects_owned, "uuid", "realname", "description", "homepage", "state", "created_at", "end_date"),
        "memberships": _rows(user.memberships, "project__uuid", "project__realname", "state", "created_at"),
        "applications": _rows(user.applications, "id", "project__uuid", "project__realname", "state", "comments", "issued_at", "answered_at", "answer"),
        "quotas": quotas.quotas_of(user.user_id, with_former=True),
        "log": _rows(AuditRecord.objects.filter(target=user.uuid).order_by("-pk")[:LOG_LENGTH], "event", "actor", "ip", "agent", "details", "created_at"),
    }


def _fields(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _rows(found: Any, *names: str) -> list[dict[str, Any]]:
    """Of a query or of a user's related rows."""
    return list(found.values(*names))
