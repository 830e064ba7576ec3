"""Accounts that people make for themselves: with a password here, or (`third_party_signup`) vouched for by a provider."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError

from synnefo.astakos.models import LOCAL, LoginMethod, User
from synnefo.astakos.services import (
    account_mails,
    audit,
    invitations,
    login_methods,
    passwords,
    policies,
    providers,
    terms,
    users,
    verification,
)
from synnefo.common.db import transactional
from synnefo.common.errors import AlreadyExists, Forbidden
from synnefo.common.settings import conf


def sign_up(email: str, first_name: str, last_name: str, password: str, *, target: str = "", signed_terms: int = 0) -> User:
    """An account that signs in with a password. The link in its mail leads to `target`; `signed_terms` are those agreed to.

    Raises `InvalidInput`, `Forbidden` by policy, `AlreadyExists` when the e-mail has a verified account.
    """
    if not policies.of(LOCAL).create:
        raise Forbidden(providers.describe(LOCAL).message("CREATE_DISABLED"))
    user = User(email=users.parse_email(email), first_name=users.parse_name(first_name, "first name"),
                last_name=users.parse_name(last_name, "last name"))
    passwords.require_acceptable(password, user)
    user.password = make_password(password)  # hashed before the transaction: it takes long
    try:
        return _sign_up(user, target, signed_terms)
    except IntegrityError as error:
        raise already_exists(user) from error


@transactional()
def _sign_up(user: User, target: str, signed_terms: int) -> User:
    insert(user)
    sign_terms(user, signed_terms)
    LoginMethod.objects.create(user=user, module=LOCAL)
    found = policies.of(LOCAL)
    login_methods.join(user, (*found.creation_groups, *found.add_groups))
    settle(user, LOCAL, is_proven=found.autoverify, target=target)
    return user


def insert(user: User) -> None:
    """The row of a new account, in place of those whose owners never confirmed the e-mail: their links and identities die.
    Needs the caller's transaction. Raises `AlreadyExists`.
    """
    if User.objects.filter(email=user.email, email_verified=True).exists():
        raise already_exists(user)
    User.objects.filter(email=user.email, email_verified=False).delete()
    user.pk = None  # the transaction may run again
    invitations.entitle(user, conf.ASTAKOS_DEFAULT_USER_LEVEL)
    user.save(force_insert=True)


def sign_terms(user: User, number: int) -> None:
    """Newer terms that came this moment are asked for at the first page instead."""
    if number and number == terms.latest_id():
        terms.sign_locked(user, number)


def settle(user: User, module: str, *, is_proven: bool, target: str = "") -> None:
    """What follows: the e-mail is believed, or a mail asks to confirm it. Needs the caller's transaction."""
    audit.record("user.signup", actor=user.uuid, target=user.uuid, module=module)
    if is_proven:
        users.verify(user)
        account_mails.verified(user)
    else:
        verification.send(user, target=target)


def already_exists(user: User) -> AlreadyExists:
    return AlreadyExists(f"There is already an account with the e-mail {user.email}.")


@transactional()
def tell_owner(email: str) -> None:
    """Where pages keep accounts to themselves, the owner of the e-mail learns that somebody gave it."""
    owner = User.objects.filter(email=email.strip().lower(), email_verified=True).first()
    if owner is not None:
        account_mails.signed_up_again(owner)


def waiting_for(user: User) -> str:
    """What a new account that is not open waits for."""
    if not user.email_verified:
        return f"Your account was made. Its address {user.email} has to be confirmed before you can sign in."
    return f"Your account was made and waits for approval. You will get a mail. Questions go to {conf.CONTACT_EMAIL}."
