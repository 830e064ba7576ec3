"""Who has an identity at a provider. One verified user at most; several who did not confirm their e-mail may hope for it."""

from __future__ import annotations

from synnefo.astakos.models import LOCAL, LoginMethod, User
from synnefo.astakos.services import providers
from synnefo.common.db import lock_name
from synnefo.common.errors import AlreadyExists


def lock_identity(module: str, identifier: str) -> None:
    """Nobody else gives this identity to an account until the transaction ends."""
    lock_name(f"identity {module} {identifier}")


def owner_of(module: str, identifier: str) -> User | None:
    """The verified user who has the identity."""
    found = LoginMethod.objects.filter(module=module, identifier=identifier, active=True, user__email_verified=True)
    method = found.select_related("user").first() if module != LOCAL else None
    return None if method is None else method.user


def unverified_holders(module: str, identifier: str) -> list[User]:
    """Those who began a sign-up with the identity and did not confirm their e-mail."""
    return list(User.objects.filter(login_methods__module=module, login_methods__identifier=identifier, email_verified=False))


def require_free(user: User) -> None:
    """Before an account counts as verified: its identities must not be somebody else's by now, and are nobody's hope any
    more. Needs the caller's transaction and lock of the user. Raises `AlreadyExists`.
    """
    for method in user.login_methods.exclude(module=LOCAL):
        lock_identity(method.module, method.identifier)
        owner = owner_of(method.module, method.identifier)
        if owner is not None and owner.pk != user.pk:
            raise AlreadyExists(providers.describe(method.module).message("IN_USE"))
        drop_unverified(method.module, method.identifier, keep=user)


def drop_unverified(module: str, identifier: str, *, keep: User | None = None) -> None:
    """Accounts that waited for a confirmation and hold this identity give way."""
    found = [user.pk for user in unverified_holders(module, identifier) if keep is None or user.pk != keep.pk]
    User.objects.filter(pk__in=found, email_verified=False).delete()
