"""Machines: list, details, creation, actions, console."""

from __future__ import annotations

import base64
import itertools
import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from synnefo.common.errors import InvalidInput
from synnefo.common.settings import conf
from synnefo.web import machines
from synnefo.web.gateway import ApiFault, Gateway
from synnefo.web.views.common import page

SLOW_S, FAST_S = 5, 2
MAX_MESSAGES = 50
AUTHORIZED_KEYS = "/root/.ssh/authorized_keys"
ACTIONS: dict[str, tuple[str, str, Any]] = {
    "start": ("POST", "/action", {"start": {}}),
    "shutdown": ("POST", "/action", {"shutdown": {}}),
    "reboot": ("POST", "/action", {"reboot": {"type": "SOFT"}}),
    "destroy": ("DELETE", "", None),
}


def _names(gateway: Gateway) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Flavors and image names by id."""
    flavors = {str(item["id"]): item for item in gateway.get("compute", "/flavors/detail")["flavors"]}
    images = {str(item["id"]): item["name"] for item in gateway.get("compute", "/images")["images"]}
    return flavors, images


def _listed(gateway: Gateway) -> dict[str, Any]:
    flavors, images = _names(gateway)
    shown = [machines.present(item, flavors, images) for item in gateway.get("compute", "/servers/detail")["servers"]]
    return {"machines": shown, "interval": FAST_S if any(item.state_kind == "busy" for item in shown) else SLOW_S}


@page("GET")
def index(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    return render(request, "web/machines/list.html", _listed(gateway))


def _details(gateway: Gateway, server_id: int) -> dict[str, Any]:
    server = gateway.get("compute", f"/servers/{server_id}")["server"]
    shown = machines.present(server, *_names(gateway))
    told = (item for item in gateway.get("compute", f"/servers/{server_id}/diagnostics") if item["level"] != "DEBUG")
    if shown.ports:
        networks = {str(item["id"]): item["name"] for item in gateway.get("network", "/networks")["networks"]}
        shown.ports = [port | {"network_name": networks.get(port["network"], "")} for port in shown.ports]
    shown.diagnostics = [item | {"when": parse_datetime(item["created"])} for item in itertools.islice(told, MAX_MESSAGES)]
    return {"machine": shown, "interval": FAST_S if shown.state_kind == "busy" else SLOW_S}


@page("GET")
def show(request: HttpRequest, gateway: Gateway, server_id: int) -> HttpResponse:
    """Details. The password of a machine that was just created is shown by this one page load and never again."""
    context = _details(gateway, server_id)
    if not getattr(request, "htmx", False):
        context["password"] = request.session.pop(f"password-{server_id}", None)
    return render(request, "web/machines/show.html", context)


@page("POST")
def act(request: HttpRequest, gateway: Gateway, server_id: int, action: str) -> HttpResponse:
    if action not in ACTIONS:
        raise InvalidInput(f"There is no action {action}.")
    method, path, body = ACTIONS[action]
    gateway.call(method, "compute", f"/servers/{server_id}{path}", data=body)
    if request.headers.get("HX-Target") == "machine":
        return render(request, "web/machines/details.html", _details(gateway, server_id))
    return render(request, "web/machines/cards.html", _listed(gateway))


@page("GET", "POST")
def create(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    if request.method == "GET":
        return _form(request, gateway, {"name": "", "image": "", "flavor": ""})
    form = {name: request.POST.get(name, "").strip() for name in ("name", "image", "flavor", "ssh_key", "key")}
    server: dict[str, Any] = {"name": form["name"], "imageRef": form["image"], "flavorRef": form["flavor"]}
    if form["ssh_key"]:
        contents = base64.b64encode(form["ssh_key"].encode() + b"\n").decode()
        server["personality"] = [{"path": AUTHORIZED_KEYS, "contents": contents, "owner": "root", "group": "root", "mode": 0o600}]
    try:
        made = gateway.call("POST", "compute", "/servers", data={"server": server}, headers={"Idempotency-Key": form["key"]}).json()["server"]
    except ApiFault as error:
        return _form(request, gateway, form, str(error), error.status)
    if "adminPass" in made:  # a repeated request is not told again
        request.session[f"password-{made['id']}"] = made["adminPass"]
    return HttpResponseRedirect(reverse("machine", args=[made["id"]]))


def _form(request: HttpRequest, gateway: Gateway, form: dict[str, str], error: str = "", status: int = 200) -> HttpResponse:
    flavors = [item | {"size": machines.flavor_size(item), "reason": "" if item.get("SNF:allow_create", True) else "not offered now"}
               for item in gateway.get("compute", "/flavors/detail")["flavors"]]
    flavors.sort(key=lambda item: (item["ram"], item["vcpus"], item["disk"]))
    images = [{"id": str(item["id"]), "name": item["name"], "description": (item.get("properties") or {}).get("description", "")}
              for item in gateway.get("image", "/images/detail")["images"]]
    context = {"form": form, "error": error, "images": images, "flavors": flavors, "key": str(uuid.uuid4())}
    return render(request, "web/machines/create.html", context, status=status)


@page("GET")
def console(request: HttpRequest, gateway: Gateway, server_id: int) -> HttpResponse:
    server = gateway.get("compute", f"/servers/{server_id}")["server"]
    return render(request, "web/console.html", {"name": server["name"], "server_id": server_id})


@page("POST")
def ticket(request: HttpRequest, gateway: Gateway, server_id: int) -> JsonResponse:
    """A fresh address of the console proxy, good for one connection within a minute."""
    body = {"os-getVNCConsole": {"type": "novnc"}}
    console_ = gateway.call("POST", "compute", f"/servers/{server_id}/action", data=body).json()["console"]
    return JsonResponse({"url": console_["SNF:socket_url"]})


@require_GET
def console_by_token(request: HttpRequest) -> HttpResponse:
    """The page behind the address that the API hands out: its single-use token is all the authority it has."""
    token = request.GET.get("token", "")[:200]
    return render(request, "web/console.html", {"name": "a machine", "socket_url": f"{conf.CONSOLE_PROXY_URL}/console/ws?{urlencode({'token': token})}"})
