"""The OAuth2 authorization server: clients, what users granted them, and the keys that sign ID tokens."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from synnefo.astakos.models.tokens import ApiToken


class ClientType(models.TextChoices):
    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


class OAuthClient(models.Model):
    """A program that may ask users for grants. Users are not asked for the consent to a trusted one."""

    identifier = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255, blank=True, default="")
    secret_hash = models.CharField(max_length=255, blank=True, default="")
    type = models.CharField(max_length=16, choices=ClientType.choices, default=ClientType.CONFIDENTIAL)
    is_trusted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.identifier

    @property
    def title(self) -> str:
        return self.name or self.identifier

    @property
    def is_public(self) -> bool:
        return self.type == ClientType.PUBLIC


class OAuthRedirect(models.Model):
    """Where a client's users may be sent back to: this address, or one below it."""

    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="redirects")
    url = models.TextField()
    url_hash = models.CharField(max_length=64)
    """Addresses are longer than an index takes."""

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["client", "url_hash"], name="oauth_redirect_once")]

    def __str__(self) -> str:
        return self.url


class OAuthGrant(models.Model):
    """One authorization by a user. Revoking it ends its code and every token that came of it."""

    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="oauth_grants")
    scope = models.TextField(blank=True, default="")
    redirect_uri = models.TextField(blank=True, default="")
    is_offline = models.BooleanField(default=False)
    """Outlives the session of the user, by refresh tokens."""
    nonce = models.TextField(blank=True, default="")
    auth_time = models.DateTimeField(default=timezone.now)
    methods = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["created_at"], name="oauth_grant_time")]

    def __str__(self) -> str:
        return f"{self.client_id} for {self.user_id}"

    @property
    def scopes(self) -> list[str]:
        return self.scope.split()


class OAuthCode(models.Model):
    """The code that a client exchanges for tokens, once, within a minute."""

    grant = models.OneToOneField(OAuthGrant, on_delete=models.CASCADE, related_name="code")
    code_hash = models.CharField(max_length=64, unique=True)
    redirect_was_given = models.BooleanField()
    challenge = models.CharField(max_length=128, blank=True, default="")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"code of grant {self.grant_id}"


class OAuthToken(models.Model):
    """An access or refresh token. An access token with the scope api is an API token too (`api_token`)."""

    grant = models.ForeignKey(OAuthGrant, on_delete=models.CASCADE, related_name="tokens")
    is_refresh = models.BooleanField(default=False)
    token_hash = models.CharField(max_length=64, unique=True)
    api_token = models.OneToOneField(ApiToken, null=True, blank=True, on_delete=models.SET_NULL, related_name="oauth_token")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)
    """Of refresh tokens: when it was exchanged for the next. Whoever shows it again is a thief, or was robbed."""
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"token of grant {self.grant_id}"


class OAuthDevice(models.Model):
    """A device without a browser that waits for its user to type a code elsewhere."""

    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="devices")
    device_hash = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=16, unique=True)
    scope = models.TextField(blank=True, default="")
    grant = models.OneToOneField(OAuthGrant, null=True, blank=True, on_delete=models.CASCADE, related_name="device")
    is_denied = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    interval_s = models.PositiveSmallIntegerField(default=5)

    def __str__(self) -> str:
        return self.user_code


class SigningKey(models.Model):
    """A key pair for ID tokens. The newest one that is not retired signs; retired ones can be fetched for a while."""

    kid = models.CharField(max_length=32, unique=True)
    algorithm = models.CharField(max_length=8)
    private_encrypted = models.TextField()
    public_jwk = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return self.kid
