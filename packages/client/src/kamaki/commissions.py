"""Astakos, as services see it: commissions and everybody's quotas. Needs the token of a service."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from kamaki.transport import Transport


class Commissions:
    """The part of the account API that answers services only. Answers are as the server gives them."""

    def __init__(self, account: Transport) -> None:
        self._account = account

    def pending(self) -> list[dict[str, Any]]:
        """Commissions of the service that wait for a decision: [{serial, name, issue_time}]."""
        return list(self._account.json("GET", "/commissions", params={"detail": "1"}))

    def get(self, serial: int) -> dict[str, Any]:
        return dict(self._account.json("GET", f"/commissions/{serial}"))

    def issue(self, user: str, project: str, charges: Mapping[str, int], *, name: str = "", force: bool = False, accept: bool = False) -> int:
        """Charge the user's holdings and the project's together; returns the serial. `accept`: at once. Negative numbers give back."""
        source = f"project:{project}"
        provisions = [{"holder": holder, "source": holder_source, "resource": resource, "quantity": quantity}
                      for resource, quantity in charges.items() for holder, holder_source in ((f"user:{user}", source), (source, None))]
        body = {"provisions": provisions, "name": name, "force": force, "auto_accept": accept, "request_id": uuid.uuid4().hex}
        return int(self._account.json("POST", "/commissions", json=body)["serial"])

    def settle(self, serial: int, action: str) -> None:
        """accept or reject."""
        self._account.request("POST", f"/commissions/{serial}/action", json={action: ""})

    def resolve(self, *, accept: Sequence[int] = (), reject: Sequence[int] = ()) -> dict[str, Any]:
        """{accepted, rejected, failed: [[serial, fault]]}."""
        return dict(self._account.json("POST", "/commissions/action", json={"accept": list(accept), "reject": list(reject)}))

    def quotas(self, *, user: str | None = None, project: str | None = None) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
        """{user: {project: {resource: numbers}}} of the service's resources."""
        params = {key: value for key, value in (("user", user), ("project", project)) if value is not None}
        return dict(self._account.json("GET", "/service_quotas", params=params))
