"""Accounts in any order of sign-ups, links, decisions and closings, held to a model: each state is reached as promised, refusals
change nothing, and whoever was let in has one system project and one welcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.core.management import call_command
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from synnefo.astakos.models import LoginMethod, Project, QueuedMail, User
from synnefo.astakos.services import signup, users, verification
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import AlreadyExists, NotFound, StateConflict
from synnefo.common.settings import conf

pytestmark = pytest.mark.django_db(transaction=True)
EMAILS = ("ann@example.org", "bob@example.org")
STATUS = {"unverified": "Pending email verification", "waiting": "Pending moderation", "rejected": "Rejected",
          "active": "Accepted/Active", "inactive": "Accepted/Inactive"}
who = st.sampled_from(EMAILS)


class Accounts(RuleBasedStateMachine):
    @initialize(moderated=st.booleans())
    def start(self, moderated: bool) -> None:
        call_command("flush", interactive=False, verbosity=0)
        cache.clear()
        self.states: dict[str, str] = {}
        self.welcomes: Counter[str] = Counter()
        self.codes: dict[str, list[str]] = {email: [] for email in EMAILS}
        self._moderate(moderated)

    def _moderate(self, moderated: bool) -> None:
        self.moderated = moderated
        conf.override(ASTAKOS_MODERATION_ENABLED=moderated)

    def _try(self, work: Callable[[], Any]) -> bool:
        try:
            work()
        except (StateConflict, AlreadyExists, NotFound):
            return False
        return True

    def _read_mail(self, email: str) -> None:
        body = QueuedMail.objects.filter(recipient__contains=email, template="im/activation_email.txt").latest("pk").body
        address = next(line for line in body.splitlines() if "/ui/activate?" in line)
        self.codes[email].append(parse_qs(urlsplit(address).query)["auth"][0])

    def _let_in(self, email: str) -> None:
        self.states[email] = "active"
        self.welcomes[email] += 1

    @rule(moderated=st.booleans())
    def decide_on_moderation(self, moderated: bool) -> None:
        self._moderate(moderated)

    @rule(email=who, upper=st.booleans())
    def sign_up(self, email: str, upper: bool) -> None:
        done = self._try(lambda: signup.sign_up(email.upper() if upper else email, "A", "B", "a quiet river"))
        assert done == (self.states.get(email, "unverified") == "unverified")
        if done:
            self.states[email] = "unverified"
            self._read_mail(email)

    @rule(email=who)
    def send_again(self, email: str) -> None:
        user = User.objects.filter(email=email).first()
        if user is not None and self._try(lambda: verification.send_again(user.user_id)):
            assert self.states[email] == "unverified"
            self._read_mail(email)

    @rule(email=who, back=st.integers(0, 2))
    def follow(self, email: str, back: int) -> None:
        if back >= len(self.codes[email]):
            return
        done = self._try(lambda: verification.confirm(self.codes[email][-1 - back]))
        assert done == (back == 0 and self.states.get(email) == "unverified")
        if done:
            self._verified(email)

    def _verified(self, email: str) -> None:
        if self.moderated:
            self.states[email] = "waiting"
        else:
            self._let_in(email)

    def _modify(self, email: str, **changes: Any) -> bool:
        user = User.objects.filter(email=email).first()
        return user is not None and self._try(lambda: modify_user(user.user_id, Changes(**changes)))

    @rule(email=who)
    def verify(self, email: str) -> None:
        done = self._modify(email, verify=True)
        assert done == (self.states.get(email) == "unverified")
        if done:
            self._verified(email)

    @rule(email=who, with_verify=st.booleans())
    def accept(self, email: str, with_verify: bool) -> None:
        before = self.states.get(email)
        done = self._modify(email, accept=True, verify=with_verify)
        assert done == (before == "unverified" if with_verify else before in {"waiting", "rejected"})
        if done:
            self._let_in(email)

    @rule(email=who)
    def reject(self, email: str) -> None:
        done = self._modify(email, reject_reason="no")
        assert done == (self.states.get(email) == "waiting")
        if done:
            self.states[email] = "rejected"

    @rule(email=who, active=st.booleans())
    def switch(self, email: str, active: bool) -> None:
        before = self.states.get(email)
        done = self._modify(email, active=active)
        assert done == (before == "inactive" if active else before in {"active", "inactive"})
        if done:
            self.states[email] = "active" if active else "inactive"

    @rule(email=who)
    def delete(self, email: str) -> None:
        user = User.objects.filter(email=email).first()
        done = user is not None and self._try(lambda: users.delete_account(user.user_id))
        assert done == (self.states.get(email) in {"unverified", "waiting", "rejected"})
        if done:
            del self.states[email]

    @invariant()
    def accounts_are_as_the_model_says(self) -> None:
        found = {user.email: user for user in User.objects.all()}
        assert set(found) == set(self.states)
        for email, state in self.states.items():
            user = found[email]
            assert user.status.startswith(STATUS[state]), (email, user.status, state)
            assert user.is_active == (state == "active")
            assert Project.objects.filter(uuid=user.uuid).count() == (state in {"active", "inactive"})
        assert LoginMethod.objects.count() == len(self.states)

    @invariant()
    def every_welcome_was_said_once(self) -> None:
        mails = QueuedMail.objects.filter(template="im/welcome_email.txt").values_list("recipient", flat=True)
        sent = Counter(next(email for email in EMAILS if email in recipient) for recipient in mails)
        assert sent == self.welcomes


def test_accounts_keep_to_the_model(settings_override: Any) -> None:
    settings_override(ASTAKOS_MODERATION_ENABLED=True)  # and back afterwards
    run_state_machine_as_test(Accounts, settings=settings(
        max_examples=12, stateful_step_count=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)))
