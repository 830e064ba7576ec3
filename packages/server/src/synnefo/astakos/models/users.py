"""Users and the groups they belong to.

An account is identified everywhere by its immutable `uuid`; the e-mail is only how people name it. Its life is
unverified -> verified -> moderated (accepted or rejected) -> active or inactive, and each step leaves its mark in a
column of its own, so that the present status is always derived and never contradicts its history.
"""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from synnefo.common.ids import ProjectID, UserID

__all__ = ["Group", "User", "new_user_id"]


def new_user_id() -> str:
    """A random uuid, lower case with hyphens."""
    return str(uuid.uuid4())


class UserManager(BaseUserManager["User"]):
    """The manager that Django's authentication asks. Accounts are made by `services.users.create_user`."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())

    def create_superuser(self, email: str, password: str | None = None) -> User:
        """What `createsuperuser` calls. `fix-superusers` makes a full account of it."""
        user = User(email=email, is_superuser=True)
        user.set_password(password)
        user.save()
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """An account. `email` is stored in lower case; `password` is an argon2 hash or unusable."""

    uuid = models.CharField(max_length=36, unique=True, default=new_user_id, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    first_name = models.CharField(max_length=150, blank=True, default="")
    last_name = models.CharField(max_length=150, blank=True, default="")
    affiliation = models.CharField(max_length=255, blank=True, default="")

    email_verified = models.BooleanField(default=False)
    verified_at = models.DateTimeField(null=True, blank=True)
    verification_hash = models.CharField(max_length=64, null=True, blank=True, unique=True)
    """SHA-256 of the code in the newest mail that asks to confirm the e-mail."""
    verification_sent_at = models.DateTimeField(null=True, blank=True)
    moderated = models.BooleanField(default=False)
    moderated_at = models.DateTimeField(null=True, blank=True)
    moderated_data = models.JSONField(null=True, blank=True)
    """The account as it was moderated; no secret is in it."""
    accepted_policy = models.CharField(max_length=255, blank=True, default="")
    accepted_email = models.EmailField(max_length=254, blank=True, default="")
    """The e-mail under which it was accepted for the first time."""
    is_rejected = models.BooleanField(default=False)
    rejected_reason = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=False)
    deactivated_at = models.DateTimeField(null=True, blank=True)
    deactivated_reason = models.TextField(blank=True, default="")

    signed_terms = models.PositiveBigIntegerField(default=0)
    """Id of the newest terms of use that the user agreed to; 0 is none. A newer version leaves the user unsigned at once,
    without a write to this table.
    """
    signed_terms_at = models.DateTimeField(null=True, blank=True)
    level = models.PositiveSmallIntegerField(default=4)
    """Distance from those who may invite most people: that of the inviter, and one more."""
    invitations = models.PositiveIntegerField(default=0)
    """How many more people he may invite."""
    profile_confirmed = models.BooleanField(default=False)
    """Whether the user has looked at the own profile and saved it."""
    default_project = models.CharField(max_length=36, blank=True, default="")
    """Uuid of the project that pays when a request names none; empty means the system project."""
    date_joined = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower"),
            models.CheckConstraint(
                condition=models.Q(is_active=False) | models.Q(email_verified=True, moderated=True, is_rejected=False),
                name="user_active_was_accepted"),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = self.email.strip().lower()

    @property
    def user_id(self) -> UserID:
        return UserID(self.uuid)

    @property
    def username(self) -> str:
        """The name other services display: the e-mail."""
        return self.email

    @property
    def realname(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def system_project_id(self) -> ProjectID:
        """A system project carries its user's uuid."""
        return ProjectID(self.uuid)

    @property
    def default_project_id(self) -> ProjectID:
        return ProjectID(self.default_project or self.uuid)

    @property
    def status(self) -> str:
        """The account's state in words, as commands and refusals show it."""
        if not self.email_verified:
            return "Pending email verification"
        if not self.moderated:
            return "Pending moderation"
        if self.is_rejected:
            return _with_reason("Rejected", self.rejected_reason)
        policy = f" (accepted policy: {self.accepted_policy})"
        if self.is_active:
            return f"Accepted/Active{policy}"
        return _with_reason("Accepted/Inactive", self.deactivated_reason) + policy

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)


def _with_reason(text: str, reason: str) -> str:
    return f"{text} ({reason})" if reason else text
