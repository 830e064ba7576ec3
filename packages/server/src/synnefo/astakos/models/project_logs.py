"""What became of projects and memberships: a row for every transition."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from synnefo.astakos.models.projects import Project, ProjectMembership


class _Log(models.Model):
    from_state = models.CharField(max_length=16, blank=True, default="")
    to_state = models.CharField(max_length=16)
    date = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=36, blank=True, default="")
    """Uuid; empty for an operator and for what happens by itself."""
    reason = models.TextField(blank=True, default="")
    comments = models.TextField(blank=True, default="")

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"{self.from_state} -> {self.to_state} at {self.date}"


class ProjectLog(_Log):
    """Also a change in place, which keeps the state."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="log")


class MembershipLog(_Log):
    membership = models.ForeignKey(ProjectMembership, on_delete=models.CASCADE, related_name="log")
