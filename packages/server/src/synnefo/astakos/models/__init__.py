"""Tables of astakos."""

from synnefo.astakos.models.components import Component, Endpoint, Service
from synnefo.astakos.models.projects import (
    ACTIVE_MEMBERSHIPS,
    JoinPolicy,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
)
from synnefo.astakos.models.resources import Resource
from synnefo.astakos.models.tokens import ApiToken, TokenKind
from synnefo.astakos.models.users import Group, User

__all__ = [
    "ACTIVE_MEMBERSHIPS", "ApiToken", "Component", "Endpoint", "Group", "JoinPolicy", "MembershipState", "Project", "ProjectMembership",
    "ProjectResourceQuota", "ProjectState", "Resource", "Service", "TokenKind", "User",
]
