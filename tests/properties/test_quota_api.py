"""Whatever is sent to the commission API: an answer below 500, and a ledger that adds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synnefo.astakos.quotaholder.models import Holding
from tests.support.quota import Api, assert_balanced, component, resource, user

pytestmark = pytest.mark.django_db
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8)
QUANTITY = st.integers(-5, 5) | st.sampled_from([2**63 - 1, 2**63, -(2**63), 10**40, 0]) | JSON
NAMES = st.sampled_from(["USER", "PROJECT", "cyclades.vm", "", "x", "y" * 400]) | JSON
LINE = st.fixed_dictionaries({"holder": NAMES, "source": st.none() | NAMES, "resource": NAMES, "quantity": QUANTITY})
GOOD = st.sampled_from([("USER", "PROJECT"), ("PROJECT", None)]).flatmap(lambda key: st.fixed_dictionaries(
    {"holder": st.just(key[0]), "source": st.just(key[1]), "resource": st.just("cyclades.vm"), "quantity": QUANTITY}))
ISSUE = st.fixed_dictionaries(
    {"provisions": st.lists(GOOD | GOOD | LINE, max_size=4) | JSON},
    optional={"name": st.text(max_size=20) | JSON, "force": st.booleans() | JSON, "auto_accept": st.booleans() | JSON,
              "unbalanced": st.just(True) | JSON, "request_id": st.sampled_from(["a", "b", "c"]) | JSON})
SERIALS = st.lists(st.integers(-2, 40) | st.sampled_from([2**63, 10**30]), max_size=5)


@pytest.fixture
def service() -> tuple[Api, str]:
    made = Api(component("cyclades"))
    resource("cyclades.vm")
    uuid, _ = user("ann@example.org")
    Holding.objects.update(limit=8)
    return made, uuid


def _real(value: Any, uuid: str) -> Any:
    """The strategies' placeholders with the names of this run."""
    if isinstance(value, dict):
        return {key: _real(item, uuid) for key, item in value.items()}
    if isinstance(value, list):
        return [_real(item, uuid) for item in value]
    return {"USER": f"user:{uuid}", "PROJECT": f"project:{uuid}"}.get(value, value) if isinstance(value, str) else value


@QUICK
@given(body=ISSUE | JSON)
def test_any_issue(service: tuple[Api, str], body: Any) -> None:
    api, uuid = service
    answer = api.post("commissions", _real(body, uuid))
    assert answer.status_code in {201, 400, 404, 409, 413}, answer.content
    assert_balanced(was_forced=True)


@QUICK
@given(body=st.fixed_dictionaries({}, optional={"accept": SERIALS | JSON, "reject": SERIALS | JSON}) | JSON, serial=st.integers(0, 40) | st.text(
    alphabet=st.characters(exclude_characters="/?#\0\\.%\r\n\t", exclude_categories=["Cs"]), min_size=1, max_size=6))
def test_any_decision(service: tuple[Api, str], body: Any, serial: Any) -> None:
    api, uuid = service
    api.issue([{"holder": f"user:{uuid}", "source": f"project:{uuid}", "resource": "cyclades.vm", "quantity": 1}], unbalanced=True)
    for path in ("commissions/action", f"commissions/{serial}/action"):
        answer = api.post(path, body)
        assert answer.status_code in {200, 400, 404}, answer.content
    assert_balanced()
