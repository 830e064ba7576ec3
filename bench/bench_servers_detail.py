"""GET /servers/detail with 1,000 servers, beside the same bytes from the same HTTP server without any work (the limit).

Runs on the simulated back end with SQLite; takes about a minute. Prints requests a second, latencies and the ratio.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.support.clouds import BIN, Cloud, clean_environment, cloud, free_port_pair

SERVERS = 1000
SECONDS = 15
CLIENTS = 4
FILL = """
import django; django.setup()
from synnefo.cyclades.models import *
user = {user!r}
backend, flavor = Backend.objects.first(), Flavor.objects.select_related("volume_type").first()
network = Network.objects.first()
subnet = network.subnets.first()
servers = Server.objects.bulk_create([Server(name=f"server {{i}}", user_id=user, project_id=user, backend=backend, flavor=flavor, image_id="0" * 36,
    operstate="STARTED") for i in range({count})])
Volume.objects.bulk_create([Volume(user_id=user, project_id=user, size=2, volume_type=flavor.volume_type, server=s, index=0, status="IN_USE") for s in servers])
ServerMetadata.objects.bulk_create([ServerMetadata(server=s, key="OS", value="debian") for s in servers])
ports = Port.objects.bulk_create([Port(user_id=user, server=s, network=network, index=0, state="ACTIVE", mac=f"aa:00:00:{{i >> 16 & 255:02x}}:{{i >> 8 & 255:02x}}:{{i & 255:02x}}")
    for i, s in enumerate(servers)])
IPAddress.objects.bulk_create([IPAddress(subnet=subnet, network=network, port=p, user_id=user, project_id=user, address=f"10.90.{{i // 250}}.{{i % 250 + 1}}", ip_version=4)
    for i, p in enumerate(ports)])
"""
LIMIT = """
BODY = open({path!r}, "rb").read()
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
"""


def load(url: str, token: str) -> tuple[float, list[float]]:
    """(requests a second, latencies) of CLIENTS clients, each with one connection."""
    end = time.monotonic() + SECONDS

    def client() -> list[float]:
        found = []
        with httpx.Client(headers={"X-Auth-Token": token}, timeout=60) as http:
            while time.monotonic() < end:
                started = time.monotonic()
                http.get(url).raise_for_status()
                found.append(time.monotonic() - started)
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        times = [spent for part in pool.map(lambda _: client(), range(CLIENTS)) for spent in part]
    return len(times) / SECONDS, times


def measure(target: Cloud, directory: Path) -> dict[str, object]:
    demo = target.status["users"]["demo"]
    program = FILL.format(user=demo["uuid"], count=SERVERS)
    subprocess.run([str(BIN / "python"), "-c", program], check=True,
                   env=clean_environment() | target.environment | {"DJANGO_SETTINGS_MODULE": "synnefo.project.settings"})
    url = f"{target.status['urls']['web']}cyclades/compute/v2.0/servers/detail"
    body = httpx.get(url, headers={"X-Auth-Token": demo["token"]}, timeout=60).content
    assert len(json.loads(body)["servers"]) == SERVERS
    ours, times = load(url, demo["token"])
    (directory / "body.json").write_bytes(body)
    (directory / "limit.py").write_text(LIMIT.format(path=str(directory / "body.json")))
    port = free_port_pair()
    server = subprocess.Popen([str(BIN / "gunicorn"), "limit:application", "--workers", "2", "--threads", "16", "--worker-class", "gthread", "--bind",
                               f"127.0.0.1:{port}"], cwd=directory, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        limit, _ = load(f"http://127.0.0.1:{port}/", demo["token"])
    finally:
        server.terminate()
        server.wait()
    return {"servers": SERVERS, "bytes": len(body), "clients": CLIENTS, "cores": os.cpu_count(), "requests/s": round(ours, 2),
            "median latency (s)": round(statistics.median(times), 3), "p95 latency (s)": round(statistics.quantiles(times, n=20)[-1], 3),
            "servers listed/s": round(ours * SERVERS), "the same bytes without work, requests/s": round(limit, 1), "ratio": round(ours / limit, 4)}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="synnefo-bench-") as text, cloud(Path(text) / "cloud", "simulated", "--no-vm") as target:
        print(json.dumps(measure(target, Path(text)), indent=2))


if __name__ == "__main__":
    main()
