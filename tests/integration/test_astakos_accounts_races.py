"""What several do at once with one account ends as if one had come after the other."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from synnefo.astakos.models import LoginMethod, Project, QueuedMail, User
from synnefo.astakos.services import signup, users, verification
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import AlreadyExists, DomainError, NotFound, StateConflict
from tests.support.together import at_once

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a quiet river"


def newest_code() -> str:
    body = QueuedMail.objects.filter(template="im/activation_email.txt").latest("pk").body
    address = next(line for line in body.splitlines() if "/ui/activate?" in line)
    return parse_qs(urlsplit(address).query)["auth"][0]


def welcomes() -> int:
    return QueuedMail.objects.filter(template="im/welcome_email.txt").count()


def test_a_link_pressed_twice_and_a_command_open_one_account_once() -> None:
    user = signup.sign_up("ann@example.org", "", "", PASSWORD)
    code = newest_code()

    def act(number: int) -> object:
        return modify_user(user.user_id, Changes(verify=True)) if number == 3 else verification.confirm(code)

    done = at_once(4, act)
    assert sum(not isinstance(item, DomainError) for item in done) == 1
    assert all(isinstance(item, NotFound | StateConflict) for item in done if isinstance(item, DomainError))
    assert (Project.objects.filter(uuid=user.uuid).count(), welcomes()) == (1, 1)


def test_an_account_is_accepted_once() -> None:
    user = users.create_user("ann@example.org", accepted=False, verified=False)
    modify_user(user.user_id, Changes(set_admin=False))
    done = at_once(4, lambda number: modify_user(user.user_id, Changes(verify=True, accept=True)))
    assert sum(not isinstance(item, DomainError) for item in done) == 1
    assert (Project.objects.filter(uuid=user.uuid).count(), welcomes()) == (1, 1)


def test_people_who_sign_up_at_once_with_one_e_mail_leave_one_account() -> None:
    done = at_once(5, lambda number: signup.sign_up("ann@example.org", str(number), "", PASSWORD))
    assert all(not isinstance(item, DomainError) or isinstance(item, AlreadyExists) for item in done)
    user = User.objects.get()
    assert LoginMethod.objects.count() == 1
    assert verification.find(newest_code_of(user)).pk == user.pk


def newest_code_of(user: User) -> str:
    """The one code that works: mails of accounts that gave way are there too."""
    for mail in QueuedMail.objects.filter(template="im/activation_email.txt").order_by("-pk"):
        address = next(line for line in mail.body.splitlines() if "/ui/activate?" in line)
        code = parse_qs(urlsplit(address).query)["auth"][0]
        if verification._hash(code) == user.verification_hash:
            return code
    raise AssertionError("no mail has the account's code")


def test_confirming_and_signing_up_again_at_once_never_leaves_two_or_none() -> None:
    signup.sign_up("ann@example.org", "first", "", PASSWORD)
    code = newest_code()
    done = at_once(2, lambda number: verification.confirm(code) if number else signup.sign_up("ann@example.org", "second", "", PASSWORD))
    user = User.objects.get()
    assert user.email_verified == (user.first_name == "first")
    assert sum(not isinstance(item, DomainError) for item in done) == 1
