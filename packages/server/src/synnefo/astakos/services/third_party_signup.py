"""Sign-up by people whom a provider vouches for."""

from __future__ import annotations

import structlog
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError

from synnefo.astakos.models import LoginMethod, PendingIdentity, User
from synnefo.astakos.services import identities, login_methods, pending_identities, policies, providers, signup, users
from synnefo.astakos.services.identity import Identity
from synnefo.common.db import transactional
from synnefo.common.errors import Forbidden

log = structlog.get_logger(__name__)


def sign_up(pending: PendingIdentity, email: str, first_name: str, last_name: str, *, target: str = "", signed_terms: int = 0) -> User:
    """Make the account with its first sign-in method. What the provider decides about wins over what was typed.

    Raises `InvalidInput`; `AlreadyExists` when the e-mail has a verified account; `NotFound` when the token was used or the
    identity found an owner; `Forbidden` while nobody may sign up with the provider.
    """
    identity = pending_identities.identity_of(pending)
    forced = {name: getattr(identity, name) for name in identity.forced}
    typed = {"email": email, "first_name": first_name, "last_name": last_name, "affiliation": identity.affiliation} | forced
    user = User(email=users.parse_email(typed["email"]), first_name=users.parse_name(typed["first_name"], "first name"),
                last_name=users.parse_name(typed["last_name"], "last name"), affiliation=typed["affiliation"])
    user.password = make_password(None)
    try:
        return _sign_up(pending, user, target, signed_terms)
    except IntegrityError as error:
        raise signup.already_exists(user) from error


@transactional()
def _sign_up(pending: PendingIdentity, user: User, target: str, signed_terms: int) -> User:
    identity = pending_identities.consume(pending)
    found = policies.of(identity.module)
    provider = providers.describe(identity.module)
    if not found.create:
        raise Forbidden(provider.message("CREATE_DISABLED"))
    identities.drop_unverified(identity.module, identity.identifier)
    signup.insert(user)
    signup.sign_terms(user, signed_terms)
    LoginMethod.objects.create(user=user, module=identity.module, identifier=identity.identifier,
                               affiliation=identity.affiliation, info=dict(identity.info or {}))
    login_methods.join(user, (*found.creation_groups, *found.add_groups))
    if found.mirror_groups:
        login_methods.join(user, identity.groups)
    signup.settle(user, identity.module, is_proven=_is_proven(user, identity, found), target=target)
    return user


def _is_proven(user: User, identity: Identity, found: policies.Policies) -> bool:
    """Whether the e-mail needs no mail to be believed: only the provider's own one."""
    return user.email == identity.email and (found.autoverify or identity.is_email_trusted)
