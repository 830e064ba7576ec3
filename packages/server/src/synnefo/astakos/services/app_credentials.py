"""Application credentials: made by users for programs, good in one project, and gone with everything they gave."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from synnefo.astakos.models import AccessRule, ApiToken, AppCredential, User
from synnefo.astakos.services import audit, memberships, passwords, security_mails, terms, throttle
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Unauthenticated

log = structlog.get_logger(__name__)
MAX_CREDENTIALS = 100
MAX_RULES = 50
MIN_SECRET = 8
USE_STEP = datetime.timedelta(hours=1)
MAX_NETWORKS = 30
_GENERATED = "sha256$"
_METHOD = re.compile(r"^[A-Z]{3,16}$")
_SERVICE = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


@dataclass(frozen=True, slots=True)
class Rule:
    """An access rule as a user asks for it: a known one by id, or a new one."""

    id: str = ""
    service: str = ""
    method: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new credential should be. Clients send empty lists for what was not asked for: without `roles` it has all of
    the token that asks, without `access_rules` it is held to none, and without a secret it gets a random one.
    """

    name: str
    description: str = ""
    secret: str = ""
    project_id: str = ""
    roles: Sequence[str] | None = None
    is_unrestricted: bool = False
    expires_at: datetime.datetime | None = None
    access_rules: Sequence[Rule] | None = None


def require_manager(token: ApiToken) -> None:
    """Only a token that stands for the account may change its credentials. Raises `Forbidden`."""
    if not token.may_manage_account:
        raise Forbidden("This token is restricted: it may not manage the account.")


def create(token: ApiToken, wish: Wish, *, client_ip: str = "") -> tuple[AppCredential, str]:
    """Make a credential of the token's user; returns it with its secret, which exists nowhere else.

    Raises `InvalidInput`, `Forbidden`, `AlreadyExists`.
    """
    require_manager(token)
    credential = AppCredential(
        user=token.user, name=_name(wish.name), description=wish.description, project_id=_project(token, wish.project_id),
        is_unrestricted=wish.is_unrestricted, expires_at=_expiry(token, wish.expires_at),
        known_networks=[network_of(client_ip)] if client_ip else [])
    credential.roles = _roles(token, credential.project_id, wish.roles)
    secret = _set_secret(credential, wish.secret)
    try:
        return _insert(credential, _rules_of(token, wish.access_rules)), secret
    except IntegrityError as error:
        raise AlreadyExists(f"You already have an application credential named {credential.name}.") from error


def _name(name: str) -> str:
    if not name.strip() or len(name) > 255 or not name.isprintable():
        raise InvalidInput("name: 1 to 255 printable characters.", field="name")
    return name.strip()


def _project(token: ApiToken, asked: str) -> str:
    """The project of the token's scope; a token for all projects may choose one."""
    if token.is_unscoped:
        raise InvalidInput("An application credential belongs to a project: use a token that is scoped to one.")
    if token.project_id:
        if asked not in {"", token.project_id}:
            raise InvalidInput("The token is scoped to another project.", field="project_id")
        return token.project_id
    found = memberships.all_memberships(token.user)
    if not asked:
        return memberships.paying_project(token.user, token, found)
    try:
        return memberships.find_membership(found, project_id=asked).project_id
    except NotFound as error:
        raise InvalidInput(error.public, field="project_id") from error


def _expiry(token: ApiToken, asked: datetime.datetime | None) -> datetime.datetime | None:
    """No later than the credential that asks: it could else outlive itself."""
    if asked is not None and asked <= timezone.now():
        raise InvalidInput("expires_at lies in the past.", field="expires_at")
    limit = token.app_credential.expires_at if token.app_credential is not None else None
    return min(asked, limit) if asked and limit else asked or limit


def _roles(token: ApiToken, project_id: str, asked: Sequence[str] | None) -> list[str]:
    membership = next((item for item in memberships.all_memberships(token.user) if item.project_id == project_id), None)
    held = {key: role.name for role in memberships.roles_of(token.user, membership, token) for key in (role.id, role.name)}
    if not asked:
        return sorted(set(held.values()))
    strange = next((name for name in asked if name not in held), None)
    if strange is not None:
        raise InvalidInput(f"You do not have the role {strange[:100]!r}.", field="roles")
    return sorted({held[name] for name in asked})


def _set_secret(credential: AppCredential, chosen: str) -> str:
    if not chosen:
        secret = secrets.token_urlsafe(64)
        credential.secret_hash = _GENERATED + hashlib.sha256(secret.encode()).hexdigest()
        return secret
    if not MIN_SECRET <= len(chosen) <= passwords.MAX_LENGTH:
        raise InvalidInput(f"secret: {MIN_SECRET} to {passwords.MAX_LENGTH} characters; leave it out to get a random one.",
                           field="secret")
    credential.secret_hash = make_password(chosen)
    return chosen


def _rules_of(token: ApiToken, asked: Sequence[Rule] | None) -> list[Rule] | None:
    """The rules of the new credential. One made by a credential with rules is held to no other calls than that one."""
    inherited = token.app_credential.access_rules if token.app_credential is not None else None
    if not asked:
        return None if inherited is None else [Rule(**item) for item in inherited]
    if len(asked) > MAX_RULES:
        raise InvalidInput(f"At most {MAX_RULES} access rules.", field="access_rules")
    known = None if inherited is None else {(item["service"], item["method"], item["path"]) for item in inherited}
    for rule in asked:
        if not rule.id:
            _require_sound(rule)
        if known is not None and (rule.service, rule.method, rule.path) not in known:
            raise Forbidden("This token may only hand on the access rules that it has.")
    return list(asked)


def _require_sound(rule: Rule) -> None:
    if not _SERVICE.match(rule.service) or not _METHOD.match(rule.method):
        raise InvalidInput("An access rule names a service type and an HTTP method in capitals.", field="access_rules")
    if not rule.path.startswith("/") or len(rule.path) > 255 or not rule.path.isprintable():
        raise InvalidInput("The path of an access rule begins with / and has at most 255 characters.", field="access_rules")


@transactional()
def _insert(credential: AppCredential, rules: Sequence[Rule] | None) -> AppCredential:
    user = User.objects.select_for_update().get(pk=credential.user_id)
    if AppCredential.objects.filter(user=user).count() >= MAX_CREDENTIALS:
        raise Forbidden(f"There are already {MAX_CREDENTIALS} application credentials: delete some first.")
    if rules is not None:
        stored = [_store_rule(user, rule) for rule in rules]
        credential.access_rules = [{"id": item.id, "service": item.service, "method": item.method, "path": item.path}
                                   for item in {item.id: item for item in stored}.values()]
    credential.save(force_insert=True)
    audit.record("app_credential.created", actor=user.uuid, target=user.uuid, id=credential.id, name=credential.name,
                 project=credential.project_id, unrestricted=credential.is_unrestricted)
    security_mails.tell(user, f"The application credential {credential.name} was made.")
    return credential


def _store_rule(user: User, rule: Rule) -> AccessRule:
    if not rule.id:
        return AccessRule.objects.get_or_create(user=user, service=rule.service, method=rule.method, path=rule.path)[0]
    found = AccessRule.objects.filter(user=user, pk=rule.id[:32]).first()
    if found is None:
        raise InvalidInput("There is no such access rule.", field="access_rules")
    return found


def list_of(user: User, *, name: str = "") -> list[AppCredential]:
    """The user's credentials, oldest first. One query."""
    found = AppCredential.objects.select_related("user").filter(user=user)
    return list(found.filter(name=name) if name else found)


def get(user: User, credential_id: str) -> AppCredential:
    """Raises `NotFound`."""
    found = AppCredential.objects.filter(user=user, pk=credential_id).first()
    if found is None:
        raise NotFound("There is no such application credential.")
    return found


@transactional()
def delete(token: ApiToken, credential_id: str) -> None:
    """Its tokens and keys die with it. Raises `NotFound`, `Forbidden`."""
    require_manager(token)
    credential = get(token.user, credential_id)
    audit.record("app_credential.deleted", actor=token.user.uuid, target=token.user.uuid, id=credential.id, name=credential.name)
    security_mails.tell(token.user, f"The application credential {credential.name} was deleted.")
    credential.delete()


def list_rules(user: User) -> list[AccessRule]:
    return list(AccessRule.objects.filter(user=user))


def get_rule(user: User, rule_id: str) -> AccessRule:
    """Raises `NotFound`."""
    found = AccessRule.objects.filter(user=user, pk=rule_id).first()
    if found is None:
        raise NotFound("There is no such access rule.")
    return found


@transactional()
def delete_rule(token: ApiToken, rule_id: str) -> None:
    """Raises `NotFound`; `Forbidden` while a credential has it."""
    require_manager(token)
    user = User.objects.select_for_update().get(pk=token.user_id)
    rule = get_rule(user, rule_id)
    if any(item["id"] == rule.id for credential in list_of(user) for item in credential.access_rules or ()):
        raise Forbidden("An application credential has this access rule.")
    rule.delete()


def find(credential_id: str, name: str, user: User | None) -> AppCredential | None:
    """By id, or by the name that it has at its user."""
    found = AppCredential.objects.select_related("user")
    if credential_id:
        return found.filter(pk=credential_id[:33]).first()
    return found.filter(user=user, name=name).first() if user is not None else None


def verify(credential: AppCredential | None, key: str, secret: str, *, client_ip: str | None) -> AppCredential:
    """The credential when the secret is its own and everything is in order. `key` is how it was named: wrong secrets are
    counted by it. Raises `Unauthenticated` with one text for all that may be guessed, `RateLimited`.
    """
    throttle.check(f"app-credential:{key}", client_ip)
    if not _is_right(credential, secret) or credential is None:
        throttle.failed(f"app-credential:{key}", client_ip)
        log.info("login.refused", method="application_credential", client_ip=client_ip)
        raise Unauthenticated("Invalid application credential")
    if not credential.user.is_active:
        raise Unauthenticated("User inactive")
    if credential.is_expired(timezone.now()):
        raise Unauthenticated("Authentication expired")
    terms.require_signed(credential.user)
    _note_use(credential, client_ip or "")
    return credential


def _is_right(credential: AppCredential | None, secret: str) -> bool:
    stored = credential.secret_hash if credential is not None else f"{_GENERATED}0"
    if stored.startswith(_GENERATED):
        digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        return secrets.compare_digest(stored.removeprefix(_GENERATED), digest)
    return len(secret) <= passwords.MAX_LENGTH and check_password(secret, stored)


def network_of(address: str) -> str:
    """The neighbourhood of an address: what counts as one place."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:45]
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))


def _note_use(credential: AppCredential, address: str) -> None:
    now = timezone.now()
    if address and network_of(address) not in credential.known_networks:
        _note_network(credential.id, address, now)
    elif credential.last_used_at is None or now - credential.last_used_at >= USE_STEP:
        AppCredential.objects.filter(pk=credential.pk).update(last_used_at=now, last_used_ip=address[:45])


def _note_network(credential_id: str, address: str, now: datetime.datetime) -> None:
    with transaction.atomic():
        credential = AppCredential.objects.select_for_update(of=("self",)).select_related("user").filter(pk=credential_id).first()
        if credential is None or network_of(address) in credential.known_networks:
            return
        credential.known_networks = [*credential.known_networks, network_of(address)][-MAX_NETWORKS:]
        credential.last_used_at, credential.last_used_ip = now, address[:45]
        credential.save(update_fields=["known_networks", "last_used_at", "last_used_ip"])
        audit.record("app_credential.new_network", actor=credential.user.uuid, target=credential.user.uuid,
                     id=credential.id, network=network_of(address))
        security_mails.tell(credential.user, f"The application credential {credential.name} was used from a new network.")


def forget_expired(*, batch: int = 1000) -> int:
    """Delete up to `batch` credentials that expired a week ago; returns how many."""
    limit = timezone.now() - datetime.timedelta(days=7)
    dead = list(AppCredential.objects.filter(expires_at__lt=limit).values_list("pk", flat=True)[:batch])
    AppCredential.objects.filter(pk__in=dead).delete()
    return len(dead)

