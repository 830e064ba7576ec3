"""The same account wanted by several at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from synnefo.astakos.models import Project, User
from synnefo.astakos.services.user_changes import Changes, modify_user
from synnefo.common.errors import AlreadyExists, StateConflict
from tests.support.identity import make_user

pytestmark = pytest.mark.django_db(transaction=True)
RIVALS = 4


def _together(work: Callable[[], object]) -> Counter[str]:
    """Run it in several threads at once; counts outcomes."""
    barrier, outcomes, lock = threading.Barrier(RIVALS), Counter[str](), threading.Lock()

    def run() -> None:
        barrier.wait(30)
        try:
            work()
            outcome = "done"
        except (AlreadyExists, StateConflict):
            outcome = "refused"
        except Exception as error:  # noqa: BLE001 - reported by the test
            outcome = repr(error)
        finally:
            connection.close()
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=run) for _ in range(RIVALS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_one_registration_of_an_address_survives() -> None:
    assert _together(make_user) == {"done": 1, "refused": RIVALS - 1}
    assert (User.objects.count(), Project.objects.count()) == (1, 1)


def test_an_account_is_accepted_once() -> None:
    user = make_user(verified=False)
    assert _together(lambda: modify_user(user.user_id, Changes(verify=True, accept=True))) == {"done": 1, "refused": RIVALS - 1}
    assert [project.uuid for project in Project.objects.all()] == [user.uuid]
