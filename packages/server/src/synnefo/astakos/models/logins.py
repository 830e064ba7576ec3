"""How a user signs in: one row for each identity that is linked to the account."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

LOCAL = "local"


class LoginMethod(models.Model):
    """An identity at a provider (`module`: local, ldap, shibboleth, google, oidc:<alias> ...). `identifier` is empty for
    local passwords. Several unverified users may hold one identity; of verified users only one may, which the services
    check under a lock.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="login_methods")
    module = models.CharField(max_length=64)
    identifier = models.CharField(max_length=512, blank=True, default="")
    active = models.BooleanField(default=True)
    auth_backend = models.CharField(max_length=255, default="astakos")
    affiliation = models.CharField(max_length=255, blank=True, default="")
    info = models.JSONField(default=dict, blank=True)
    """What the provider told at the last sign-in, as far as the settings ask for it."""
    created_at = models.DateTimeField(default=timezone.now)
    last_login_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["module", "identifier"], name="login_method_identity")]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["user", "module", "identifier"], name="login_method_once")]

    def __str__(self) -> str:
        return f"{self.module}:{self.identifier}"
