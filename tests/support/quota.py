"""Holdings, components and requests for tests of the quota ledger, and the check that it contradicts nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.test import Client

from synnefo.astakos.quotaholder import services as ledger
from synnefo.astakos.quotaholder.models import Holding, Provision, ProvisionLog
from synnefo.astakos.services import components, resources, tokens, users

ROOT = "/astakos/account/v1.0"


def holding(holder: str, source: str = "", resource: str = "r", *, limit: int = 10) -> tuple[str, str, str]:
    """Make a holding, or change its limit."""
    with transaction.atomic():
        ledger.set_limits_in_transaction({(holder, source, resource): limit})
    return holder, source, resource


def charge(key: tuple[str, str, str], quantity: int) -> ledger.Charge:
    return ledger.Charge(*key, quantity)


def counters(key: tuple[str, str, str]) -> tuple[int, int]:
    """(usage_min, usage_max)."""
    row = Holding.objects.get(holder=key[0], source=key[1], resource=key[2])
    return row.usage_min, row.usage_max


def assert_balanced(*, was_forced: bool = False) -> None:
    """Every counter is what the log of accepted provisions and the pending ones add up to, and within its limit."""
    definite: Counter[tuple[str, str, str]] = Counter()
    for line in ProvisionLog.objects.filter(reason__startswith="ACCEPT"):
        definite[line.holder, line.source, line.resource] += line.delta
    charges: Counter[tuple[str, str, str]] = Counter()
    releases: Counter[tuple[str, str, str]] = Counter()
    for provision in Provision.objects.all():
        (charges if provision.quantity > 0 else releases)[provision.key] += provision.quantity
    for row in Holding.objects.all():
        assert row.usage_max == definite[row.key] + charges[row.key], row
        assert row.usage_min == definite[row.key] + releases[row.key], row
        assert 0 <= row.usage_min <= row.usage_max, row
        assert was_forced or row.usage_max <= row.limit, row


def component(name: str = "cyclades") -> str:
    """A component of that name; returns its token."""
    return components.add_component(name)[1]


def resource(name: str = "cyclades.vm", *, owner: str = "cyclades", **more: Any) -> None:
    definition = {"name": name, "desc": f"Number of {name}", "service_type": "test", "service_origin": f"{owner}_test", **more}
    with transaction.atomic():
        resources.register_resource(definition, owner)


def user(email: str = "ann@example.org", **more: Any) -> tuple[str, str]:
    """An active user; returns uuid and token."""
    made = users.create_user(email, **more)
    return made.uuid, tokens.issue_named(made, "test").secret


def pair(uuid: str, quantity: int, resource: str = "cyclades.vm", *, project: str = "") -> list[dict[str, Any]]:
    """Both provisions of a charge, as the API takes them."""
    source = f"project:{project or uuid}"
    return [{"holder": f"user:{uuid}", "source": source, "resource": resource, "quantity": quantity},
            {"holder": source, "source": None, "resource": resource, "quantity": quantity}]


class Api:
    """The account API with one token."""

    def __init__(self, token: str = "") -> None:
        self.client = Client(headers={"X-Auth-Token": token} if token else {})

    def get(self, path: str, **query: str) -> Any:
        return self.client.get(f"{ROOT}/{path}", query)

    def post(self, path: str, body: object, **headers: str) -> Any:
        return self.client.post(f"{ROOT}/{path}", json.dumps(body), content_type="application/json", headers=headers)

    def issue(self, provisions: Iterable[object], **more: Any) -> Any:
        return self.post("commissions", {"provisions": list(provisions), **more})


def json_of(response: Any, status: int = 200) -> Any:
    """The body, streamed or not, after a look at the status."""
    body = b"".join(response) if response.streaming else response.content
    assert response.status_code == status, body
    return json.loads(body)


def fault_of(response: Any, status: int) -> tuple[str, dict[str, Any]]:
    """Name and contents of the fault."""
    ((name, body),) = json_of(response, status).items()
    assert body["code"] == status
    return name, body
