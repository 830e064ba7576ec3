"""Both clusters of the contract suite behind one face: the simulated one and a real Ganeti in namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from synnefo.cyclades.adapters.rapi import RapiCluster
from synnefo.cyclades.adapters.rapi_transport import Target
from synnefo.cyclades.ports import InstanceSpec, Job, NetworkSpec
from tests.support.simulator import SimulatedCluster, simulated_cluster

ROOT = Path(__file__).resolve().parent.parent.parent
JOB_S = 120.0
OS_SCRIPTS = {
    "verify": "#!/bin/sh\nexit 0\n",
    "create": '#!/bin/sh\nif [ "$OSP_IMG_ID" = broken ]; then echo "the image is broken" >&2; exit 1; fi\nexit 0\n',
    "import": "#!/bin/sh\nexit 1\n", "export": "#!/bin/sh\nexit 1\n", "rename": "#!/bin/sh\nexit 0\n",
}
"""The OS definition `noop`: does nothing, and fails for the image called broken."""


@dataclass
class ClusterUnderTest:
    """A cluster, where its files lie, and the few words tests need."""

    is_real: bool
    target: Target
    queue_directory: Path
    luxi_socket: Path
    ssconf_directory: Path
    simulated: SimulatedCluster | None = None

    def __post_init__(self) -> None:
        self.rapi = RapiCluster(self.target)

    def ended(self, job_id: int) -> Job:
        """The job, once it is final."""
        deadline, pause = time.monotonic() + JOB_S, 0.05 if self.is_real else 0.005
        while True:
            job = self.rapi.get_job(job_id)
            assert job is not None, f"job {job_id} vanished"
            if job.is_final:
                return job
            assert time.monotonic() < deadline, f"job {job_id} is still {job.status}"
            time.sleep(pause)

    def succeeded(self, job_id: int) -> Job:
        job = self.ended(job_id)
        assert job.status == "success", (job.summary, job.error)
        return job

    def job_file(self, job_id: int) -> dict[str, Any]:
        return dict(json.loads((self.queue_directory / f"job-{job_id}").read_text("utf-8")))

    def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request without our adapter."""
        login = options.pop("auth", (self.target.username, self.target.password))
        with httpx.Client(verify=False, auth=login, trust_env=False, timeout=60) as client:
            return client.request(method, self.target.url + path, **options)

    def network(self, octet: int, *, connected: bool = True) -> str:
        """A fresh network 10.<octet>.0.0/24 and its name."""
        name = new_name("net")
        self.succeeded(self.rapi.create_network(NetworkSpec(name, f"10.{octet}.0.0/24", gateway=f"10.{octet}.0.1",
                                                            mac_prefix="aa:00:10", tags=["private"]), reason=reason()))
        if connected:
            self.succeeded(self.rapi.connect_network(name, "default", mode="bridged", link="prv0", reason=reason()))
        return name

    def spec(self, name: str, **changes: Any) -> InstanceSpec:
        """A small machine that needs nothing; real clusters run it on Ganeti's fake hypervisor."""
        base: dict[str, Any] = {"os": "noop+default", "disk_template": "diskless", "vcpus": 1, "memory_mib": 32, "hypervisor": "fake"}
        return InstanceSpec(name, **{**base, **changes})

    def clean(self, prefix: str = "ct-") -> None:
        """Remove what tests left behind."""
        jobs = [self.rapi.remove_instance(item.name, reason="clean", timeout_s=0) for item in self.rapi.list_instances(prefix=prefix)]
        for network in self.rapi.list_networks(prefix=prefix):
            first = [self.rapi.disconnect_network(network.name, row[0], reason="clean", depends=jobs) for row in network.groups]
            jobs.append(self.rapi.remove_network(network.name, reason="clean", depends=[*jobs, *first]))
        for job_id in jobs:
            self.ended(job_id)


def new_name(kind: str) -> str:
    return f"ct-{kind}-{uuid.uuid4().hex[:8]}"


def reason() -> str:
    return f"snf:{uuid.uuid4()}"


@contextmanager
def simulated(directory: Path) -> Iterator[ClusterUnderTest]:
    with simulated_cluster(directory) as cluster:
        target = Target(cluster.rapi_host, cluster.port, cluster.username, cluster.password, cluster.rapi_ca)
        yield ClusterUnderTest(False, target, cluster.queue_directory, cluster.luxi_socket, cluster.ssconf_directory, cluster)


def why_no_ganeti() -> str:
    """Empty when a real cluster can run here."""
    if os.geteuid() != 0:
        return "needs root"
    if shutil.which("gnt-cluster") is None and not Path("/usr/sbin/gnt-cluster").exists():
        return "Ganeti is not installed"
    probe = subprocess.run(["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "Linux namespaces are not available"


@contextmanager
def real() -> Iterator[ClusterUnderTest]:
    """A cluster of its own, thrown away afterwards."""
    sys.path.insert(0, str(ROOT / "deploy"))
    from onebox import cluster

    directory = Path(tempfile.mkdtemp(prefix="snf-gnt-")) / "ganeti"
    try:
        facts = cluster.up(directory, log=directory.parent / "log")
        _install_os(directory / "fs/srv/ganeti/os/noop")
        target = Target(facts["rapi_host"], facts["rapi_port"], facts["rapi_user"], facts["rapi_password"], facts["rapi_fingerprint"])
        inside = Path(f"/proc/{(directory / 'pid').read_text().strip()}/root")
        yield ClusterUnderTest(True, target, directory / "fs/var/lib/ganeti/queue", inside / "run/ganeti/socket/ganeti-query",
                               directory / "fs/var/lib/ganeti")
    finally:
        cluster.purge(directory)
        shutil.rmtree(directory.parent, ignore_errors=True)


def _install_os(target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name, text in {"ganeti_api_version": "20\n", "variants.list": "default\n",
                       "parameters.list": "img_id image\nimg_format format\nconfig_url address\n"}.items():
        (target / name).write_text(text)
    for name, text in OS_SCRIPTS.items():
        (target / name).write_text(text)
        (target / name).chmod(0o755)
