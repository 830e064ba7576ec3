"""From credentials to a scoped token: what both identity APIs and the sign-in page share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from synnefo.astakos.models import ApiToken, AppCredential, User
from synnefo.astakos.services import app_credentials, factors, memberships, tokens
from synnefo.astakos.services.memberships import Membership, Role
from synnefo.common.errors import NotFound, Unauthenticated

_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


@dataclass(frozen=True, slots=True)
class Proof:
    """Who the caller proved to be, and by which methods. `token` is the token he showed, if he did."""

    user: User
    methods: tuple[str, ...]
    token: ApiToken | None = None
    secret: str = ""
    credential: AppCredential | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What the token is wanted for: a project by uuid or name, nothing (`is_unscoped`), or whatever is default."""

    project_id: str = ""
    project_name: str = ""
    is_unscoped: bool = False

    @property
    def is_explicit(self) -> bool:
        return bool(self.project_id or self.project_name)


@dataclass(frozen=True, slots=True)
class Grant:
    """A live token with what it allows. `membership` is None for an unscoped one."""

    secret: str
    token: ApiToken
    user: User
    membership: Membership | None
    memberships: Sequence[Membership]
    roles: Sequence[Role]


def find_by_login(login: str) -> User | None:
    """The user whose e-mail (any case) or uuid this is."""
    login = login.strip().lower()
    if len(login) > 254 or "\x00" in login:
        return None
    if _UUID.match(login):
        return User.objects.filter(uuid=login).first()
    return User.objects.filter(email=login).first()


def by_password(login: str, secret: str, *, client_ip: str | None, asks_more: bool = False) -> Proof:
    """Prove by e-mail or uuid with the password, or with one of the user's tokens in its place. A password alone does not
    prove an account with a second factor, unless the caller `asks_more` for that.

    Raises `Unauthenticated`, `RateLimited`.
    """
    user, token = tokens.user_of_credentials(find_by_login(login), login, secret, client_ip=client_ip)
    if token is None and not asks_more:
        factors.require_none(user)
    return Proof(user, ("password",), token, secret if token else "")


def by_token(secret: str, *, client_ip: str | None) -> Proof:
    """Prove by a live token. Raises `Unauthenticated`."""
    token = tokens.require_live(secret, unknown="Invalid token", client_ip=client_ip)
    return Proof(token.user, tuple(dict.fromkeys([*token.methods, "token"])), token, secret)


def by_receipt(receipt: str) -> Proof:
    """Prove by the receipt for a password. Raises `Unauthenticated`."""
    user = factors.user_of_receipt(receipt)
    tokens.require_active(user)
    return Proof(user, ("password",))


def by_totp(login: str, passcode: str, *, client_ip: str | None) -> Proof:
    """A one-time password, good beside another proof only. Raises `Unauthenticated`, `RateLimited`."""
    user = find_by_login(login)
    if user is None:
        raise Unauthenticated("The passcode is wrong.")
    factors.verify_totp(user, passcode, client_ip=client_ip)
    return Proof(user, ("totp",))


def lacks_factor(proof: Proof) -> bool:
    """Whether the account asks for a second factor that was not given. Tokens and credentials need none."""
    return proof.token is None and proof.credential is None and "totp" not in proof.methods and factors.needed(proof.user)


def by_app_credential(credential_id: str, name: str, login: str, secret: str, *, client_ip: str | None) -> Proof:
    """Prove by an application credential, named by its id, or by its name and its user's e-mail or uuid.

    Raises `Unauthenticated`, `RateLimited`.
    """
    user = None if credential_id else find_by_login(login)
    key = credential_id or f"{login}/{name}"
    found = app_credentials.verify(app_credentials.find(credential_id, name, user), key, secret, client_ip=client_ip)
    return Proof(found.user, ("application_credential",), credential=found)


def combine(proofs: Sequence[Proof]) -> Proof:
    """Several methods must prove one user. Raises `Unauthenticated`."""
    first = proofs[0]
    if any(proof.user.pk != first.user.pk for proof in proofs):
        raise Unauthenticated("The methods do not belong to one user.")
    token = next((proof.token for proof in proofs if proof.token is not None), None)
    credential = next((proof.credential for proof in proofs if proof.credential is not None), None)
    if credential is not None and len(proofs) > 1:
        raise Unauthenticated("An application credential is used alone.")
    return Proof(first.user, tuple(dict.fromkeys(m for proof in proofs for m in proof.methods)), token, credential=credential)


def grant(proof: Proof, scope: Scope) -> Grant:
    """Issue a short-lived token. A project the user cannot use is refused like a wrong password, so that nobody learns
    of projects by asking. Raises `Unauthenticated`.
    """
    if proof.credential is not None:
        return _grant_credential(proof.credential, scope)
    if scope.is_unscoped and proof.token is not None and proof.token.is_restricted and proof.token.project_id:
        raise Unauthenticated("This token keeps to its project.")
    found = memberships.reachable(proof.user, proof.token)
    membership = None if scope.is_unscoped else _membership(proof, scope, found)
    issued = tokens.issue_short(proof.user, proof.methods, project_id=membership.project_id if membership else "",
                                is_unscoped=membership is None, source=proof.token)
    return _grant(issued.secret, issued.token, membership, found)


def _grant_credential(credential: AppCredential, scope: Scope) -> Grant:
    """Good in the credential's project alone."""
    own = [item for item in memberships.all_memberships(credential.user) if item.project_id == credential.project_id]
    try:
        wanted = memberships.find_membership(own, project_id=scope.project_id or ("" if scope.project_name else credential.project_id),
                                             name=scope.project_name)
    except NotFound as error:
        raise Unauthenticated("The project does not exist or you may not use it.") from error
    if scope.is_unscoped:
        raise Unauthenticated("An application credential keeps to its project.")
    issued = tokens.issue_for_credential(credential)
    return _grant(issued.secret, issued.token, wanted, own)


def _membership(proof: Proof, scope: Scope, found: Sequence[Membership]) -> Membership | None:
    if scope.is_explicit:
        try:
            return memberships.find_membership(found, project_id=scope.project_id, name=scope.project_name)
        except NotFound as error:
            raise Unauthenticated("The project does not exist or you may not use it.") from error
    source = proof.token if proof.token is not None and proof.token.is_restricted else None
    wanted = memberships.paying_project(proof.user, source, found)
    return next((item for item in found if item.project_id == wanted), None)


def describe(secret: str, token: ApiToken) -> Grant:
    """What a live token allows. Two queries."""
    found = memberships.within_scope(memberships.all_memberships(token.user), token)
    if token.is_unscoped:
        return _grant(secret, token, None, found)
    wanted = memberships.paying_project(token.user, token, found)
    return _grant(secret, token, next((item for item in found if item.project_id == wanted), None), found)


def _grant(secret: str, token: ApiToken, membership: Membership | None, found: Sequence[Membership]) -> Grant:
    roles = memberships.roles_of(token.user, membership, token) if membership is not None else []
    return Grant(secret, token, token.user, membership, memberships.within_scope(list(found), token), roles)
