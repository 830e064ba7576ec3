"""Liveness, readiness and metrics."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from synnefo import __version__
from synnefo.common.errors import NotFound
from synnefo.common.faults import guarded
from synnefo.common.settings import conf


def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers at all."""
    return JsonResponse({"status": "ok", "version": __version__, "services": conf.SYNNEFO_SERVICES})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when requests can be served, 503 naming what is missing."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "fail"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})


@guarded()
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for the addresses in METRICS_ALLOWED_ADDRESSES only."""
    if request.META.get("REMOTE_ADDR") not in conf.METRICS_ALLOWED_ADDRESSES:
        raise NotFound("Not found.")
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
