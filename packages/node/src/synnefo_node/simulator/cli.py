"""`snf-simulated-cluster`: run one simulated Ganeti cluster in the foreground.

Layout of the state directory: `rapi/server.pem` and `rapi/users` (certificate and logins, made at the first start, or
beforehand with --prepare), `ganeti/queue/job-N` (job files), `ganeti/socket/ganeti-query` (query socket),
`ganeti/ssconf_master_node` and `ganeti/ssconf_cluster_name`, `state.sqlite3`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
import sys
from pathlib import Path

from aiohttp import web

from synnefo_node.simulator import credentials
from synnefo_node.simulator.execution import Executor
from synnefo_node.simulator.faults import Control
from synnefo_node.simulator.jobs import JobQueue
from synnefo_node.simulator.luxi import LuxiServer
from synnefo_node.simulator.model import Cluster, Instance
from synnefo_node.simulator.rapi import Api

OPERATING_SYSTEMS: dict[str, tuple[str, ...] | None] = {
    "snf-image": None,
    "noop": ("img_id", "img_format", "config_url"),
}
"""Known OS definitions and the parameters each accepts; None accepts all."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    directory = Path(options.state_dir)
    facts = credentials.prepare(directory)
    (directory / "ganeti" / "queue").mkdir(parents=True, exist_ok=True)  # an event daemon may look before we write
    if options.prepare:
        print(json.dumps({**facts, "port": options.port, "name": options.name}))  # noqa: T201 - the command's answer
        return 0
    asyncio.run(_serve(directory, options))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="snf-simulated-cluster", description="Run a simulated Ganeti cluster.")
    parser.add_argument("--state-dir", required=True, help="directory for everything that survives a restart")
    parser.add_argument("--port", type=int, default=5080, help="port of the remote API (default 5080, 0: any free one)")
    parser.add_argument("--listen", default="127.0.0.1", help="address of the remote API (default 127.0.0.1)")
    parser.add_argument("--name", default="simulated.test", help="name of the cluster, fixed at the first start")
    parser.add_argument("--nodes", type=int, default=1, help="nodes of the cluster (default 1)")
    parser.add_argument("--instances", type=int, default=0, help="begin with this many stopped instances (snf-1 ...)")
    parser.add_argument("--queue-seconds", type=float, default=0.05, help="time before a job starts")
    parser.add_argument("--work-seconds", type=float, default=0.2, help="time a job runs")
    parser.add_argument("--prepare", action="store_true", help="only make certificate and logins, and print them as JSON")
    return parser


async def _serve(directory: Path, options: argparse.Namespace) -> None:
    cluster = Cluster(directory, options.name, nodes=options.nodes)
    _populate(cluster, options.instances)
    control = Control(queue_s=options.queue_seconds, work_s=options.work_seconds)
    executor = Executor(cluster, OPERATING_SYSTEMS)
    queue = JobQueue(directory / "ganeti" / "queue", control, executor, executor.check_names)
    _write_ssconf(directory / "ganeti", cluster)
    queue.load()
    luxi = LuxiServer(cluster, queue, directory / "ganeti" / "socket" / "ganeti-query")
    await luxi.start()
    api = Api(cluster, queue, control, credentials.users(directory), OPERATING_SYSTEMS)
    runner = web.AppRunner(api.application(), access_log=None, handle_signals=False)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "rapi" / "server.pem")
    site = web.TCPSite(runner, options.listen, options.port, ssl_context=context, shutdown_timeout=1.0)
    await site.start()
    port = runner.addresses[0][1]
    (directory / "rapi" / "port").write_text(f"{port}\n", "utf-8")
    sys.stderr.write(f"simulated cluster {cluster.facts['name']} at https://{options.listen}:{port}\n")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(runner.cleanup(), 5)
    await queue.close()
    await luxi.close()
    cluster.close()


def _write_ssconf(directory: Path, cluster: Cluster) -> None:
    """What node daemons read to learn where they are."""
    for name, value in {"master_node": cluster.master, "cluster_name": cluster.facts["name"],
                        "node_list": "\n".join(cluster.nodes)}.items():
        (directory / f"ssconf_{name}").write_text(f"{value}\n", "utf-8")


def _populate(cluster: Cluster, count: int) -> None:
    for number in range(1, count + 1):
        name = f"snf-{number}"
        if name not in cluster.instances:
            cluster.save(Instance(name, "snf-image+default", "kvm", "file", cluster.master,
                                  {"vcpus": 1, "minmem": 128, "maxmem": 128}, {}, {}, [], [], []))
