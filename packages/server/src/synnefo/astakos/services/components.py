"""Components of the cloud and the tokens by which they prove who they are."""

from __future__ import annotations

import datetime
import re
from urllib.parse import urlparse

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from synnefo.astakos.models import Component, Resource
from synnefo.astakos.services import audit
from synnefo.common.crypto import decrypt, encrypt, hash_token, new_token
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, InvalidInput, NotFound, StateConflict, Unauthenticated
from synnefo.common.settings import conf

log = structlog.get_logger(__name__)
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")
_TOKEN = re.compile(r"^[A-Za-z0-9._~-]{16,255}$")


def parse_url(text: str, field: str) -> str:
    """An http(s) URL or nothing. Raises `InvalidInput`."""
    text = text.strip()
    try:
        parsed = urlparse(text)
    except ValueError as error:
        raise InvalidInput(f"{field} is not an http or https URL.", field=field) from error
    if text and (len(text) > 1024 or not text.isprintable() or " " in text or parsed.scheme not in {"http", "https"} or not parsed.netloc):
        raise InvalidInput(f"{field} is not an http or https URL.", field=field)
    return text


def parse_token(token: str) -> str:
    """A token chosen by an operator. Raises `InvalidInput`."""
    if not _TOKEN.match(token):
        raise InvalidInput("A component token has 16 to 255 letters, digits or . _ ~ -", field="auth-token")
    return token


def _set_token(component: Component, token: str) -> None:
    component.token_hash = hash_token(token)
    component.token_encrypted = encrypt(token)
    component.token_created_at = timezone.now()


def add_component(name: str, *, base_url: str = "", ui_url: str = "") -> tuple[Component, str]:
    """Record a component; returns it with its token. Raises `InvalidInput`, `AlreadyExists`."""
    if not _NAME.match(name):
        raise InvalidInput("A component name has 1 to 255 letters, digits or . _ -", field="name")
    component = Component(name=name, base_url=parse_url(base_url, "base-url"), ui_url=parse_url(ui_url, "ui-url"))
    token = new_token()
    _set_token(component, token)
    try:
        with transaction.atomic():
            component.save(force_insert=True)
            audit.record("component.added", actor=audit.OPERATOR, target=name, base_url=component.base_url, ui_url=component.ui_url)
    except IntegrityError as error:
        raise AlreadyExists(f"There is already a component {name}.") from error
    log.info("component.added", component=name)
    return component, token


def find_component(text: str) -> Component | None:
    """By number or name; a name made of digits is found by name first."""
    found = Component.objects.filter(name=text).first()
    if found is None and re.fullmatch(r"[0-9]{1,18}", text):
        found = Component.objects.filter(pk=int(text)).first()
    return found


def get_component(text: str) -> Component:
    """Raises `NotFound`."""
    found = find_component(text)
    if found is None:
        raise NotFound(f"Component {text} does not exist. Try: snf-manage component-list")
    return found


def token_of(component: Component) -> str:
    """The component's token in the clear, for the operator."""
    return decrypt(component.token_encrypted)


@transactional()
def modify_component(
    component_id: int, *, base_url: str | None = None, ui_url: str | None = None, token: str | None = None,
    renew_token: bool = False, grace_hours: float | None = None, purge_services: bool = False,
) -> str | None:
    """Change what is given; returns the new token when there is one. An explicit token wins over renewal.

    The old token dies at once, or after `grace_hours`. Raises `NotFound`, `InvalidInput`, `AlreadyExists`.
    """
    component = Component.objects.select_for_update().filter(pk=component_id).first()
    if component is None:
        raise NotFound(f"Component {component_id} does not exist.")
    before = {"base_url": component.base_url, "ui_url": component.ui_url}
    if base_url is not None:
        component.base_url = parse_url(base_url, "base-url")
    if ui_url is not None:
        component.ui_url = parse_url(ui_url, "ui-url")
    fresh = parse_token(token) if token is not None else new_token() if renew_token else None
    if fresh is not None:
        _replace_token(component, fresh, conf.ASTAKOS_COMPONENT_TOKEN_GRACE if grace_hours is None else grace_hours)
    component.save()
    if purge_services:
        component.services.all().delete()
    audit.record("component.modified", actor=audit.OPERATOR, target=component.name, new_token=fresh is not None,
                 purged=purge_services, before=before, after={"base_url": component.base_url, "ui_url": component.ui_url})
    return fresh


def _replace_token(component: Component, token: str, grace_hours: float) -> None:
    if Component.objects.filter(token_hash=hash_token(token)).exclude(pk=component.pk).exists():
        raise AlreadyExists("Another component has this token.")
    component.old_token_hash = component.token_hash if grace_hours > 0 else ""
    component.old_token_expires_at = timezone.now() + datetime.timedelta(hours=grace_hours) if grace_hours > 0 else None
    _set_token(component, token)


@transactional()
def remove_component(component: Component, *, force: bool = False) -> None:
    """With its services and endpoints. Raises `StateConflict` while there are resources that it counts, unless forced."""
    resources = Resource.objects.filter(component=component.name).values_list("name", flat=True)[:5]
    if resources and not force:
        raise StateConflict(f"Component {component.name} still counts resources: {', '.join(resources)}")
    Component.objects.select_for_update().filter(pk=component.pk).delete()
    audit.record("component.removed", actor=audit.OPERATOR, target=component.name, resources=list(resources))
    log.info("component.removed", component=component.name)


def require_component(token: str) -> Component:
    """The component behind a token. A user's token never passes. Raises `Unauthenticated`."""
    hashed = hash_token(token)
    now = timezone.now()
    component = Component.objects.filter(token_hash=hashed).first()
    if component is not None:
        if component.token_expires_at is not None and component.token_expires_at < now:
            raise Unauthenticated("Authentication expired")
        return component
    component = Component.objects.filter(old_token_hash=hashed, old_token_expires_at__gte=now).first()
    if component is None:
        raise Unauthenticated("Invalid X-Auth-Token")
    return component
