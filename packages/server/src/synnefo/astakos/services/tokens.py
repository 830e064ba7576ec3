"""API tokens: issue, look up, renew, revoke. Validation reads and, at most once an hour a token, notes its use."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from synnefo.astakos.models import ApiToken, AppCredential, Ec2Credential, OAuthGrant, TokenKind, User
from synnefo.astakos.services import audit, passwords, sessions, terms, throttle
from synnefo.astakos.services.users import end_online_grants, lock_user, parse_name, revoke_issued_tokens
from synnefo.common.crypto import decrypt, encrypt, hash_token, new_token
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
LAST_USED_STEP = datetime.timedelta(hours=1)
MAX_TOKEN_LENGTH = 255
MAX_DAYS = 3650
MAX_NAMED_TOKENS = 100
MAX_WEBLOGIN_TOKENS = 50
ABOUT_TO_END = datetime.timedelta(minutes=15)
LASTING = frozenset({TokenKind.PRIMARY, TokenKind.NAMED, TokenKind.WEBLOGIN})
"""Kinds whose making and end are worth a line in the audit log."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. `secret` exists nowhere else: show it now or never."""

    secret: str
    token: ApiToken


def issue_named(
    user: User, name: str, *, days: float | None = None, project_id: str = "", roles: Sequence[str] | None = None,
    source: ApiToken | None = None, actor: str = "",
) -> Issued:
    """A lasting token, for `days` or ASTAKOS_AUTH_TOKEN_DURATION; `actor` is who asked, if not the user. One that a restricted `source` asks for reaches no
    further than that and ends with its application credential. Raises `InvalidInput`.
    """
    life = datetime.timedelta(hours=conf.ASTAKOS_AUTH_TOKEN_DURATION)
    if days is not None:
        if not 0 < days <= MAX_DAYS:
            raise InvalidInput(f"A token lives more than 0 and at most {MAX_DAYS} days.", field="expires")
        life = datetime.timedelta(days=days)
    if ApiToken.objects.filter(user=user, kind=TokenKind.NAMED, revoked_at=None).count() >= MAX_NAMED_TOKENS:
        raise InvalidInput(f"There are already {MAX_NAMED_TOKENS} tokens: revoke some first.")
    token = ApiToken(user=user, kind=TokenKind.NAMED, name=parse_name(name, "name"), methods=["token"], project_id=project_id,
                     roles=None if roles is None else list(roles), is_restricted=bool(project_id) or roles is not None,
                     expires_at=timezone.now() + life)
    if source is not None and source.is_restricted:
        _hold_to(token, source)
    with transaction.atomic():
        issued = _insert(token)
        audit.record("token.created", actor=actor or user.uuid, target=user.uuid, name=token.name, prefix=token.prefix,
                     project=token.project_id, expires=token.expires_at.isoformat())
    return issued


def _hold_to(token: ApiToken, source: ApiToken) -> None:
    token.project_id, token.is_restricted, token.app_credential = source.project_id, True, source.app_credential
    token.oauth_grant_id = source.oauth_grant_id
    if source.roles is not None:
        token.roles = source.roles if token.roles is None else [name for name in token.roles if name in source.roles]


def issue_short(user: User, methods: Sequence[str], *, project_id: str = "", is_unscoped: bool = False,
                source: ApiToken | None = None) -> Issued:
    """A short-lived token for credentials just verified. One made from another token ends no later than that one and
    has no more roles.
    """
    expires = timezone.now() + datetime.timedelta(seconds=conf.ASTAKOS_V3_TOKEN_DURATION)
    token = ApiToken(user=user, kind=TokenKind.ISSUED, methods=list(methods), project_id=project_id,
                     is_unscoped=is_unscoped, expires_at=expires)
    if source is not None:
        token.expires_at = min(expires, source.expires_at)
        token.parent_audit_id = source.audit_id
        token.roles, token.is_restricted = source.roles, source.is_restricted
        token.app_credential, token.oauth_grant_id = source.app_credential, source.oauth_grant_id
        token.kind = _kind_from(source)
    return _insert(token)


def _kind_from(source: ApiToken) -> str:
    """Tokens of credentials and clients stay what they are: they outlive a password, and end with their origin."""
    if source.app_credential_id is not None:
        return TokenKind.APPCRED
    return TokenKind.OAUTH if source.oauth_grant_id is not None else TokenKind.ISSUED


def issue_for_credential(credential: AppCredential) -> Issued:
    """A short-lived token held to the credential's project, roles and rules; it ends no later than it."""
    expires = timezone.now() + datetime.timedelta(seconds=conf.ASTAKOS_V3_TOKEN_DURATION)
    return _insert(ApiToken(
        user=credential.user, kind=TokenKind.APPCRED, methods=["application_credential"], app_credential=credential,
        project_id=credential.project_id, roles=credential.roles, is_restricted=True,
        expires_at=min(expires, credential.expires_at) if credential.expires_at else expires))


def issue_for_key(key: Ec2Credential) -> Issued:
    """A short-lived token for what was signed with an access key, held to its project and to what made it."""
    source = key.app_credential
    return _insert(ApiToken(
        user=key.user, kind=TokenKind.ISSUED, methods=["ec2credential"], app_credential=source, project_id=key.project_id,
        roles=None if source is None else source.roles, is_restricted=True,
        expires_at=timezone.now() + datetime.timedelta(seconds=conf.ASTAKOS_V3_TOKEN_DURATION)))


def store_for_client(grant: OAuthGrant, secret: str, expires_at: datetime.datetime) -> ApiToken:
    """An OAuth2 access token as an API token: for all projects of the user, but not for his account's credentials."""
    return _insert(ApiToken(user=grant.user, kind=TokenKind.OAUTH, name=grant.client.title[:150], methods=["oauth2"], is_restricted=True,
                            oauth_grant=grant, expires_at=expires_at), secret).token


def _insert(token: ApiToken, secret: str = "") -> Issued:
    secret = secret or new_token()
    token.token_hash = hash_token(secret)
    token.prefix = secret[:6]
    token.audit_id = secrets.token_urlsafe(16)
    if token.kind == TokenKind.PRIMARY and not conf.ASTAKOS_TOKEN_SHOW_ONCE:
        token.token_encrypted = encrypt(secret)
    token.save(force_insert=True)
    log.info("token.issued", user=token.user.uuid, kind=token.kind, hashed=token.token_hash[:12])
    return Issued(secret, token)


# The primary token: one per user, made at the first sign-in, shown by the API access page


def primary_of(user: User) -> ApiToken | None:
    """The user's primary token, alive or expired."""
    return ApiToken.objects.filter(user=user, kind=TokenKind.PRIMARY, revoked_at=None).first()


def shown_secret(token: ApiToken) -> str:
    """The text of a primary token; empty when it was kept nowhere (ASTAKOS_TOKEN_SHOW_ONCE)."""
    return decrypt(token.token_encrypted) if token.token_encrypted else ""


@transactional()
def renew_primary(user_id: UserID, *, actor: str = "", flush: bool = True, keep_session: str = "") -> Issued:
    """Put a new primary token in place of the old one, which nobody accepts from then on. `flush` ends the user's other
    sessions and short-lived tokens too; `keep_session` is the key of the one that stays. `actor` is who wants it, if not
    the user. Raises `NotFound`.
    """
    return replace_primary(lock_user(user_id), actor=actor, flush=flush, keep_session=keep_session)


def replace_primary(user: User, *, actor: str = "", flush: bool = True, keep_session: str = "") -> Issued:
    """As `renew_primary`, within the caller's transaction and with the user locked."""
    now = timezone.now()
    ApiToken.objects.filter(user=user, kind=TokenKind.PRIMARY, revoked_at=None).update(revoked_at=now, token_encrypted="")
    end_online_grants(user)
    if flush:
        revoke_issued_tokens(user)
        sessions.end_all(user, keep=keep_session)
    issued = _insert(ApiToken(user=user, kind=TokenKind.PRIMARY, name="API token", methods=["token"],
                              expires_at=now + datetime.timedelta(hours=conf.ASTAKOS_AUTH_TOKEN_DURATION)))
    ApiToken.objects.filter(web_session__session_key=keep_session, user=user, revoked_at=None).update(expires_at=issued.token.expires_at)
    audit.record("token.renewed", actor=actor or user.uuid, target=user.uuid, prefix=issued.token.prefix, flush=flush)
    return issued


def ready_primary(user: User, *, renew: bool = False, keep_session: str = "") -> ApiToken:
    """The primary token; a new one when there is none, it has expired or `renew` asks for it, which ends other sessions.
    Needs the caller's transaction and lock.
    """
    found = primary_of(user)
    if found is not None and not renew and not found.is_expired(timezone.now()):
        return found
    return replace_primary(user, keep_session=keep_session).token


@transactional()
def extend_primary(user_id: UserID, *, keep_session: str) -> ApiToken:
    """For a session that wants to live on: the primary token, a new one when the old one is about to end or gone. Other
    sessions stay; the token of this one lives on with it. Raises `NotFound`.
    """
    user = lock_user(user_id)
    found = primary_of(user)
    if found is None or found.expires_at - timezone.now() < ABOUT_TO_END:
        found = replace_primary(user, flush=False).token
    ApiToken.objects.filter(web_session__session_key=keep_session, user=user, revoked_at=None).update(expires_at=found.expires_at)
    return found


def issue_session(user: User, expires_at: datetime.datetime) -> Issued:
    """The token of one browser session; as long-lived as it, and never renewed."""
    return _insert(ApiToken(user=user, kind=TokenKind.SESSION, methods=["session"], expires_at=expires_at))


@transactional()
def issue_weblogin(user_id: UserID) -> Issued:
    """A token for one desktop program that its user let in through the browser. Of many the oldest end. Raises `NotFound`."""
    user = lock_user(user_id)
    alive = ApiToken.objects.filter(user=user, kind=TokenKind.WEBLOGIN, revoked_at=None).order_by("-pk")
    for old in alive[MAX_WEBLOGIN_TOKENS - 1:]:
        revoke(old)
    now = timezone.now()
    issued = _insert(ApiToken(user=user, kind=TokenKind.WEBLOGIN, name=f"Desktop client, {now:%Y-%m-%d}", methods=["token"],
                              expires_at=now + datetime.timedelta(hours=conf.ASTAKOS_AUTH_TOKEN_DURATION)))
    audit.record("token.created", actor=user.uuid, target=user.uuid, name=issued.token.name, prefix=issued.token.prefix)
    return issued


def find_token(secret: str) -> ApiToken | None:
    """The token with its user, dead or alive. One query."""
    if not 0 < len(secret) <= MAX_TOKEN_LENGTH:
        return None
    found = ApiToken.objects.select_related("user", "app_credential").annotate(newest_terms=terms.latest_id_in_query())
    return found.filter(token_hash=hash_token(secret)).first()


def require_live(secret: str, *, unknown: str = "Invalid X-Auth-Token", client_ip: str | None = None) -> ApiToken:
    """The token, when it and its account are in order. Raises `Unauthenticated` with the reason; an unknown and a
    revoked token are refused alike, with the text `unknown`.
    """
    return check_live(find_token(secret), unknown=unknown, client_ip=client_ip)


def check_live(token: ApiToken | None, *, unknown: str = "Invalid X-Auth-Token", client_ip: str | None = None) -> ApiToken:
    """As `require_live`, of a token that was looked up already."""
    if token is None or token.revoked_at is not None:
        raise Unauthenticated(unknown)
    require_active(token.user)
    now = timezone.now()
    if token.is_expired(now):
        raise Unauthenticated("Authentication expired")
    terms.require_signed(token.user, newest=getattr(token, "newest_terms", None))
    _note_use(token, now, client_ip or "")
    return token


def of_session(user_id: UserID) -> ApiToken:
    """What stands for a signed-in user where a token is expected: never stored, never restricted.

    Raises `Unauthenticated` when the account is closed.
    """
    user = User.objects.filter(uuid=user_id).first()
    if user is None:
        raise Unauthenticated("Invalid credentials")
    require_admitted(user)
    now = timezone.now()
    return ApiToken(user=user, kind=TokenKind.ISSUED, methods=["session"], created_at=now,
                    expires_at=now + datetime.timedelta(seconds=conf.ASTAKOS_V3_TOKEN_DURATION))


def require_active(user: User) -> None:
    """Raises `Unauthenticated`."""
    if not user.is_active:
        raise Unauthenticated("User inactive")


def require_admitted(user: User) -> None:
    """As `require_active`, and the user agreed to the newest terms of use. Raises `Unauthenticated`."""
    require_active(user)
    terms.require_signed(user)


def _note_use(token: ApiToken, now: datetime.datetime, client_ip: str) -> None:
    """Coarse on purpose: a write for each request would cost more than the knowledge is worth."""
    if token.last_used_at is None or now - token.last_used_at >= LAST_USED_STEP:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_ip=client_ip[:45])


def user_of_credentials(user: User | None, name: str, secret: str, *, client_ip: str | None) -> tuple[User, ApiToken | None]:
    """Whom a name and a password (or one of his tokens in its place) prove.

    Raises `Unauthenticated` for anything wrong, with one text, and `RateLimited` after many wrong tries.
    """
    token = find_token(secret)
    if token is not None and token.revoked_at is None:
        live = require_live(secret, client_ip=client_ip)
        if user is None or live.user_id != user.pk:
            raise Unauthenticated("Invalid credentials")
        return live.user, live
    throttle.check(name, client_ip)
    if not conf.ASTAKOS_API_PASSWORD_AUTH or not passwords.is_right(user, secret) or user is None:
        throttle.failed(name, client_ip)
        log.info("login.refused", method="api", client_ip=client_ip)
        raise Unauthenticated("Invalid token")
    require_admitted(user)
    throttle.succeeded(name)
    if not passwords.may_sign_in(user):
        raise Unauthenticated("This account does not sign in with a password.")
    return user, None


def list_named(user: User) -> list[ApiToken]:
    """The user's lasting tokens that are not revoked, newest first."""
    return list(ApiToken.objects.filter(user=user, kind=TokenKind.NAMED, revoked_at=None).order_by("-pk"))


def revoke(token: ApiToken, *, actor: str = "") -> None:
    """From now on it is unknown to everybody; `actor` is who wanted that, if not the user. Repeatable."""
    with transaction.atomic():
        ended = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now(), token_encrypted="")
        if ended and token.kind in LASTING:
            audit.record("token.revoked", actor=actor or token.user.uuid, target=token.user.uuid, name=token.name, prefix=token.prefix)
    log.info("token.revoked", user=token.user.uuid, hashed=token.token_hash[:12])


def end(token: ApiToken) -> None:
    """Revoke it. The account always has a primary token: another takes its place, and sessions go on. Repeatable."""
    if token.kind != TokenKind.PRIMARY:
        revoke(token)
        return
    with transaction.atomic():
        user = lock_user(token.user.user_id)
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).exists():  # no other request was first
            replace_primary(user, flush=False)


def revoke_named(user: User, token_id: int) -> None:
    """Raises `NotFound`."""
    token = ApiToken.objects.select_related("user").filter(
        user=user, pk=token_id, kind=TokenKind.NAMED, revoked_at=None).first()
    if token is None:
        raise NotFound(f"There is no token {token_id}.")
    revoke(token)


@transactional()
def renew_named(user_id: UserID, token_id: int) -> Issued:
    """Replace a lasting token by a new one of the same name, scope and life. Raises `NotFound`."""
    old = ApiToken.objects.select_for_update(of=("self",)).select_related("user").filter(
        user__uuid=user_id, pk=token_id, kind=TokenKind.NAMED, revoked_at=None).first()
    if old is None:
        raise NotFound(f"There is no token {token_id}.")
    revoke(old)
    return _insert(ApiToken(user=old.user, kind=TokenKind.NAMED, name=old.name, methods=old.methods, roles=old.roles,
                            app_credential=old.app_credential, oauth_grant_id=old.oauth_grant_id,
                            project_id=old.project_id, is_restricted=old.is_restricted,
                            expires_at=timezone.now() + (old.expires_at - old.created_at)))


@transactional()
def replace_all(user_id: UserID) -> Issued:
    """Revoke every token of the user, end the sessions and make a new primary token. Raises `NotFound`."""
    user = lock_user(user_id)
    revoke_all(user)
    return replace_primary(user, actor=audit.OPERATOR)


def revoke_all(user: User) -> int:
    """Every token of the user; returns how many there were."""
    return ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now(), token_encrypted="")


def purge(*, older_than_days: int = 7, batch: int = 1000) -> int:
    """Delete up to `batch` tokens that are dead for a while; returns how many. Call it until 0."""
    limit = timezone.now() - datetime.timedelta(days=older_than_days)
    dead = list(ApiToken.objects.filter(Q(expires_at__lt=limit) | Q(revoked_at__lt=limit)).values_list("pk", flat=True)[:batch])
    return ApiToken.objects.filter(pk__in=dead).delete()[0] if dead else 0
