"""The life of an account: registered, verified, accepted or rejected, active or not; its password, names and groups.

Every verb locks the user's row, looks again at its state and changes it in one transaction, so that a double click and
a command at the same moment end in one acceptance and one system project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import structlog
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from synnefo.astakos.models import LOCAL, ApiToken, Group, LoginMethod, OAuthGrant, TokenKind, User
from synnefo.astakos.services import (
    audit,
    identities,
    invitations,
    passwords,
    policies,
    projects,
    sessions,
    user_projects,
)
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound, StateConflict
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
PREDEFINED_GROUPS = ("default", "helpdesk", "admin", "admin-readonly", "admin-stats", "admin-api")
MAX_NAME = 150
_is_email = EmailValidator(allowlist=["localhost"])


def parse_email(text: str) -> str:
    """The e-mail in lower case. Raises `InvalidInput`."""
    email = text.strip().lower()
    try:
        _is_email(email)
    except ValidationError:
        raise InvalidInput(f"Invalid e-mail: {text[:100]!r}.", field="email") from None
    if len(email) > 254:
        raise InvalidInput("The e-mail is longer than 254 characters.", field="email")
    return email


def parse_name(text: str, field: str) -> str:
    """A first or last name: printable, bounded. Raises `InvalidInput`."""
    name = text.strip()
    if len(name) > MAX_NAME or not name.isprintable():
        raise InvalidInput(f"{field}: at most {MAX_NAME} printable characters.", field=field.replace(" ", "_"))
    return name


def find_user(text: str) -> User | None:
    """The user with this number, uuid or e-mail."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return User.objects.filter(pk=int(text)).first()
    return User.objects.filter(Q(uuid=text.lower()) | Q(email=text.lower())).first()


def get_user(text: str) -> User:
    """As `find_user`. Raises `NotFound`."""
    user = find_user(text)
    if user is None:
        raise NotFound(f"User {text} does not exist. Try: snf-manage user-list")
    return user


def lock_user(user_id: UserID) -> User:
    """The row, locked until the transaction ends. Raises `NotFound`."""
    user = User.objects.select_for_update().filter(uuid=user_id).first()
    if user is None:
        raise NotFound(f"User {user_id} does not exist.")
    return user


def create_user(
    email: str, *, first_name: str = "", last_name: str = "", password: str | None = None, is_admin: bool = False,
    groups: Iterable[str] = (), verified: bool = True, accepted: bool = True, policy: str = "manual",
) -> User:
    """Make an account, by default verified, accepted and active at once, with its system project.

    Without a password none is usable. Unverified accounts of the same address give way. One transaction of its own.
    Raises `InvalidInput`, `AlreadyExists`.
    """
    user = User(email=parse_email(email), first_name=parse_name(first_name, "first name"),
                last_name=parse_name(last_name, "last name"), is_superuser=is_admin)
    if password is not None:
        passwords.require_acceptable(password, user)
    user.password = make_password(password)  # hashed before the transaction: it takes long
    names = [parse_group(name) for name in groups]
    try:
        return _insert(user, names, verified=verified, accepted=accepted, policy=policy)
    except IntegrityError as error:
        raise AlreadyExists(f"There is already an account with the e-mail {user.email}.") from error


@transactional()
def _insert(user: User, groups: list[str], *, verified: bool, accepted: bool, policy: str) -> User:
    if User.objects.filter(email=user.email, email_verified=True).exists():
        raise AlreadyExists(f"There is already an account with the e-mail {user.email}.")
    User.objects.filter(email=user.email, email_verified=False).delete()
    user.pk = None  # the transaction may run again
    invitations.entitle(user, conf.ASTAKOS_DEFAULT_USER_LEVEL)
    user.save(force_insert=True)
    if user.has_usable_password():
        LoginMethod.objects.create(user=user, module=LOCAL)
    for name in groups:
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    if verified:
        verify(user)
    if verified and accepted and not user.moderated:
        accept(user, policy)
    audit.record("user.created", actor=audit.OPERATOR, target=user.uuid, email=user.email, status=user.status, groups=groups,
                 admin=user.is_superuser)
    log.info("user.create.done", user=user.uuid, status=user.status)
    return user


def parse_group(name: str) -> str:
    """A group's name: printable, bounded. Raises `InvalidInput`."""
    name = name.strip()
    if not 0 < len(name) <= 150 or not name.isprintable():
        raise InvalidInput("A group name has 1 to 150 printable characters.", field="group")
    return name


def add_group(name: str) -> bool:
    """Make a group; False when it was there. Raises `InvalidInput`."""
    return Group.objects.get_or_create(name=parse_group(name))[1]


def ensure_groups() -> None:
    """Make the groups that the services look for. Repeatable."""
    for name in PREDEFINED_GROUPS:
        Group.objects.get_or_create(name=name)


# The verbs below, up to `change_email`, need a locked row and a transaction of the caller.


def verify(user: User) -> None:
    """The e-mail is the user's. Accepts him at once where no operator has to. Raises `StateConflict`; `AlreadyExists` when
    an identity that he signed up with is another account's by now.
    """
    if user.email_verified:
        raise StateConflict(f"The e-mail of {user.email} is already verified.")
    identities.require_free(user)
    user.email_verified, user.verified_at, user.verification_hash = True, timezone.now(), None
    user.save(update_fields=["email_verified", "verified_at", "verification_hash", "updated_at"])
    is_invited = invitations.consume(user)
    if is_invited:
        user.save(update_fields=["level", "invitations", "updated_at"])
    policy = _automatic_policy(user, is_invited=is_invited)
    if policy:
        accept(user, policy)


def _automatic_policy(user: User, *, is_invited: bool) -> str:
    """Why this verified user needs no moderation, or nothing."""
    if not conf.ASTAKOS_MODERATION_ENABLED:
        return "auto_moderation"
    if any(re.match(pattern, user.email) for pattern in conf.ASTAKOS_RE_USER_EMAIL_PATTERNS):
        return "email"
    first = user.login_methods.filter(active=True).first()
    if first is not None and policies.of(first.module, user).automoderate:
        return f"auth_provider_{first.module}"
    if is_invited:
        return "invitation"
    return "already_moderated" if user.moderated and not user.is_rejected else ""


def accept(user: User, policy: str = "manual") -> None:
    """Let him in: system project, then active. Raises `StateConflict` when unverified or accepted already."""
    if not user.email_verified:
        raise StateConflict(f"The e-mail of {user.email} is not verified.")
    if user.moderated and not user.is_rejected:
        raise StateConflict(f"The account {user.email} is already accepted.")
    _note_moderation(user)
    user.is_rejected, user.rejected_reason = False, ""
    user.accepted_policy, user.accepted_email = policy, user.accepted_email or user.email
    user.default_project = user.uuid
    user.save()
    projects.create_system_project(user)
    activate(user)


def reject(user: User, reason: str = "") -> None:
    """Raises `StateConflict` unless he is verified and waits for moderation."""
    if not user.email_verified or user.moderated or user.is_active:
        raise StateConflict(f"The account {user.email} does not wait for moderation.")
    _note_moderation(user)
    user.is_rejected, user.rejected_reason = True, reason[:1000]
    user.save()


def _note_moderation(user: User) -> None:
    user.moderated, user.moderated_at = True, timezone.now()
    user.moderated_data = {
        "email": user.email, "first_name": user.first_name, "last_name": user.last_name, "affiliation": user.affiliation,
        "date_joined": user.date_joined.isoformat(), "methods": list(user.login_methods.values("module", "identifier")),
        "groups": sorted(user.groups.values_list("name", flat=True))}


def activate(user: User) -> None:
    """Raises `StateConflict` unless he is accepted and inactive."""
    _require_accepted(user)
    if user.is_active:
        raise StateConflict(f"The account {user.email} is already active.")
    was_deactivated = user.deactivated_at is not None
    user.is_active, user.deactivated_at, user.deactivated_reason = True, None, ""
    user.save(update_fields=["is_active", "deactivated_at", "deactivated_reason", "updated_at"])
    if was_deactivated:
        user_projects.restore_all(user)
    log.info("user.activated", user=user.uuid, again=was_deactivated)


def deactivate(user: User, reason: str = "") -> None:
    """Close the account for now; short-lived tokens die. Repeating it changes the reason only."""
    _require_accepted(user)
    user.is_active, user.deactivated_reason = False, reason[:1000]
    user.deactivated_at = user.deactivated_at or timezone.now()
    user.save(update_fields=["is_active", "deactivated_at", "deactivated_reason", "updated_at"])
    revoke_issued_tokens(user)
    revoke_session_tokens(user)
    sessions.end_all(user)
    user_projects.suspend_all(user)
    log.info("user.deactivated", user=user.uuid)


def _require_accepted(user: User) -> None:
    if not user.email_verified or not user.moderated or user.is_rejected:
        raise StateConflict(f"The account {user.email} is not accepted: {user.status}.")


def revoke_issued_tokens(user: User) -> int:
    """Short-lived tokens end with the credentials they were given for."""
    return ApiToken.objects.filter(user=user, kind=TokenKind.ISSUED, revoked_at=None).update(revoked_at=timezone.now())


def revoke_session_tokens(user: User) -> None:
    """What programs got through the user's browser or an application credential ends too, and what he granted them."""
    now = timezone.now()
    kinds = (TokenKind.SESSION, TokenKind.WEBLOGIN, TokenKind.APPCRED, TokenKind.OAUTH)
    ApiToken.objects.filter(user=user, kind__in=kinds, revoked_at=None).update(revoked_at=now)
    OAuthGrant.objects.filter(user=user, revoked_at=None).update(revoked_at=now)


def end_online_grants(user: User) -> None:
    """What was granted for the present session alone ends with it, and with the credentials."""
    now = timezone.now()
    ApiToken.objects.filter(user=user, oauth_grant__is_offline=False, revoked_at=None).update(revoked_at=now)
    OAuthGrant.objects.filter(user=user, is_offline=False, revoked_at=None).update(revoked_at=now)


def store_password(user: User, hashed: str, *, keep_session: str = "") -> None:
    """Replace the password's hash; the account has a local login then. Sessions end, but for the one of the key
    `keep_session`, which its page has to bind to the new hash (`update_session_auth_hash`).
    """
    sessions.end_all(user, keep=keep_session)
    user.password = hashed
    user.save(update_fields=["password", "updated_at"])
    LoginMethod.objects.get_or_create(user=user, module=LOCAL, identifier="")
    revoke_issued_tokens(user)
    end_online_grants(user)


def change_email(user: User, email: str) -> None:
    """Raises `InvalidInput`, `AlreadyExists`."""
    email = parse_email(email)
    user.email = email
    try:
        with transaction.atomic():  # in a transaction of the caller's, which goes on after a refusal
            user.save(update_fields=["email", "updated_at"])
    except IntegrityError as error:
        raise AlreadyExists(f"There is already an account with the e-mail {email}.") from error


def last_logins(user: User) -> str:
    """When each way to sign in was used last, newest first. No query when `login_methods` are loaded."""
    used = sorted(((method.last_login_at, method.module) for method in user.login_methods.all() if method.last_login_at), reverse=True)
    return ", ".join(f"[{module}] {when:%Y-%m-%d %H:%M}" for when, module in used) or "No login info available"


@transactional()
def delete_account(user_id: UserID) -> None:
    """Only accounts that were never accepted disappear. One transaction of its own. Raises `NotFound`, `StateConflict`."""
    user = lock_user(user_id)
    if user.moderated and not user.is_rejected:
        raise StateConflict(f"The account {user.email} was accepted: deactivate it instead.")
    audit.record("user.deleted", actor=audit.OPERATOR, target=user.uuid, email=user.email, status=user.status)
    user.delete()
