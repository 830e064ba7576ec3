"""Projects that are past their end, or near it."""

from __future__ import annotations

import datetime
import math

import structlog
from django.utils import timezone

from synnefo.astakos.models import ALIVE, Project
from synnefo.astakos.services import project_mails, project_states
from synnefo.common.db import transactional
from synnefo.common.errors import DomainError
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
REASON = "expired"


def daily() -> None:
    """Warn owners, then end what is past its end. Repeatable: a warning is sent once."""
    warn()
    terminate_expired()


def terminate_expired(reason: str = REASON) -> list[Project]:
    """End the expired ones, each in its own transaction, past those that cannot be; returns the ended."""
    ended = []
    for project in project_states.expired():
        try:
            if _terminate(project.uuid, reason):
                ended.append(project)
        except DomainError as error:
            log.warning("project.expiry.refused", project=project.uuid, error=error.public)
        except Exception:
            log.exception("project.expiry.failed", project=project.uuid)
    return ended


@transactional()
def _terminate(uuid: str, reason: str) -> bool:
    project = project_states.lock_project(uuid)
    if not project.is_alive or project.end_date > timezone.now():
        return False
    project_states.terminate_locked(project, None, reason)
    return True


def warn() -> int:
    """Tell owners whose projects end within one of the configured numbers of days; returns how many mails were queued."""
    days = sorted(conf.ASTAKOS_PROJECT_EXPIRY_WARNING_DAYS)
    if not days:
        return 0
    now = timezone.now()
    near = Project.objects.filter(state__in=ALIVE, is_base=False, end_date__gt=now,
                                  end_date__lte=now + datetime.timedelta(days=days[-1])).exclude(owner=None)
    return sum(_warn(uuid, days) for uuid in near.order_by("pk").values_list("uuid", flat=True))


@transactional()
def _warn(uuid: str, days: list[int]) -> bool:
    project = project_states.lock_project(uuid)
    left = math.ceil((project.end_date - timezone.now()) / datetime.timedelta(days=1))
    stage = next((item for item in days if left <= item), None)
    if stage is None or not project.is_alive or left < 0 or (project.warned_days is not None and project.warned_days <= stage):
        return False
    project.warned_days = stage
    project.save(update_fields=["warned_days", "updated_at"])
    project_mails.expiry_warning(project, left)
    return True
