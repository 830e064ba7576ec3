"""Astakos: projects, applications and memberships."""

from __future__ import annotations

from typing import Any

from kamaki.transport import Transport


class Projects:
    """The projects API, below the account API. Answers are as the server gives them."""

    def __init__(self, account: Transport) -> None:
        self._account = account

    def find(self, **filters: str) -> list[dict[str, Any]]:
        """`filters`: mode, state, owner, name."""
        return list(self._account.json("GET", "/projects", params=filters))

    def get(self, project: str) -> dict[str, Any]:
        return dict(self._account.json("GET", f"/projects/{project}"))

    def create(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """{id, application}."""
        return dict(self._account.json("POST", "/projects", json=wanted))

    def modify(self, project: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """{id, application}: what is not in `wanted` stays."""
        return dict(self._account.json("PUT", f"/projects/{project}", json=wanted))

    def act(self, project: str, action: str, reason: str = "", application: int | None = None) -> None:
        """suspend, unsuspend, terminate, reinstate; with an application: approve, deny, cancel, dismiss."""
        value: dict[str, Any] = {"reason": reason} | ({} if application is None else {"app_id": application})
        self._account.request("POST", f"/projects/{project}/action", json={action: value})

    def join(self, project: str) -> int:
        """The membership; whether it is accepted already is in its state."""
        return int(self._account.json("POST", "/projects/memberships", json={"join": {"project": project}})["id"])

    def enroll(self, project: str, email: str) -> int:
        body = {"enroll": {"project": project, "user": email}}
        return int(self._account.json("POST", "/projects/memberships", json=body)["id"])

    def memberships(self, **filters: str) -> list[dict[str, Any]]:
        """`filters`: project, state."""
        return list(self._account.json("GET", "/projects/memberships", params=filters))

    def membership(self, number: int) -> dict[str, Any]:
        return dict(self._account.json("GET", f"/projects/memberships/{number}"))

    def act_on_membership(self, number: int, action: str, reason: str = "") -> None:
        self._account.request("POST", f"/projects/memberships/{number}/action", json={action: reason})

    def set_default(self, project: str) -> None:
        self._account.request("POST", "/myaccount/default_project", json={"project_id": project})
