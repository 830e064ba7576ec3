"""Passkeys (WebAuthn): registered by users, and accepted in place of a password with its second factor, or of the second factor.

Each exchange begins with options for the browser and a state, which the page keeps in the session for the end.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import structlog
from django.utils import timezone
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from synnefo.astakos.models import Passkey, User
from synnefo.astakos.services import audit, security_mails, users
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound, StateConflict, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
MOST = 20
"""Passkeys of one account."""
MAX_NAME = 100
State = dict[str, Any]


def _server() -> Fido2Server:
    """Keys are bound to the host of our address; only pages of exactly that address may use them."""
    parts = urlsplit(conf.ASTAKOS_BASE_URL)
    entity = PublicKeyCredentialRpEntity(id=parts.hostname or "", name=conf.BRANDING_SERVICE_NAME)
    return Fido2Server(entity, verify_origin=lambda origin: origin == f"{parts.scheme}://{parts.netloc}")


def list_of(user: User) -> list[Passkey]:
    return list(Passkey.objects.filter(user=user))


def _data_of(found: list[Passkey]) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(item.public_data)) for item in found]


def begin_adding(user: User) -> tuple[dict[str, Any], State]:
    """Options for `navigator.credentials.create`, and the state. Raises `StateConflict` when the account has many."""
    found = list_of(user)
    if len(found) >= MOST:
        raise StateConflict(f"An account has at most {MOST} passkeys. Remove one first.")
    entity = PublicKeyCredentialUserEntity(id=user.uuid.encode(), name=user.email, display_name=user.realname or user.email)
    options, state = _server().register_begin(
        entity, _data_of(found), user_verification=UserVerificationRequirement.REQUIRED,
        resident_key_requirement=ResidentKeyRequirement.REQUIRED)
    return dict(options), state


def add(user: User, name: str, state: State, response: Any) -> None:
    """The browser's answer makes a new passkey. Raises `InvalidInput`, `AlreadyExists`."""
    shown = " ".join(name.split())[:MAX_NAME] or "Passkey"
    if not shown.isprintable():
        raise InvalidInput("The name holds characters that no name has.", field="name")
    try:
        made = _server().register_complete(state, RegistrationResponse.from_dict(response))
    except Exception as error:  # whatever the library finds wrong in what a browser sent
        log.info("passkey.refused", reason=f"{type(error).__name__}: {error}"[:200])
        raise InvalidInput("The passkey was not made. Try again.") from error
    if made.credential_data is None:
        raise InvalidInput("The passkey was not made. Try again.")
    _add(user.user_id, shown, made.credential_data, made.counter)


@transactional()
def _add(user_id: UserID, name: str, data: AttestedCredentialData, counter: int) -> None:
    user = users.lock_user(user_id)
    key = websafe_encode(data.credential_id)
    if Passkey.objects.filter(credential_id=key).exists():
        raise AlreadyExists("This passkey is known already.")
    Passkey.objects.create(user=user, name=name, credential_id=key, public_data=bytes(data), sign_count=counter)
    _tell(user, "passkey.added", f"The passkey {name} was added to your account.")


@transactional()
def remove(user_id: UserID, number: int) -> None:
    """Raises `NotFound`."""
    user = users.lock_user(user_id)
    found = Passkey.objects.filter(user=user, pk=number).first()
    if found is None:
        raise NotFound("There is no such passkey.")
    found.delete()
    _tell(user, "passkey.removed", f"The passkey {found.name} was removed from your account.")


def begin_use(user: User | None = None) -> tuple[dict[str, Any], State]:
    """Options for `navigator.credentials.get`, and the state. Without a user any passkey of this site will do."""
    known = _data_of(list_of(user)) if user is not None else None
    options, state = _server().authenticate_begin(known, user_verification=UserVerificationRequirement.REQUIRED)
    return dict(options), state


def use(state: State, response: Any, *, of: User | None = None) -> User:
    """Whose passkey answered; with `of` it must be one of his. Raises `Unauthenticated`."""
    try:
        parsed = AuthenticationResponse.from_dict(response)
        found = _known(websafe_encode(parsed.raw_id), of)
        _server().authenticate_complete(state, _data_of([found]), parsed)
        counter = parsed.response.authenticator_data.counter
    except Unauthenticated:
        raise
    except Exception as error:  # whatever the library finds wrong in what a browser sent
        log.info("passkey.refused", reason=f"{type(error).__name__}: {error}"[:200])
        raise Unauthenticated("The passkey was not accepted. Try again.") from error
    _note_use(found, counter)
    return found.user


def _known(credential_id: str, of: User | None) -> Passkey:
    found = Passkey.objects.select_related("user").filter(credential_id=credential_id[:1400]).first()
    if found is None or (of is not None and found.user_id != of.pk):
        raise Unauthenticated("This passkey is not known here.")
    return found


@transactional()
def _note_use(found: Passkey, counter: int) -> None:
    """Raises `Unauthenticated` when the device counts backwards: somebody has a copy of its key."""
    row = Passkey.objects.select_for_update().select_related("user").filter(pk=found.pk).first()
    if row is None or (counter and counter <= row.sign_count):
        log.warning("passkey.copied", passkey=found.pk)
        raise Unauthenticated("The passkey was not accepted. Try again.")
    row.sign_count, row.last_used_at = counter, timezone.now()
    row.save(update_fields=["sign_count", "last_used_at"])


def _tell(user: User, event: str, text: str) -> None:
    audit.record(event, actor=user.uuid, target=user.uuid)
    security_mails.tell(user, text)
