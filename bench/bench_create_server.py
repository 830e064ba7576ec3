"""From POST /servers to ACTIVE, beside `gnt-instance add` of the same image with the same OS definition on the same cluster.

Goal: at most 0.7 s more than Ganeti alone. Needs root; takes about three minutes. Prints medians and the difference.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.support.clouds import Cloud, cloud

ROUNDS = 7
POLL_S = 0.05


def by_api(target: Cloud, flavor: str, image: str) -> float:
    """Seconds until the API says ACTIVE; the server is deleted again."""
    started = time.monotonic()
    server = target.client.compute.create_server("bench", flavor, image)
    while True:
        shown = target.client.compute.get_server(server["id"])
        if shown["status"] == "ACTIVE":
            break
        if shown["status"] == "ERROR":
            raise SystemExit(f"server {server['id']} failed: {target.client.compute.get_diagnostics(server['id'])}")
        time.sleep(POLL_S)
    spent = time.monotonic() - started
    target.client.compute.delete_server(server["id"])
    target.client.compute.wait_server(server["id"], until=("DELETED",))
    return spent


def by_ganeti(target: Cloud, flavor: dict[str, int], osparams: str) -> float:
    """Seconds of `gnt-instance add` for the same instance."""
    started = time.monotonic()
    target.in_cluster(
        "gnt-instance", "add", "-t", "file", "-o", "snf-image+default", "-s", f"{flavor['disk']}G", "-B",
        f"vcpus={flavor['vcpus']},minmem={flavor['ram']},maxmem={flavor['ram']}", "-O", osparams, "--no-name-check",
        "--no-ip-check", "--no-wait-for-sync", "bench-by-ganeti")
    spent = time.monotonic() - started
    target.in_cluster("gnt-instance", "remove", "-f", "--shutdown-timeout=0", "bench-by-ganeti")
    return spent


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="synnefo-bench-") as directory, \
            cloud(Path(directory), "ganeti", "--no-vm") as target:
        flavor = min(target.client.compute.list_flavors(), key=lambda item: (item["ram"], item["vcpus"], item["disk"]))
        image = target.client.images.get_image(target.status["image"]["id"])
        mapfile = json.loads(target.run("snf-manage", "image-show", image["id"], "--output-format", "json"))["mapfile"]
        osparams = f"img_id=pithosmap://{mapfile}/{image['size']},img_format=diskdump"
        ours, ganeti = [], []
        for _ in range(ROUNDS):
            ours.append(by_api(target, flavor["id"], image["id"]))
            ganeti.append(by_ganeti(target, flavor, osparams))
    report = {"POST /servers to ACTIVE (s)": round(statistics.median(ours), 2), "gnt-instance add (s)": round(statistics.median(ganeti), 2),
              "difference of medians (s)": round(statistics.median(ours) - statistics.median(ganeti), 2),
              "ratio": round(statistics.median(ours) / statistics.median(ganeti), 2),
              "spread ours": [round(x, 2) for x in sorted(ours)], "spread ganeti": [round(x, 2) for x in sorted(ganeti)]}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
