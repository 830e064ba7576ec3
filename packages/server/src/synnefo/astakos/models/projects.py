"""Projects pay for what their members use. Every accepted user has a system project of his own."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from synnefo.astakos.models.resources import Resource
from synnefo.astakos.models.users import User


def _new_uuid() -> str:
    return str(uuid.uuid4())


class ProjectState(models.TextChoices):
    UNINITIALIZED = "uninitialized"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"
    DELETED = "deleted"


INITIALIZED = (ProjectState.ACTIVE, ProjectState.SUSPENDED, ProjectState.TERMINATED)
ALIVE = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


class JoinPolicy(models.TextChoices):
    AUTO = "auto"
    MODERATED = "moderated"
    CLOSED = "closed"


class Project(models.Model):
    """`realname` is what people see. `name` is the same while it is claimed: unique, and null before the first approval
    and after the end.
    """

    uuid = models.CharField(max_length=36, unique=True, default=_new_uuid)
    name = models.CharField(max_length=80, unique=True, null=True, default=None)  # noqa: DJ001 - null is not claimed
    realname = models.CharField(max_length=80)
    description = models.TextField(blank=True, default="")
    homepage = models.URLField(max_length=255, blank=True, default="")
    is_base = models.BooleanField(default=False)
    """A system project: private, of one user, with the user's uuid."""
    private = models.BooleanField(default=False)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="projects_owned")
    state = models.CharField(max_length=16, choices=ProjectState.choices, default=ProjectState.UNINITIALIZED)
    join_policy = models.CharField(max_length=16, choices=JoinPolicy.choices, default=JoinPolicy.MODERATED)
    leave_policy = models.CharField(max_length=16, choices=JoinPolicy.choices, default=JoinPolicy.AUTO)
    max_members = models.BigIntegerField(default=1)
    end_date = models.DateTimeField()
    last_application = models.ForeignKey("astakos.ProjectApplication", null=True, default=None, on_delete=models.SET_NULL, related_name="+")
    warned_days = models.IntegerField(null=True, default=None)
    """The last warning of the end that the owner got: so many days before."""
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.realname} ({self.uuid})"

    @property
    def is_initialized(self) -> bool:
        return self.state in INITIALIZED

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE


class MembershipState(models.TextChoices):
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    LEAVE_REQUESTED = "leave_requested"
    REMOVED = "removed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    SUSPENDED = "suspended"


ACTIVE_MEMBERSHIPS = (MembershipState.ACCEPTED, MembershipState.LEAVE_REQUESTED)
SEATED = (*ACTIVE_MEMBERSHIPS, MembershipState.SUSPENDED)
"""Who counts as a member and takes a seat."""


class ProjectMembership(models.Model):
    """A user in a project. `was_accepted` stays: holdings of former members remain."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    state = models.CharField(max_length=16, choices=MembershipState.choices, default=MembershipState.REQUESTED)
    was_accepted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    overquota_state = models.CharField(max_length=255, default="OK")
    """For the module of QUOTA_POLICY_MODULE, which also sets the date."""
    overquota_date = models.DateTimeField(null=True, default=None)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [models.UniqueConstraint(fields=["project", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.project_id}: {self.state}"


class ProjectResourceQuota(models.Model):
    """The two limits of a resource in a project: of all members together, and of each."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="quotas")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")
    project_capacity = models.BigIntegerField()
    member_capacity = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "resource"], name="project_resource_once"),
            models.CheckConstraint(condition=Q(member_capacity__gte=0) & Q(project_capacity__gte=F("member_capacity")),
                                   name="member_capacity_within_project_capacity"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id} {self.resource_id}: {self.member_capacity} of {self.project_capacity}"
