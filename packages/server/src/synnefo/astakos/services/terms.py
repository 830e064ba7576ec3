"""Terms of use. Whoever has not agreed to the newest version may do nothing else until then."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nh3
import structlog
from django.db.models import BigIntegerField, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from synnefo.astakos.models import Terms, TermsSignature, User
from synnefo.astakos.services import audit
from synnefo.common.db import transactional
from synnefo.common.errors import InvalidInput, NotFound, StateConflict, Unauthenticated
from synnefo.common.ids import UserID
from synnefo.common.middleware import current_client

log = structlog.get_logger(__name__)
MAX_SIZE = 1 << 20
"""Bytes of a file with terms."""


def latest() -> Terms | None:
    return Terms.objects.order_by("-pk").first()


def latest_id() -> int:
    """0 when there are no terms."""
    return Terms.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def latest_id_in_query() -> Coalesce:
    """The same as a column of another query."""
    return Coalesce(Subquery(Terms.objects.order_by("-pk").values("pk")[:1], output_field=BigIntegerField()), 0)


def get(number: int) -> Terms:
    """Raises `NotFound`."""
    found = Terms.objects.filter(pk=number).first()
    if found is None:
        raise NotFound("There are no such terms of use.")
    return found


def has_signed(user: User, *, newest: int | None = None) -> bool:
    """Whether the user agreed to the newest version, whose id a caller may know already."""
    return user.signed_terms >= (latest_id() if newest is None else newest)


def require_signed(user: User, *, newest: int | None = None) -> None:
    """Raises `Unauthenticated`."""
    if not has_signed(user, newest=newest):
        raise Unauthenticated("Pending approval terms")


def add(path: Path) -> Terms:
    """A new version, made of a file with HTML. Everybody has to agree to it before the next request. Raises `InvalidInput`."""
    location = path.absolute()
    try:
        with location.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        text = content.decode()
    except OSError as error:
        raise InvalidInput(f"{location} cannot be read: {error.strerror}.", field="file") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{location} is not text in UTF-8.", field="file") from error
    if len(content) > MAX_SIZE:
        raise InvalidInput(f"{location} is larger than {MAX_SIZE >> 20} MiB.", field="file")
    html = nh3.clean(text)  # whole elements, no scripts: the page around it stays what it is
    if not html.strip():
        raise InvalidInput(f"{location} holds no text.", field="file")
    return _add(Terms(location=str(location), html=html, sha256=hashlib.sha256(content).hexdigest()))


@transactional()
def _add(made: Terms) -> Terms:
    made.pk = None  # the transaction may run again
    made.save(force_insert=True)
    audit.record("terms.added", actor=audit.OPERATOR, target=str(made.pk), location=made.location, sha256=made.sha256)
    return made


@transactional()
def sign(user_id: UserID, number: int, *, actor: str = "") -> None:
    """The user agrees to this version. `actor` is who says so, if not the user.

    Raises `NotFound`; `StateConflict` when there is a newer version to read.
    """
    user = User.objects.select_for_update().filter(uuid=user_id).first()
    if user is None:
        raise NotFound(f"User {user_id} does not exist.")
    sign_locked(user, number, actor=actor)


def sign_locked(user: User, number: int, *, actor: str = "") -> None:
    """As `sign`, within the caller's transaction and with the user locked."""
    terms = get(number)
    if terms.pk != latest_id():
        raise StateConflict("There are newer terms of use. Read them first.")
    now = timezone.now()
    _, is_new = TermsSignature.objects.get_or_create(
        user=user, terms=terms, defaults={"signed_at": now, "client_ip": (current_client().ip or "")[:45]})
    if is_new or not has_signed(user, newest=terms.pk):
        user.signed_terms, user.signed_terms_at = terms.pk, now
        user.save(update_fields=["signed_terms", "signed_terms_at", "updated_at"])
        audit.record("terms.signed", actor=actor or user.uuid, target=user.uuid, terms=terms.pk)
