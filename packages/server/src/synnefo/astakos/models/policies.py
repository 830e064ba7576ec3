"""What operators allow certain users and groups at the sign-in providers."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models


class AuthPolicyProfile(models.Model):
    """Policies of one provider (or, exclusive, of every other provider) for the users and groups it is assigned to. A
    policy that is null says nothing. Of several profiles the one with the higher priority wins.
    """

    name = models.CharField(max_length=255, unique=True)
    provider = models.CharField(max_length=64)
    """A module's name."""
    is_exclusive = models.BooleanField(default=False)
    priority = models.IntegerField(default=1)
    active = models.BooleanField(default=True)
    policy_add = models.BooleanField(null=True, blank=True, default=None)
    policy_remove = models.BooleanField(null=True, blank=True, default=None)
    policy_create = models.BooleanField(null=True, blank=True, default=None)
    policy_login = models.BooleanField(null=True, blank=True, default=None)
    policy_limit = models.PositiveIntegerField(null=True, blank=True, default=None)
    policy_required = models.BooleanField(null=True, blank=True, default=None)
    policy_automoderate = models.BooleanField(null=True, blank=True, default=None)
    users = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="auth_policy_profiles", blank=True)
    groups = models.ManyToManyField(Group, related_name="auth_policy_profiles", blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return self.name

    def applies_to(self, module: str) -> bool:
        return (self.provider == module) is not self.is_exclusive
