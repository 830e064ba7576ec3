"""Applications: sets of wanted changes to a project. Only a project's last one counts."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from synnefo.astakos.models.projects import JoinPolicy, Project
from synnefo.astakos.models.resources import Resource
from synnefo.astakos.models.users import User


class ApplicationState(models.TextChoices):
    PENDING = "pending"
    APPROVED = "approved"
    REPLACED = "replaced"
    DENIED = "denied"
    DISMISSED = "dismissed"
    CANCELLED = "cancelled"


class ProjectApplication(models.Model):
    """Never changed after submission but in its state. A definition field of null means: no change."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="applications")
    applicant = models.ForeignKey(User, on_delete=models.PROTECT, related_name="applications")
    state = models.CharField(max_length=16, choices=ApplicationState.choices, default=ApplicationState.PENDING)
    is_modification = models.BooleanField(default=False)

    owner = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80, null=True)  # noqa: DJ001 - null is "no change", empty is a value
    homepage = models.CharField(max_length=255, null=True)  # noqa: DJ001
    description = models.TextField(null=True)  # noqa: DJ001
    start_date = models.DateTimeField(null=True)
    end_date = models.DateTimeField(null=True)
    join_policy = models.CharField(max_length=16, null=True, choices=JoinPolicy.choices)  # noqa: DJ001
    leave_policy = models.CharField(max_length=16, null=True, choices=JoinPolicy.choices)  # noqa: DJ001
    max_members = models.BigIntegerField(null=True)
    private = models.BooleanField(null=True)
    comments = models.TextField(blank=True, default="")

    issued_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True, default="")
    answered_by = models.CharField(max_length=36, blank=True, default="")
    """Of approval and denial: uuid of who did it, empty for an operator."""
    waived_at = models.DateTimeField(null=True)
    waive_reason = models.TextField(blank=True, default="")
    waived_by = models.CharField(max_length=36, blank=True, default="")
    """Of cancellation and dismissal."""

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project"], condition=Q(state="pending"), name="one_pending_application")]

    def __str__(self) -> str:
        return f"application {self.pk} of {self.project_id}: {self.state}"


class ApplicationQuota(models.Model):
    """The two limits of a resource that an application asks for."""

    application = models.ForeignKey(ProjectApplication, on_delete=models.CASCADE, related_name="quotas")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="+")
    project_capacity = models.BigIntegerField()
    member_capacity = models.BigIntegerField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["application", "resource"], name="application_resource_once"),
            models.CheckConstraint(condition=Q(member_capacity__gte=0) & Q(project_capacity__gte=F("member_capacity")),
                                   name="application_capacities_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} {self.resource_id}: {self.member_capacity} of {self.project_capacity}"
