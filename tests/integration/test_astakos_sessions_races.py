"""What two do at once with sessions and tokens ends as if one had come after the other."""

from __future__ import annotations

import pytest

from synnefo.astakos.models import ApiToken, TokenKind, WebSession
from synnefo.astakos.services import sessions, sign_ins, tokens
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import DomainError, Forbidden
from tests.support.identity import Http, make_user
from tests.support.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
MYACCOUNT = "/astakos/account/v1.0/myaccount"


def test_parallel_renewals_leave_one_api_token() -> None:
    user = make_user()
    issued = at_once(6, lambda _: tokens.renew_primary(user.user_id).secret)
    alive = ApiToken.objects.get(user=user, kind=TokenKind.PRIMARY, revoked_at=None)
    assert [secret for secret in issued if Http(str(secret)).get(MYACCOUNT).status_code == 200] == [tokens.shown_secret(alive)]


def test_parallel_first_sign_ins_share_one_api_token_and_all_live_on() -> None:
    user = make_user(password="correct horse battery")
    at_once(5, lambda number: sign_ins.open_session(user.user_id, f"key{number}", module="local"))
    assert ApiToken.objects.filter(user=user, kind=TokenKind.PRIMARY).count() == 1
    assert WebSession.objects.filter(user=user).count() == 5
    assert ApiToken.objects.filter(user=user, kind=TokenKind.SESSION, revoked_at=None).count() == 5


def test_no_session_survives_the_end_of_its_account() -> None:
    user = make_user(password="correct horse battery")

    def act(number: int) -> object:
        if number == 2:
            return modify_user(user.user_id, Changes(active=False))
        return sign_ins.open_session(user.user_id, f"key{number}", module="local")

    done = at_once(5, act)
    assert all(not isinstance(item, DomainError) or isinstance(item, Forbidden) for item in done)
    assert not WebSession.objects.exists()
    assert not ApiToken.objects.filter(kind=TokenKind.SESSION, revoked_at=None).exists()


def test_two_browsers_that_end_all_others_end_each_other() -> None:
    user = make_user(password="correct horse battery")
    for number in range(4):
        sign_ins.open_session(user.user_id, f"key{number}", module="local")
    at_once(2, lambda number: sessions.end_others(user.user_id, f"key{number}"))
    assert WebSession.objects.count() == 0, "each ended the other"
