"""Mails about projects, each queued in the transaction that causes it."""

from __future__ import annotations

from typing import Any

from synnefo.astakos.models import Project, ProjectApplication, ProjectMembership, User
from synnefo.astakos.services import mails, messages, recipients

messages.declare(
    PROJECT_CREATION_SUBJECT="{service_name}: new application for project {project}",
    PROJECT_MODIFICATION_SUBJECT="{service_name}: application to change project {project}",
    PROJECT_APPROVED_SUBJECT="{service_name}: application for project {project} approved",
    PROJECT_DENIED_SUBJECT="{service_name}: application for project {project} denied",
    PROJECT_SUSPENDED_SUBJECT="{service_name}: project {project} suspended",
    PROJECT_UNSUSPENDED_SUBJECT="{service_name}: project {project} active again",
    PROJECT_TERMINATED_SUBJECT="{service_name}: project {project} has ended",
    PROJECT_REINSTATED_SUBJECT="{service_name}: project {project} reinstated",
    PROJECT_EXPIRY_WARNING_SUBJECT="{service_name}: project {project} ends in {days} days",
    PROJECT_MEMBERSHIP_CHANGE_SUBJECT="{service_name}: your membership of project {project} was {action}",
    PROJECT_MEMBERSHIP_ENROLL_SUBJECT="{service_name}: you are a member of project {project}",
    PROJECT_MEMBERSHIP_REQUEST_SUBJECT="{service_name}: request to join project {project}",
    PROJECT_MEMBERSHIP_LEAVE_REQUEST_SUBJECT="{service_name}: request to leave project {project}",
)


def submitted(application: ProjectApplication) -> None:
    """To the staff."""
    kind = "modification" if application.is_modification else "creation"
    _send(f"project_{kind}_notification", recipients.of(f"PROJECT_{kind.upper()}_RECIPIENTS"), f"PROJECT_{kind.upper()}_SUBJECT",
          application.project, object=application, quotas=_quotas(application))


def approved(application: ProjectApplication, previous_state: str) -> None:
    """To applicant, owner and staff."""
    project = application.project
    _send("project_approval_notification", _people(application), "PROJECT_APPROVED_SUBJECT", project, object=application)
    mails.queue("im/application_approved_admin_email.txt", recipients.of("PROJECT_NOTIFICATIONS_RECIPIENTS"),
                messages.text("PROJECT_APPROVED_SUBJECT", project=project.realname),
                {"application": application, "previous_state": previous_state, "project": project, "quotas": _quotas(application)})


def denied(application: ProjectApplication) -> None:
    _send("project_denial_notification", _people(application), "PROJECT_DENIED_SUBJECT", application.project, object=application)


def state_changed(project: Project, event: str, reason: str = "") -> None:
    """`event`: suspension, unsuspension, termination or reinstatement. To the owner."""
    message = {"suspension": "SUSPENDED", "unsuspension": "UNSUSPENDED", "termination": "TERMINATED", "reinstatement": "REINSTATED"}[event]
    _send(f"project_{event}_notification", _owner(project), f"PROJECT_{message}_SUBJECT", project, object=project, reason=reason)


def expiry_warning(project: Project, days: int) -> None:
    _send("project_expiry_warning_notification", _owner(project), "PROJECT_EXPIRY_WARNING_SUBJECT", project, object=project, days=days)


def membership_changed(membership: ProjectMembership, action: str) -> None:
    """To the member: accepted, rejected, removed, suspended or unsuspended. Nothing about system projects."""
    if not membership.project.is_base:
        _send("project_membership_change_notification", [mails.address_of(membership.user)], "PROJECT_MEMBERSHIP_CHANGE_SUBJECT",
              membership.project, object=membership.project, user=membership.user, action=action)


def enrolled(membership: ProjectMembership) -> None:
    _send("project_membership_enroll_notification", [mails.address_of(membership.user)], "PROJECT_MEMBERSHIP_ENROLL_SUBJECT",
          membership.project, object=membership.project, user=membership.user.email)


def requested(membership: ProjectMembership, *, leave: bool = False) -> None:
    """Somebody waits for the owner's decision."""
    kind = "leave_request" if leave else "request"
    _send(f"project_membership_{kind}_notification", _owner(membership.project), f"PROJECT_MEMBERSHIP_{kind.upper()}_SUBJECT",
          membership.project, object=membership.project, user=membership.user.email)


def _send(template: str, to: list[mails.Recipient] | list[tuple[str, str]], subject: str, project: Project, **context: Any) -> None:
    text = messages.text(subject, project=project.realname, **{key: context[key] for key in ("days", "action") if key in context})
    mails.queue(f"im/projects/{template}.txt", to, text, {"project": project, **context})


def _owner(project: Project) -> list[mails.Recipient]:
    return [] if project.owner is None else [mails.address_of(project.owner)]


def _people(application: ProjectApplication) -> list[mails.Recipient]:
    users: list[User | None] = [application.applicant, application.project.owner]
    return [mails.address_of(user) for user in users if user is not None]


def _quotas(application: ProjectApplication) -> list[Any]:
    return list(application.quotas.select_related("resource").order_by("resource__name"))
