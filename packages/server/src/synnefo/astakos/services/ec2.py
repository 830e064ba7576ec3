"""EC2-style keys: an access key and a secret that sign requests, good in one project."""

from __future__ import annotations

import datetime
import secrets
import string

import structlog
from django.utils import timezone

from synnefo.astakos.models import ApiToken, Ec2Credential, User
from synnefo.astakos.services import app_credentials, audit, memberships, security_mails, signatures, terms, tokens
from synnefo.astakos.services.authentication import Grant, describe
from synnefo.common.crypto import decrypt, encrypt
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden, InvalidInput, NotFound, Unauthenticated

log = structlog.get_logger(__name__)
MAX_KEYS = 50
SKEW = datetime.timedelta(minutes=15)
USE_STEP = datetime.timedelta(hours=1)
_ALPHABET = string.ascii_uppercase + string.digits


def create(token: ApiToken, project_id: str) -> Ec2Credential:
    """A new key for a project that the token reaches. Raises `Forbidden`, `InvalidInput`."""
    app_credentials.require_manager(token)
    found = memberships.reachable(token.user, token)
    try:
        project = memberships.find_membership(found, project_id=project_id or memberships.paying_project(token.user, token, found))
    except NotFound as error:
        raise InvalidInput(error.public, field="tenant_id") from error
    return _insert(token, project.project_id)


@transactional()
def _insert(token: ApiToken, project_id: str) -> Ec2Credential:
    user = User.objects.select_for_update().get(pk=token.user_id)
    if Ec2Credential.objects.filter(user=user).count() >= MAX_KEYS:
        raise Forbidden(f"There are already {MAX_KEYS} keys: delete some first.")
    access = "".join(secrets.choice(_ALPHABET) for _ in range(20))
    audit.record("ec2.created", actor=user.uuid, target=user.uuid, access=access, project=project_id)
    security_mails.tell(user, f"The access key {access} was made.")
    return Ec2Credential.objects.create(access=access, user=user, project_id=project_id, app_credential=token.app_credential,
                                        secret_encrypted=encrypt(secrets.token_urlsafe(30)))


def secret_of(credential: Ec2Credential) -> str:
    return decrypt(credential.secret_encrypted)


def list_of(user: User) -> list[Ec2Credential]:
    """The user's keys, oldest first."""
    return list(Ec2Credential.objects.select_related("user").filter(user=user))


def get(user: User, access: str) -> Ec2Credential:
    """Raises `NotFound`."""
    found = Ec2Credential.objects.select_related("user").filter(user=user, access=access).first()
    if found is None:
        raise NotFound("There is no such key.")
    return found


@transactional()
def delete(token: ApiToken, access: str) -> None:
    """Raises `NotFound`, `Forbidden`."""
    app_credentials.require_manager(token)
    get(token.user, access).delete()
    audit.record("ec2.deleted", actor=token.user.uuid, target=token.user.uuid, access=access)
    security_mails.tell(token.user, f"The access key {access} was deleted.")


def _usable(access: str) -> Ec2Credential:
    """Raises `Unauthenticated`."""
    found = Ec2Credential.objects.select_related("user", "app_credential").filter(access=access[:33]).first()
    if found is None:
        raise Unauthenticated("Invalid EC2 key or signature")
    tokens.require_active(found.user)
    if found.app_credential is not None and found.app_credential.is_expired(timezone.now()):
        raise Unauthenticated("Authentication expired")
    terms.require_signed(found.user)
    return found


def by_text(access: str, text: str, signature: str) -> Grant:
    """A token for whoever signed a string to sign of the S3 API. Raises `Unauthenticated`, `InvalidInput`."""
    found = _usable(access)
    if not signatures.is_right_text(secret_of(found), text, signature):
        raise Unauthenticated("Invalid EC2 key or signature")
    return _grant(found)


def by_request(access: str, request: signatures.SignedRequest, signature: str) -> Grant:
    """A token for whoever signed a request. Raises `Unauthenticated`, `InvalidInput`."""
    found = _usable(access)
    moment = signatures.time_of(request)
    if moment is not None and abs(timezone.now() - moment) > SKEW:
        raise Unauthenticated("The request was signed too long ago, or a clock is wrong.")
    if not signatures.is_right_request(secret_of(found), request, signature):
        raise Unauthenticated("Invalid EC2 key or signature")
    return _grant(found)


def _grant(found: Ec2Credential) -> Grant:
    """Raises `Unauthenticated` when the project is not available to the user any more."""
    now = timezone.now()
    if all(item.project_id != found.project_id for item in memberships.all_memberships(found.user)):
        raise Unauthenticated("The project of this key is no longer available.")
    if found.last_used_at is None or now - found.last_used_at >= USE_STEP:
        Ec2Credential.objects.filter(pk=found.pk).update(last_used_at=now)
    issued = tokens.issue_for_key(found)
    return describe(issued.secret, issued.token)


def signing_key(access: str, date: str, region: str, service: str) -> tuple[Ec2Credential, str]:
    """The key with which requests of a day are signed, in hexadecimal: a service that has it checks signatures itself and
    never sees the secret. Raises `Unauthenticated`.
    """
    found = _usable(access)
    return found, signatures.signing_key(secret_of(found), date, region, service).hex()
