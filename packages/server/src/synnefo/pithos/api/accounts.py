"""The calls on all accounts and on one account."""

from __future__ import annotations

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from synnefo.common import ports
from synnefo.common.errors import DomainError, Forbidden, NotSupported
from synnefo.common.ids import UserID
from synnefo.common.ports import INFINITE, Caller
from synnefo.pithos.api import http
from synnefo.pithos.models import Container
from synnefo.pithos.services import charges, containers

log = structlog.get_logger(__name__)
META = "X-Account-Meta-"


def list_accounts(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """Accounts that share something with the caller."""
    rows = (Container.objects.filter(objects_in__permissions__holder__in=(caller.user_id, "*"), account__gt=http.query_text(request, "marker"))
            .exclude(account=caller.user_id).values_list("account", flat=True).distinct().order_by("account"))
    names = list(rows[: http.page_limit(request)])
    return http.finish(http.listing(request, names, ({"name": name} for name in names)), request)


def headers_of(caller: Caller, account: str) -> dict[str, str]:
    """What the owner learns about his account. Its bytes are those that the quota service counts, while it answers."""
    if caller.user_id != account:
        return {}
    count, objects, total = containers.count_bytes(account)
    limits, used = _quotas(account)
    headers = {"X-Account-Container-Count": str(count), "X-Account-Object-Count": str(objects),
               "X-Account-Bytes-Used": str(total if used is None else used)}
    return headers | limits | http.meta_answer(META, containers.get_account(account).meta)


def _quotas(account: str) -> tuple[dict[str, str], int | None]:
    """(limits as headers, bytes charged), nothing when the quota service does not answer."""
    try:
        projects = ports.quota("pithos").usages(user_ids=[UserID(account)]).get(UserID(account), {})
    except DomainError as error:
        log.warning("account.quota_unknown", account=account, reason=error.public)
        return {}, None
    held = {project: resources[charges.DISKSPACE] for project, resources in projects.items() if charges.DISKSPACE in resources}
    headers = {f"X-Account-Policy-Quota-{project}": str(quota.limit) for project, quota in held.items()}
    headers["X-Account-Policy-Quota"] = str(min(INFINITE, sum(quota.limit for quota in held.values())))
    return headers, sum(quota.usage for quota in held.values())


def head_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    http.refuse_query(request, "until")
    if caller.user_id != account and not containers.list_containers(caller, account, limit=1):
        raise Forbidden("You may not read this account.")
    return http.finish(http.with_headers(HttpResponse(status=204), headers_of(caller, account)), request)


def get_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    """The account's containers."""
    http.refuse_query(request, "until", "shared", "public", "delimiter", "reverse")
    marker = http.query_text(request, "marker")
    found = containers.list_containers(caller, account, prefix=http.query_text(request, "prefix"), marker=marker,
                                       end_marker=http.query_text(request, "end_marker"), limit=http.page_limit(request))
    is_owner = caller.user_id == account
    if not is_owner and not found and not containers.list_containers(caller, account, limit=1):
        raise Forbidden("You may not read this account.")
    response = http.listing(request, [item.name for item in found], (_row(item, is_owner=is_owner) for item in found))
    return http.finish(http.with_headers(response, headers_of(caller, account)), request)


def _row(item: Container, *, is_owner: bool) -> dict[str, object]:
    row: dict[str, object] = {"name": item.name, "last_modified": http.iso(item.updated_at)}
    if is_owner:
        row |= {"count": item.objects_count, "bytes": item.bytes_used, "x_container_policy": {
            "versioning": item.versioning, "quota": str(item.quota_bytes), "project": item.project_id}}
    return row


def post_account(request: HttpRequest, caller: Caller, account: str) -> HttpResponseBase:
    """Metadata: all of it, unless `update` merges."""
    if any(name.lower().startswith("x-account-group-") for name in request.headers):
        raise NotSupported("Groups of users are not supported here.")
    containers.update_account(caller, account, meta=http.meta_headers(request, META), merge="update" in request.GET)
    return http.finish(HttpResponse(status=202), request)
