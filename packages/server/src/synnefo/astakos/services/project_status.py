"""The one word that lists and pages show for a project and its last application."""

from __future__ import annotations

from synnefo.astakos.models import ApplicationState, Project, ProjectState

_BEFORE = {ApplicationState.PENDING: "Pending", ApplicationState.DENIED: "Denied"}
_DELETED = {ApplicationState.DISMISSED: "Dismissed", ApplicationState.CANCELLED: "Cancelled"}


def status_of(project: Project) -> str:
    """Of a project that was never approved, what became of its application."""
    last = project.last_application
    if project.state == ProjectState.UNINITIALIZED:
        return "Uninitialized" if last is None else _BEFORE.get(ApplicationState(last.state), "Uninitialized")
    if project.state == ProjectState.DELETED:
        return "Deleted" if last is None else _DELETED.get(ApplicationState(last.state), "Deleted")
    return ProjectState(project.state).label


def pending_application(project: Project) -> int | None:
    """Number of the application that waits for an answer."""
    last = project.last_application
    return last.pk if last is not None and last.state == ApplicationState.PENDING else None
