"""The operator's own rules: a module that looks at changes of memberships and projects inside their transaction."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType

import structlog

from synnefo.astakos.models import Project, ProjectMembership
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)


def _module() -> ModuleType | None:
    name = conf.QUOTA_POLICY_MODULE
    if not name:
        return None
    try:
        return importlib.import_module(name)
    except Exception:
        log.exception("quota_policy.disabled", module=name)
        return None


def membership_changed(membership: ProjectMembership, action: str) -> None:
    """After the limits were written. What the module raises undoes the change."""
    module = _module()
    if module is not None and hasattr(module, "check_state_membership"):
        module.check_state_membership(membership, action)


def projects_changed(projects: Sequence[Project], action: str) -> None:
    """As `membership_changed`."""
    module = _module()
    if module is not None and hasattr(module, "check_state_projects"):
        module.check_state_projects(projects, action)
