"""Overview, usage and API access."""

from __future__ import annotations

import collections
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from synnefo.common.settings import conf
from synnefo.web import machines, usage
from synnefo.web.gateway import Gateway
from synnefo.web.views.common import page

SHOWN = 5
"""Of each kind of news."""


@page("GET")
def overview(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    servers = gateway.get("compute", "/servers/detail")["servers"]
    counts = collections.Counter(server["status"] for server in servers)
    states = [{"label": machines.STATUSES.get(status, ("Unknown", ""))[0].lower(), "kind": machines.STATUSES.get(status, ("", ""))[1],
               "count": count} for status, count in sorted(counts.items())]
    quotas = gateway.get("account", "/quotas")
    own = usage.bars(quotas, gateway.get("account", "/resources"), gateway.caller.project_id)[:1]
    has_files = any(holdings.get("pithos.diskspace", {}).get("usage") for holdings in quotas.values())
    context = {"name": gateway.caller.name or gateway.caller.email, "states": states, "projects": own, "tasks": _tasks(servers),
               "requests": _requests(gateway), **_applications(gateway), "has_machines": bool(servers), "has_files": has_files,
               "is_new": not servers and not has_files}
    return render(request, "web/overview.html", context)


def _tasks(servers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is under way with machines."""
    return [{"id": server["id"], "name": server["name"], "task": machines.TASKS.get(str(server["SNF:task_state"]), "Busy")}
            for server in servers if server.get("SNF:task_state")][:SHOWN]


def _requests(gateway: Gateway) -> list[dict[str, Any]]:
    """The user's projects in which somebody waits for an answer, with how many."""
    owned = {item["id"]: item["name"] for item in gateway.get("account", "/projects", mode="related", owner=gateway.caller.user_id, state="active")
             if not item["system_project"]}
    if not owned:
        return []
    waiting = gateway.get("account", "/projects/memberships", state="requested,leave_requested")
    counts = collections.Counter(item["project"] for item in waiting if item["project"] in owned)
    return [{"project": project, "name": owned[project], "count": count} for project, count in counts.most_common(SHOWN)]


def _applications(gateway: Gateway) -> dict[str, list[dict[str, Any]]]:
    """Of the user's own that wait for an answer (`asked`), and those of others that he may answer (`to_answer`)."""
    pending = gateway.get("account", "/projects/apps", state="pending", limit="100")
    asked = [item for item in pending if item["applicant"] == gateway.caller.user_id]
    return {"asked": asked[:SHOWN], "to_answer": [item for item in pending if item not in asked][:SHOWN]}


@page("GET")
def show_usage(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    projects = {item["id"]: item for item in gateway.get("account", "/projects", mode="related", limit="1000")}
    groups = usage.groups(gateway.get("account", "/quotas"), gateway.get("account", "/resources"), projects, gateway.caller.project_id,
                          with_all="all" in request.GET)
    context = {"groups": groups, "with_all": "all" in request.GET, "seconds": max(1, conf.ASTAKOS_USAGE_UPDATE_INTERVAL // 1000)}
    return render(request, "web/usage.html", context)


def api_access(request: HttpRequest) -> HttpResponse:
    """The page's former address."""
    return HttpResponseRedirect(reverse("astakos-api-access"))
