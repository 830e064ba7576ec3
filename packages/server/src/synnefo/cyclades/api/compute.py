"""The compute API, v2.0 (legacy) and v2.1 (modern), over one set of services.

`ROUTES` is the table of both: path pattern, and the view of each method. A view gets (call, *path groups) and returns a response.
"""

from __future__ import annotations

import re

from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse

from synnefo.common import errors, faults
from synnefo.common.auth import api_caller
from synnefo.common.errors import InvalidInput, MethodNotAllowed, NotFound
from synnefo.common.faults import Fault
from synnefo.cyclades import policy
from synnefo.cyclades.api import compute_actions as actions
from synnefo.cyclades.api import compute_catalog as catalog
from synnefo.cyclades.api import compute_parts as parts
from synnefo.cyclades.api import compute_quotas as quotas
from synnefo.cyclades.api import compute_servers as servers
from synnefo.cyclades.api import requests
from synnefo.cyclades.api.compute_call import LEGACY, MODERN, Call, type_view

LOWEST, HIGHEST = (2, 1), (2, 56)

faults.add_dialect("compute-2.0", overrides={
    # The legacy surface knows "busy" only while a server is built.
    errors.StateConflict: Fault("conflict", 409), errors.Busy: Fault("buildInProgress", 409),
})
faults.add_dialect("compute-2.1", overrides={
    errors.QuotaExceeded: Fault("forbidden", 403), errors.Busy: Fault("conflictingRequest", 409), errors.StateConflict: Fault("conflictingRequest", 409),
    policy.WrongState: Fault("conflictingRequest", 409),
})


def dispatch(request: HttpRequest, version: str, path: str) -> HttpResponse:
    """Find the route, do the call, answer in the surface's dialect."""
    dialect = "compute-2.1" if version == MODERN else "compute-2.0"
    microversion = LOWEST
    try:
        microversion = _microversion(request) if version == MODERN else (2, 0)
        view, groups = _find(request, version, path)
        response = view(Call(request, api_caller(request), version, microversion), *groups)
    except _NotAcceptable as error:
        response = JsonResponse({"computeFault": {"code": 406, "message": str(error)}}, status=406)
    except DataError:
        response = faults.render(InvalidInput("A value of the request is of a form that cannot be looked up."), dialect)
    except Exception as error:  # noqa: BLE001 - the process boundary of a request
        response = faults.render(error, dialect)
    _finish(response, version, microversion)
    return response


dispatch.csrf_exempt = True  # type: ignore[attr-defined]  # the token is a header, which no foreign page can set


class _NotAcceptable(Exception):
    pass


def _finish(response: HttpResponse, version: str, microversion: tuple[int, int]) -> None:
    response["Vary"] = "X-Auth-Token"
    response["Cache-Control"] = "no-cache, no-store, must-revalidate"
    if version == MODERN:
        text = f"{microversion[0]}.{microversion[1]}"
        response["OpenStack-API-Version"] = f"compute {text}"
        response["X-OpenStack-Nova-API-Version"] = text
        response["Vary"] = "X-Auth-Token, OpenStack-API-Version, X-OpenStack-Nova-API-Version"


def _microversion(request: HttpRequest) -> tuple[int, int]:
    text = request.headers.get("X-OpenStack-Nova-API-Version", "")
    for item in request.headers.get("OpenStack-API-Version", "").split(","):
        service, _, value = item.strip().partition(" ")
        if service.lower() == "compute":
            text = value.strip()
    if not text:
        return LOWEST
    if text == "latest":
        return HIGHEST
    match = re.fullmatch(r"([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})", text)
    if match is None:
        raise InvalidInput("The API version has the form MAJOR.MINOR.")
    wanted = (int(match[1]), int(match[2]))
    if not LOWEST <= wanted <= HIGHEST:
        raise _NotAcceptable(f"Version {text} is not supported. Minimum is 2.1 and maximum is 2.56.")
    return wanted


def _find(request: HttpRequest, version: str, path: str) -> tuple[type_view, tuple[str, ...]]:
    path = re.sub(r"\.json$", "", path.strip("/")) if version == LEGACY else path.strip("/")
    if request.GET.get("format") == "xml" or path.endswith(".xml"):
        raise InvalidInput("Only JSON is spoken here.")
    requests.check_text_of(request)
    allowed: list[str] = []
    for pattern, methods in ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        view = methods.get(request.method or "")
        if view is not None:
            return view, match.groups()
        allowed += list(methods)
    api_caller(request)
    if allowed:
        raise MethodNotAllowed(tuple(dict.fromkeys(allowed)))
    if version == LEGACY:
        raise InvalidInput("API endpoint not found.")
    raise NotFound("API endpoint not found.")


def _route(pattern: str, **methods: type_view) -> tuple[re.Pattern[str], dict[str, type_view]]:
    return re.compile(pattern), methods


ROUTES = [
    _route(r"servers", GET=servers.list_servers, POST=servers.create_server),
    _route(r"servers/detail", GET=servers.list_servers_detail),
    _route(r"servers/([^/]+)", GET=servers.get_server, PUT=servers.rename_server, DELETE=servers.delete_server),
    _route(r"servers/([^/]+)/action", POST=actions.act),
    _route(r"servers/([^/]+)/remote-consoles", POST=actions.remote_console),
    _route(r"servers/([^/]+)/ips", GET=parts.get_addresses),
    _route(r"servers/([^/]+)/ips/([^/]+)", GET=parts.get_network_addresses),
    _route(r"servers/([^/]+)/metadata", GET=parts.get_metadata, POST=parts.post_metadata, PUT=parts.put_metadata),
    _route(r"servers/([^/]+)/metadata/([^/]+)", GET=parts.get_metadata_item, PUT=parts.put_metadata_item, DELETE=parts.delete_metadata_item),
    _route(r"servers/([^/]+)/diagnostics", GET=parts.get_diagnostics),
    _route(r"servers/([^/]+)/os-volume_attachments", GET=parts.get_volume_attachments),
    _route(r"servers/([^/]+)/os-volume_attachments/([^/]+)", GET=parts.get_volume_attachment),
    _route(r"servers/([^/]+)/os-security-groups", GET=parts.get_security_groups),
    _route(r"servers/([^/]+)/os-interface", GET=parts.get_interfaces, POST=parts.add_interface),
    _route(r"servers/([^/]+)/os-interface/([^/]+)", GET=parts.get_interface, DELETE=parts.remove_interface),
    _route(r"flavors", GET=catalog.list_flavors),
    _route(r"flavors/detail", GET=catalog.list_flavors_detail),
    _route(r"flavors/([^/]+)", GET=catalog.get_flavor),
    _route(r"flavors/([^/]+)/os-extra_specs", GET=catalog.get_extra_specs),
    _route(r"flavors/([^/]+)/os-flavor-access", GET=catalog.operators_only),
    _route(r"images", GET=catalog.list_images, POST=catalog.create_image),
    _route(r"images/detail", GET=catalog.list_images_detail),
    _route(r"images/([^/]+)", GET=catalog.get_image, DELETE=catalog.delete_image),
    _route(r"os-keypairs", GET=catalog.list_keypairs, POST=catalog.create_keypair),
    _route(r"os-keypairs/(.+)", GET=catalog.get_keypair, DELETE=catalog.delete_keypair),
    _route(r"limits", GET=catalog.get_limits),
    _route(r"os-quota-sets/([^/]+)", GET=quotas.show_quota_set, PUT=quotas.refuse_quota_set_change, DELETE=quotas.refuse_quota_set_change),
    _route(r"os-quota-sets/([^/]+)/defaults", GET=quotas.show_quota_set),
    _route(r"os-quota-sets/([^/]+)/detail", GET=quotas.show_quota_set_detail),
    _route(r"os-availability-zone", GET=catalog.get_zones),
    _route(r"extensions", GET=catalog.list_extensions),
    _route(r"extensions/([^/]+)", GET=catalog.get_extension),
    _route(r"os-server-groups", GET=catalog.list_server_groups),
    _route(r"os-(?:simple-tenant-usage|hypervisors|services|aggregates|migrations)(?:/.*)?", GET=catalog.operators_only),
]
