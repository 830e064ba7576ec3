"""Tokens against a simple model: whatever is issued, exchanged, repeated and revoked, a token works exactly while everything
that it came of is in order, and reaches no further than that.
"""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from synnefo.astakos.adapters.identity import LocalIdentity
from synnefo.astakos.models import (
    ApiToken,
    AppCredential,
    MembershipState,
    OAuthClient,
    OAuthGrant,
    Project,
    ProjectMembership,
    ProjectState,
    User,
)
from synnefo.astakos.services import app_credentials, authentication, tokens, users
from synnefo.astakos.services.authentication import Scope
from synnefo.astakos.services.oauth2 import clients, grants
from synnefo.astakos.services.oauth2.errors import OAuthError
from synnefo.common.db import transactional
from synnefo.common.errors import DomainError, Unauthenticated
from synnefo.common.ids import UserID

pytestmark = pytest.mark.django_db
_numbers = itertools.count()


@dataclass
class Source:
    """What tokens come of: a credential or a grant. `codes` and `refreshes` are shown again to see that it ends."""

    kind: str
    row: Any
    secret: str = ""
    is_alive: bool = True
    is_offline: bool = False
    spent: list[str] = field(default_factory=list)
    refresh: str = ""


@dataclass
class Known:
    """What the model knows of a token. `project` None is all projects."""

    secret: str
    kind: str
    project: str | None
    source: Source | None = None
    is_revoked: bool = False


@transactional()
def _locked(user_id: UserID, verb: Any, *arguments: Any) -> None:
    verb(users.lock_user(user_id), *arguments)


class TokenMachine(RuleBasedStateMachine):
    """One user with two projects of his own and others."""

    @initialize()
    def start(self) -> None:
        for model in (ApiToken, AppCredential, OAuthGrant, OAuthClient, ProjectMembership, Project, User):
            model.objects.all().delete()
        cache.clear()
        self.user = users.create_user(f"u{next(_numbers)}@example.org")
        self.lab = Project.objects.create(realname="lab", state=ProjectState.ACTIVE, end_date=timezone.now() + datetime.timedelta(days=9))
        ProjectMembership.objects.create(project=self.lab, user=self.user, state=MembershipState.ACCEPTED)
        self.client = clients.add("app", ["https://app.example.org/"])[0]
        self.is_active, self.in_lab = True, True
        self.known: list[Known] = []
        self.sources: list[Source] = []

    def _fresh(self) -> User:
        return User.objects.get(pk=self.user.pk)

    def _reaches(self, project: str | None) -> bool:
        return project != self.lab.uuid or self.in_lab

    def _works(self, token: Known) -> bool:
        source_alive = token.source is None or token.source.is_alive
        return self.is_active and not token.is_revoked and source_alive and self._reaches(token.project)

    @precondition(lambda self: self.is_active)
    @rule(in_lab=st.booleans())
    def make_named(self, in_lab: bool) -> None:
        project = self.lab.uuid if in_lab else ""
        secret = tokens.issue_named(self._fresh(), "t", project_id=project).secret
        self.known.append(Known(secret, "named", project or None))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), wanted=st.sampled_from(["", "lab", "own"]))
    def exchange_a_token(self, data: st.DataObject, wanted: str) -> None:
        """The new one keeps to what the old one is held to."""
        old = data.draw(st.sampled_from(self.known))
        project = {"": "", "lab": self.lab.uuid, "own": self.user.uuid}[wanted]
        held = old.project is not None and (old.kind != "issued" or old.source is not None)
        reached = old.project if held else (project or self.user.uuid)
        may = self._works(old) and self._reaches(reached) and (not held or project in {"", old.project})
        try:
            proof = authentication.by_token(old.secret, client_ip=None)
            made = authentication.grant(proof, Scope(project_id=project))
        except Unauthenticated:
            assert not may
            return
        assert may
        kind = old.kind if old.source is not None else "held" if held else "issued"
        self.known.append(Known(made.secret, kind, reached, old.source))

    @precondition(lambda self: self.is_active)
    @rule(in_lab=st.booleans())
    def make_credential(self, in_lab: bool) -> None:
        project = self.lab.uuid if in_lab else self.user.uuid
        asker = tokens.of_session(self.user.user_id)
        wish = app_credentials.Wish(name=f"c{next(_numbers)}", project_id=project)
        try:
            row, secret = app_credentials.create(asker, wish)
        except DomainError:
            assert not self._reaches(project)
            return
        assert self._reaches(project)
        self.sources.append(Source("credential", row, secret))

    @precondition(lambda self: any(item.kind == "credential" for item in self.sources))
    @rule(data=st.data())
    def sign_in_by_credential(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from([item for item in self.sources if item.kind == "credential"]))
        may = self.is_active and source.is_alive and self._reaches(source.row.project_id)
        cache.clear()
        try:
            proof = authentication.by_app_credential(source.row.id, "", "", source.secret, client_ip=None)
            made = authentication.grant(proof, Scope())
        except Unauthenticated:
            assert not may
            return
        assert may
        self.known.append(Known(made.secret, "credential", source.row.project_id, source))

    @precondition(lambda self: self.is_active and any(item.kind == "credential" and item.is_alive for item in self.sources))
    @rule(data=st.data())
    def delete_credential(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from([item for item in self.sources if item.kind == "credential" and item.is_alive]))
        app_credentials.delete(tokens.of_session(self.user.user_id), source.row.id)
        source.is_alive = False

    @precondition(lambda self: self.is_active)
    @rule(offline=st.booleans())
    def let_a_client_in(self, offline: bool) -> None:
        asked = grants.Authorization(self.client, "api offline_access" if offline else "api", "https://app.example.org/", is_offline=offline)
        code = grants.authorize(asked, grants.SignIn(self._fresh(), timezone.now(), ("pwd",)))
        answer = grants.exchange(self.client, code, None, None)
        source = Source("grant", OAuthGrant.objects.latest("pk"), code, is_offline=offline, refresh=answer.get("refresh_token", ""))
        self.sources.append(source)
        self.known.append(Known(answer["access_token"], "oauth", None, source))

    @precondition(lambda self: any(item.kind == "grant" for item in self.sources))
    @rule(data=st.data())
    def show_a_code_again(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from([item for item in self.sources if item.kind == "grant"]))
        with pytest.raises(OAuthError):
            grants.exchange(self.client, source.secret, None, None)
        source.is_alive = False

    @precondition(lambda self: any(item.refresh for item in self.sources))
    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from([item for item in self.sources if item.refresh]))
        try:
            answer = grants.refresh(self.client, source.refresh, None)
        except OAuthError:
            assert not (source.is_alive and self.is_active)
            return
        assert source.is_alive
        assert self.is_active
        source.spent.append(source.refresh)
        source.refresh = answer["refresh_token"]
        self.known.append(Known(answer["access_token"], "oauth", None, source))

    @precondition(lambda self: any(item.spent for item in self.sources))
    @rule(data=st.data())
    def show_a_refresh_token_again(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from([item for item in self.sources if item.spent]))
        with pytest.raises(OAuthError):
            grants.refresh(self.client, data.draw(st.sampled_from(source.spent)), None)
        source.is_alive = False

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.known))
        found = tokens.find_token(token.secret)
        if found is not None:
            tokens.revoke(found)
        token.is_revoked = True

    @rule()
    def leave_or_join_the_lab(self) -> None:
        self.in_lab = not self.in_lab
        state = MembershipState.ACCEPTED if self.in_lab else MembershipState.REMOVED
        ProjectMembership.objects.filter(project=self.lab).update(state=state)

    @rule()
    def close_or_open_the_account(self) -> None:
        """Closing ends what lives shortly for good; what the user made himself works again when the account is opened."""
        _locked(self.user.user_id, users.deactivate if self.is_active else users.activate)
        if self.is_active:
            for token in self.known:
                token.is_revoked |= token.kind != "named"
            for source in self.sources:
                source.is_alive &= source.kind != "grant"
        self.is_active = not self.is_active

    @precondition(lambda self: self.is_active)
    @rule()
    def change_the_password(self) -> None:
        """Issued tokens end, and grants for the session; credentials and lasting grants do not."""
        _locked(self.user.user_id, users.store_password, make_password(None))
        for token in self.known:
            token.is_revoked |= token.kind in {"issued", "held"}
        for source in self.sources:
            source.is_alive &= source.kind != "grant" or source.is_offline

    @invariant()
    def a_token_works_exactly_while_all_is_in_order(self) -> None:
        for token in getattr(self, "known", []):
            try:
                caller = LocalIdentity().authenticate(token.secret)
            except Unauthenticated:
                assert not self._works(token), token
                continue
            assert self._works(token), token
            assert caller.user_id == self.user.uuid
            if token.project is not None:
                assert caller.project_ids == (token.project,)


def test_tokens_keep_to_the_model() -> None:
    run_state_machine_as_test(TokenMachine, settings=settings(
        max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)))
