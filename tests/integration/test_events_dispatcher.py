"""The whole way: a job of the simulated cluster, the event daemon, a transport, the dispatcher's process, the database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synnefo.cyclades.adapters.rapi import RapiCluster
from synnefo.cyclades.adapters.rapi_transport import Target
from synnefo.cyclades.consumers import messages, status
from synnefo.cyclades.ports import InstanceSpec
from tests.support import rabbitmq as broker_support
from tests.support.events import OP_KEY, Ear, eventually, op_event
from tests.support.simulator import SimulatedCluster, simulated_cluster

ROOT = Path(__file__).resolve().parents[2]
SPEC = InstanceSpec("snf-1", "noop+default", "diskless", 1, 64)


def environment(**settings: object) -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SYNNEFO_TEST")}
    ours = {f"SYNNEFO_{key}": value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()}
    return plain | ours | {"PYTHONPATH": os.pathsep.join(sys.path)}


@contextmanager
def process(code: str, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program of ours; stopped politely, which must succeed, unless the test has killed it."""
    with log.open("ab") as stream:
        started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=env)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        code_at_end = started.wait(20)
    assert code_at_end in {0, -signal.SIGKILL}, log.read_text()[-3000:]


@contextmanager
def event_daemon(cluster: SimulatedCluster, tmp_path: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    config = {"EVENTS_URL": [url], "QUEUE_DIR": str(cluster.queue_directory), "LUXI_SOCKET": str(cluster.luxi_socket),
              "SSCONF_DIR": str(cluster.ssconf_directory), "NODE_NAME": "node1.simulated.test", "STATE_DIR": str(tmp_path / "eventd")}
    (tmp_path / "node.json").write_text(json.dumps(config))
    argv = ["eventd", "--foreground", "--config", str(tmp_path / "node.json")]
    code = f"import sys; sys.argv = {argv!r}; from synnefo_node.eventd import main; main()"
    with process(code, tmp_path / "eventd.log", environment()) as running:
        yield running


def dispatcher_code(*options: str) -> str:
    """`snf-dispatcher` with a handler that writes down what it hears, in place of the database."""
    return (
        "import sys, types\n"
        "def handle(message):\n"
        "    with open(sys.argv[1], 'a') as file: file.write(f\"{message['jobId']} {message['operation']} {message['status']}\\n\")\n"
        "from synnefo.cyclades import dispatcher\n"
        "dispatcher._set_up()\n"
        "from synnefo.cyclades.services import events\n"
        "events.handle = handle\n"
        f"sys.exit(dispatcher.main({list(options)!r}))\n")


def test_jobs_become_messages_in_the_spool(tmp_path: Path) -> None:
    with simulated_cluster(tmp_path / "c", work_s=0.05) as simulated:
        cluster = RapiCluster(Target("127.0.0.1", simulated.port, simulated.username, simulated.password, simulated.rapi_ca))
        spool = tmp_path / "events"
        with event_daemon(simulated, tmp_path, f"spool://{spool}"):
            job = cluster.create_instance(SPEC, reason="snf:x")
            eventually(lambda: any(m["status"] == "success" for m in spooled(spool)), lambda: spooled(spool))
    final = next(m for m in spooled(spool) if m["status"] == "success")
    assert (final["type"], final["operation"], final["jobId"], final["instance"]) == (
        "ganeti-op-status", "OP_INSTANCE_CREATE", job, "snf-1")
    assert final["cluster"] == "simulated.test"
    assert final["instance_nics"] == []
    for message in spooled(spool):
        messages.check(message)


def spooled(directory: Path) -> list[dict[str, object]]:
    return [json.loads(path.read_text())["message"] for path in sorted(directory.glob("[0-9]*.json"))]


def test_dispatcher_process_handles_and_stops(tmp_path: Path) -> None:
    from synnefo.cyclades.adapters.events_spool import SpoolBus

    bus, heard = SpoolBus(tmp_path / "events"), tmp_path / "heard"
    bus.publish(OP_KEY, op_event(1))
    env = environment(EVENTS_URL=[f"spool://{tmp_path / 'events'}"], LOG_LEVEL="WARNING")
    code = "import sys; sys.argv = ['snf-dispatcher', " + repr(str(heard)) + "]\n" + dispatcher_code("--debug")
    with process(code, tmp_path / "log", env) as running:
        eventually(lambda: heard.exists() and "1 OP_INSTANCE_STARTUP success" in heard.read_text(), (tmp_path / "log").read_text)
        running.kill()
        running.wait(10)
        bus.publish(OP_KEY, op_event(2))
    with process(code, tmp_path / "log", env):
        eventually(lambda: "2 OP_INSTANCE_STARTUP success" in heard.read_text(), (tmp_path / "log").read_text)
    assert bus.depths()["snf-events-op"] == 0


def test_second_dispatcher_with_the_same_pid_file_is_refused(tmp_path: Path) -> None:
    env = environment(EVENTS_URL=[f"spool://{tmp_path / 'events'}"], LOG_LEVEL="WARNING")
    pid_file = tmp_path / "run" / "pid"
    pid_file.parent.mkdir()
    pid_file.write_text("999999999\n")  # stale: no such process
    code = "import sys; sys.argv = ['snf-dispatcher', '/dev/null']\n" + dispatcher_code("--pid-file", str(pid_file))
    with process(code, tmp_path / "log", env) as first:
        eventually(lambda: pid_file.exists() and pid_file.read_text().strip() == str(first.pid), (tmp_path / "log").read_text)
        second = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert "runs already" in second.stderr
    assert not pid_file.exists()


def test_destructive_options_ask_first(tmp_path: Path) -> None:
    from synnefo.cyclades.adapters.events_spool import SpoolBus

    bus = SpoolBus(tmp_path / "events")
    bus.publish(OP_KEY, op_event(1))
    env = environment(EVENTS_URL=[f"spool://{tmp_path / 'events'}"], LOG_LEVEL="WARNING")

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from synnefo.cyclades import dispatcher; sys.exit(dispatcher.main(sys.argv[1:]))"
        return subprocess.run([sys.executable, "-c", code, *options], env=env, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, check=False)

    assert run("--drain-queue", "snf-events-op").returncode == 1
    assert bus.depths()["snf-events-op"] == 1
    assert run("--drain-queue", "foreign").returncode == 2
    assert run("--purge-queues", "--yes").returncode == 1  # there are none without a broker
    done = run("--drain-queue", "snf-events-op", "--yes")
    assert (done.returncode, done.stdout.split(" at ")[0]) == (0, "1 messages thrown away")
    assert bus.depths()["snf-events-op"] == 0


def test_status_check_tells_what_answers(tmp_path: Path, settings_override: Any) -> None:
    spool = f"spool://{tmp_path / 'events'}"
    settings_override(EVENTS_URL=[spool])
    with simulated_cluster(tmp_path / "c") as simulated:
        with event_daemon(simulated, tmp_path, spool):
            assert status.check([simulated], seconds=20) == {"simulated.test": {"RAPI": "ok", "eventd": "ok"}}
        assert status.check([simulated], seconds=0.3) == {"simulated.test": {"RAPI": "ok", "eventd": "fail"}}
        down = replace(simulated, port=1, process=None)
        assert status.check([down], seconds=0.3) == {"simulated.test": {"RAPI": "fail", "eventd": "fail"}}


@pytest.mark.rabbitmq
@pytest.mark.slow
@pytest.mark.skipif(not broker_support.is_installed(), reason="RabbitMQ is not installed")
def test_nothing_is_lost_when_everything_is_killed(tmp_path: Path, settings_override: Any) -> None:
    """Jobs run while event daemon and broker die in turn; at the end every final status has been heard."""
    from synnefo.cyclades.adapters.events_amqp import AmqpBus

    with broker_support.rabbitmq() as broker, simulated_cluster(tmp_path / "c", work_s=0.02) as simulated:
        cluster = RapiCluster(Target("127.0.0.1", simulated.port, simulated.username, simulated.password, simulated.rapi_ca))
        settings_override(EVENTS_URL=[broker.url])
        bus = AmqpBus([broker.url], reconnect_s=0.2)
        bus.depths()
        broker.settle()
        jobs: set[int] = set()
        heard: set[int] = set()

        def submit(count: int) -> set[int]:
            return {cluster.startup_instance(f"snf-{number}", reason="r") for number in range(count)}

        def note(message: dict[str, object], _tries: int) -> None:
            if message["status"] in {"success", "error"}:
                heard.add(int(str(message["jobId"])))

        def some_heard() -> bool:
            return not heard.isdisjoint(jobs)

        with Ear(bus, note):
            for round_number in range(4):
                with event_daemon(simulated, tmp_path, broker.url) as daemon:
                    jobs.update(submit(10))
                    if round_number == 1:
                        broker.kill()
                        jobs.update(submit(10))
                        broker.start()
                    eventually(some_heard)
                    if round_number == 0:
                        assert status.check([simulated], seconds=20) == {"simulated.test": {"RAPI": "ok", "eventd": "ok"}}
                    daemon.kill()
                    daemon.wait(10)
                jobs.update(submit(5))
            with event_daemon(simulated, tmp_path, broker.url):
                eventually(lambda: heard >= jobs, lambda: sorted(jobs - heard))
