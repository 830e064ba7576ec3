"""Tables of astakos."""

from synnefo.astakos.models.app_credentials import AccessRule, AppCredential, Ec2Credential
from synnefo.astakos.models.applications import ApplicationQuota, ApplicationState, ProjectApplication
from synnefo.astakos.models.audit import AuditRecord
from synnefo.astakos.models.components import Component, Endpoint, Service
from synnefo.astakos.models.email_changes import EmailChange
from synnefo.astakos.models.invitations import Invitation
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
from synnefo.astakos.models.project_logs import MembershipLog, ProjectLog
from synnefo.astakos.models.projects import (
    ACTIVE_MEMBERSHIPS,
    ALIVE,
    INITIALIZED,
    SEATED,
    JoinPolicy,
    MembershipState,
    Project,
    ProjectMembership,
    ProjectResourceQuota,
    ProjectState,
)
from synnefo.astakos.models.provider_sessions import ProviderSession
from synnefo.astakos.models.resources import Resource
from synnefo.astakos.models.second_factors import Authenticator, Passkey, RecoveryCode
from synnefo.astakos.models.sessions import WebSession
from synnefo.astakos.models.terms import Terms, TermsSignature
from synnefo.astakos.models.tokens import ApiToken, TokenKind
from synnefo.astakos.models.users import Group, User

__all__ = [
    "ACTIVE_MEMBERSHIPS", "ALIVE", "INITIALIZED", "LOCAL", "SEATED", "AccessRule", "ApiToken", "AppCredential", "ApplicationQuota", "ApplicationState",
    "AuditRecord", "AuthPolicyProfile", "Authenticator",
    "ClientType", "Component", "Ec2Credential", "EmailChange", "Endpoint", "Group", "Invitation", "JoinPolicy", "LoginMethod", "MembershipLog", "MembershipState",
    "OAuthClient", "OAuthCode", "OAuthDevice", "OAuthGrant", "OAuthRedirect", "OAuthToken", "Passkey", "PendingIdentity",
    "Project", "ProjectApplication", "ProjectLog", "ProjectMembership", "ProjectResourceQuota", "ProjectState", "ProviderSession", "QueuedMail", "RecoveryCode", "Resource", "Service",
    "SigningKey", "Terms", "TermsSignature", "TokenKind", "User", "WebSession",
]
