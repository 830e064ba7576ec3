"""API tokens: what a program shows instead of a password. Several per user; only their hash is stored."""

from __future__ import annotations

import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class TokenKind(models.TextChoices):
    PRIMARY = "primary", "the one that the API access page shows; its ciphertext is kept"
    NAMED = "named", "made by the user or an operator, lives until it expires or is revoked"
    ISSUED = "issued", "short-lived, given for credentials by the identity API"
    SESSION = "session", "in the cookie of one browser session, dies with it"
    WEBLOGIN = "weblogin", "given to one desktop program after sign-in in the browser"
    APPCRED = "appcred", "short-lived, given for an application credential"
    OAUTH = "oauth", "given to an OAuth2 client with the scope api"


class ApiToken(models.Model):
    """One token. It is alive when neither revoked nor expired; `roles` null means all roles of the user."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    kind = models.CharField(max_length=10, choices=TokenKind.choices)
    name = models.CharField(max_length=150, blank=True, default="")
    token_hash = models.CharField(max_length=64, unique=True)
    token_encrypted = models.TextField(blank=True, default="")
    """Of primary tokens only, unless ASTAKOS_TOKEN_SHOW_ONCE."""
    prefix = models.CharField(max_length=8)
    """The first characters, so that people tell their tokens apart."""
    app_credential = models.ForeignKey("astakos.AppCredential", null=True, blank=True, on_delete=models.CASCADE, related_name="tokens")
    """What it was given for; it dies with it and is held to its access rules."""
    oauth_grant = models.ForeignKey("astakos.OAuthGrant", null=True, blank=True, on_delete=models.CASCADE, related_name="api_tokens")
    """What a user granted to a client; the client's token, and what was made from it, end with it."""
    methods = models.JSONField(default=list)
    audit_id = models.CharField(max_length=32)
    parent_audit_id = models.CharField(max_length=32, blank=True, default="")
    is_unscoped = models.BooleanField(default=False)
    project_id = models.CharField(max_length=36, blank=True, default="")
    """The project this token is scoped to; empty means all projects of the user."""
    is_restricted = models.BooleanField(default=False)
    """Tokens made from this one keep to its project and roles."""
    roles = models.JSONField(null=True, blank=True, default=None)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.CharField(max_length=45, blank=True, default="")

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "kind"]), models.Index(fields=["expires_at"])]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=models.Q(is_unscoped=False) | models.Q(project_id=""),
                                   name="token_unscoped_has_no_project"),
            models.UniqueConstraint(fields=["user"], condition=models.Q(kind="primary", revoked_at=None), name="token_one_primary")]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @property
    def may_manage_account(self) -> bool:
        """Whether it stands for the account itself, its credentials included, and not only for work in a project."""
        return self.app_credential.is_unrestricted if self.app_credential is not None else not self.is_restricted

    def is_expired(self, now: datetime.datetime) -> bool:
        """A token that expires this instant is still valid."""
        return self.expires_at < now
