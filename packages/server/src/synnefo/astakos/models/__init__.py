"""Tables of astakos."""

from synnefo.astakos.models.app_credentials import AccessRule, AppCredential, Ec2Credential
from synnefo.astakos.models.audit import AuditRecord
from synnefo.astakos.models.components import Component, Endpoint, Service
from synnefo.astakos.models.logins import LOCAL, LoginMethod
from synnefo.astakos.models.mails import QueuedMail
from synnefo.astakos.models.oauth2 import (
    ClientType,
    OAuthClient,
    OAuthCode,
    OAuthDevice,
    OAuthGrant,
    OAuthRedirect,
    OAuthToken,
    SigningKey,
)
from synnefo.astakos.models.pending_identities import PendingIdentity
from synnefo.astakos.models.policies import AuthPolicyProfile
from synnefo.astakos.models.projects import (
    ACTIVE_MEMBERSHIPS,
    JoinPolicy,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
)
from synnefo.astakos.models.provider_sessions import ProviderSession
from synnefo.astakos.models.resources import Resource
from synnefo.astakos.models.tokens import ApiToken, TokenKind
from synnefo.astakos.models.users import Group, User

__all__ = [
    "ACTIVE_MEMBERSHIPS", "LOCAL", "AccessRule", "ApiToken", "AppCredential", "AuditRecord", "AuthPolicyProfile",
    "ClientType", "Component", "Ec2Credential", "Endpoint", "Group", "JoinPolicy", "LoginMethod", "MembershipState",
    "OAuthClient", "OAuthCode", "OAuthDevice", "OAuthGrant", "OAuthRedirect", "OAuthToken", "PendingIdentity",
    "Project", "ProjectMembership", "ProjectResourceQuota", "ProjectState", "ProviderSession", "QueuedMail", "Resource", "Service",
    "SigningKey", "TokenKind", "User",
]
