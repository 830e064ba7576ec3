"""What single messages do to servers: progress, foreign names, malformed ones, old ones, clocks ahead."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from django.utils import timezone

from synnefo.common.errors import InvalidInput
from synnefo.cyclades.models import Operation, OperState, Server, ServerDiagnostic
from synnefo.cyclades.services import backends, events
from tests.support import networks as support

pytestmark = pytest.mark.django_db(transaction=True)
CLUSTER = "c.test"


@pytest.fixture
def server() -> Server:
    return support.server("8efd4e2f-4b1f-4d33-9bd7-2a7e4d1c0a11", support.backend(CLUSTER, 0), operstate=OperState.BUILD)


def _now() -> float:
    return time.time()


def _op(server: Server, job: int, opcode: str, status: str, at: float, **more: Any) -> dict[str, Any]:
    return {"type": "ganeti-op-status", "operation": f"OP_INSTANCE_{opcode}", "status": status, "cluster": CLUSTER, "jobId": job,
            "instance": f"snf-{server.pk}", "event_time": [int(at), int(at % 1 * 1e6)], "logmsg": None, "result": None, "job_fields": {}, **more}


def _progress(server: Server, value: Any, at: float, **more: Any) -> dict[str, Any]:
    return {"type": "image-copy-progress", "instance": f"snf-{server.pk}", "progress": value, "event_time": at, **more}


def test_progress_goes_forward_and_stops_at_the_end(server: Server) -> None:
    at = _now()
    for moment, value in ((1, 10.7), (3, "55"), (2, 40), (4, 250)):
        events.handle(_progress(server, value, at + moment))
        server.refresh_from_db()
        assert server.buildpercentage == {1: 10, 3: 55, 2: 55, 4: 100}[moment]
    assert server.backendtime.year == 1970, "the clock of the node that builds is not the cluster's"


@pytest.mark.parametrize("value", [-1, "many", None, float("nan"), float("inf"), [], {}])
def test_progress_that_is_no_number(server: Server, value: Any) -> None:
    with pytest.raises(InvalidInput):
        events.handle(_progress(server, value, _now()))
    server.refresh_from_db()
    assert server.buildpercentage == 0


def test_progress_after_the_build_is_ignored(server: Server) -> None:
    Server.objects.update(operstate="STARTED", buildpercentage=100)
    events.handle(_progress(server, 12, _now()))
    server.refresh_from_db()
    assert server.buildpercentage == 100


def test_messages_of_the_build_are_kept_once_and_as_plain_text(server: Server) -> None:
    message = {"type": "image-error", "instance": f"snf-{server.pk}", "event_time": _now(), "messages": ["no \x1b[31mroot", "x" * 900],
               "stderr": "y" * 200_000}
    events.handle(message)
    events.handle(message)
    row = ServerDiagnostic.objects.get()
    assert (row.level, row.source) == ("ERROR", "image-error")
    assert row.message.startswith("no  [31mroot x")
    assert len(row.message) == 255
    assert len(row.details) <= events.MAX_DETAILS
    events.handle({"type": "image-helper", "subtype": "task-start", "task": "FixPartitionTable", "instance": f"snf-{server.pk}", "event_time": _now() + 1})
    assert ServerDiagnostic.objects.all()[0].message == "FixPartitionTable"
    assert ServerDiagnostic.objects.all()[0].source == "image-helper-task-start"


@pytest.mark.parametrize("change", [
    {"status": "exploded"}, {"event_time": "yesterday"}, {"event_time": None}, {"event_time": [1]}, {"jobId": "x"}, {"event_time": [10**30, 0]},
])
def test_malformed_messages_are_refused_and_change_nothing(server: Server, change: dict[str, Any]) -> None:
    before = Server.objects.values().get()
    with pytest.raises(InvalidInput):
        events.handle(_op(server, 5, "CREATE", "success", _now()) | change)
    message = _op(server, 5, "CREATE", "success", _now())
    del message["operation"]
    with pytest.raises(InvalidInput):
        events.handle(message)
    assert Server.objects.values().get() == before


@pytest.mark.parametrize("change", [
    {"instance": "snf-999999"}, {"instance": "other-1"}, {"instance": "snf-1x"}, {"instance": "snf-"}, {"cluster": "other.test"},
    {"type": "coffee"}, {"operation": "OP_TAGS_SET"},
])
def test_messages_that_are_not_for_us_change_nothing(server: Server, change: dict[str, Any]) -> None:
    before = Server.objects.values().get()
    events.handle(_op(server, 5, "CREATE", "success", _now()) | change)
    assert Server.objects.values().get() == before


def test_late_news_of_a_finished_job_is_ignored(server: Server) -> None:
    at = _now()
    events.handle(_op(server, 5, "CREATE", "success", at))
    events.handle(_op(server, 6, "SHUTDOWN", "error", at + 2, result=["OpExecError", ["no"]]))
    events.handle(_op(server, 6, "SHUTDOWN", "running", at + 1))
    server.refresh_from_db()
    assert (server.operstate, server.backendjobid, server.backendjobstatus) == ("STARTED", 6, "error")


def test_a_late_failure_hides_no_success(server: Server) -> None:
    """An error does not move the clock, so that what happened before it is still applied."""
    at = _now()
    events.handle(_op(server, 5, "CREATE", "success", at))
    events.handle(_op(server, 7, "REBOOT", "error", at + 3))
    events.handle(_op(server, 6, "SHUTDOWN", "success", at + 2))
    server.refresh_from_db()
    assert server.operstate == "STOPPED"


def test_a_removal_is_never_old(server: Server) -> None:
    at = _now()
    events.handle(_op(server, 5, "CREATE", "success", at))
    events.handle(_op(server, 6, "REMOVE", "success", at - 100))
    server.refresh_from_db()
    assert server.deleted
    assert server.operstate == "DESTROYED"


def test_a_cluster_whose_clock_is_ahead_freezes_nothing(server: Server) -> None:
    events.handle(_op(server, 5, "CREATE", "success", _now() + 86400))
    server.refresh_from_db()
    assert server.operstate == "STARTED"
    assert server.backendtime < timezone.now() + datetime.timedelta(minutes=2)


def test_an_unknown_size_keeps_the_flavor(server: Server) -> None:
    Server.objects.update(operstate="STOPPED")
    events.handle(_op(server, 5, "SET_PARAMS", "success", _now(), job_fields={"beparams": {"vcpus": 77, "maxmem": 1}}))
    flavor = server.flavor_id
    server.refresh_from_db()
    assert (server.flavor_id, server.operstate) == (flavor, "STOPPED")


def test_a_cluster_that_gets_jobs_and_sends_no_event_is_named(server: Server) -> None:
    backends._noted.clear()
    assert server.backend is not None
    asked = Operation.objects.create(kind="server-start", backend=server.backend, jobs=[7], state="submitted")
    assert backends.find_silent() == [], "its events may still come"
    Operation.objects.filter(pk=asked.pk).update(created_at=timezone.now() - datetime.timedelta(minutes=5))
    assert backends.find_silent() == [server.backend]
    events.handle(_op(server, 7, "STARTUP", "running", _now()))
    assert backends.find_silent() == []
    Operation.objects.create(kind="server-stop", backend=server.backend, jobs=[8], state="submitted")
    Operation.objects.update(created_at=timezone.now() - datetime.timedelta(minutes=5))
    type(server.backend).objects.update(last_event_at=timezone.now() - datetime.timedelta(minutes=9))
    assert backends.find_silent() == [server.backend], "it spoke before, but not of this job"
    type(server.backend).objects.update(offline=True)
    assert backends.find_silent() == [], "nobody asks an offline one"
