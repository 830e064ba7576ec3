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


def _projects(gateway: Gateway) -> list[dict[str, Any]]:
    return usage.bars(gateway.get("account", "/quotas"), gateway.get("account", "/resources"), gateway.caller.project_id)


@page("GET")
def overview(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    servers = gateway.get("compute", "/servers/detail")["servers"]
    counts = collections.Counter(server["status"] for server in servers)
    states = [{"label": machines.STATUSES.get(status, ("Unknown", ""))[0].lower(), "kind": machines.STATUSES.get(status, ("", ""))[1],
               "count": count} for status, count in sorted(counts.items())]
    context = {"name": gateway.caller.name or gateway.caller.email, "states": states, "projects": _projects(gateway)[:1]}
    return render(request, "web/overview.html", context)


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
