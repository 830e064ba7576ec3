"""Speed of the object store behind the real web server on this machine: `python -m bench.bench_pithos [MEBIBYTES]`.

One client over loopback: a plain upload and download of incompressible data, an upload by hashes of blocks that are there already, small
objects, and pages of a container with many objects. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SMALL = 200
MIB = 2**20
BLOCK = 4 * MIB


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(site: Any, mebibytes: int) -> dict[str, Any]:
    wire = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=600)

    def call(method: str, path: str, body: bytes = b"", expected: int = 200) -> bytes:
        headers = {"X-Auth-Token": site.token, "Content-Type": "application/octet-stream"}
        wire.request(method, f"/pithos/object-store/v1/{site.uuid}{path}", body, headers)
        answer = wire.getresponse()
        data = answer.read()
        if answer.status != expected:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:200]!r}")
        return data

    data = os.urandom(mebibytes * MIB)
    hashes = [hashlib.sha256(data[start : start + BLOCK].rstrip(b"\0")).hexdigest() for start in range(0, len(data), BLOCK)]
    hashmap = json.dumps({"bytes": len(data), "hashes": hashes}).encode()
    call("PUT", "/bench", expected=201)  # only now: idle connections are closed soon
    result: dict[str, Any] = {"mebibytes": mebibytes, "processors": os.cpu_count()}
    result["upload_mib_per_s"] = round(mebibytes / timed(lambda: call("PUT", "/bench/big", data, 201)), 1)
    result["download_mib_per_s"] = round(mebibytes / timed(lambda: call("GET", "/bench/big")), 1)
    result["upload_by_hashes_s"] = round(timed(lambda: call("PUT", "/bench/again?hashmap", hashmap, 201)), 3)
    puts = [timed(lambda number=number: call("PUT", f"/bench/small/{number:05}", b"x" * number, 201)) for number in range(SMALL)]
    gets = [timed(lambda number=number: call("GET", f"/bench/small/{number:05}")) for number in range(SMALL)]
    result["small_put_ms"] = {"median": _ms(statistics.median(puts)), "p95": _ms(statistics.quantiles(puts, n=20)[-1])}
    result["small_get_ms"] = {"median": _ms(statistics.median(gets)), "p95": _ms(statistics.quantiles(gets, n=20)[-1])}
    pages = [timed(lambda: call("GET", f"/bench?format=json&limit={SMALL}")) for _ in range(10)]
    result[f"listing_of_{SMALL}_ms"] = _ms(statistics.median(pages))
    return result


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests import conftest  # noqa: F401 - an environment without the user's settings
    from tests.support.gunicorn import running

    with tempfile.TemporaryDirectory(prefix="synnefo-bench-") as directory, running(Path(directory), workers=2) as site:
        json.dump(measure(site, int(sys.argv[1]) if len(sys.argv) > 1 else 256), sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
