"""The contract suite runs each test on the simulated cluster and on real Ganeti."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import ganeti_cluster
from tests.support.ganeti_cluster import ClusterUnderTest


@pytest.fixture(scope="session")
def _clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ClusterUnderTest]]:
    """Started when first asked for, stopped at the end of the run."""
    started: dict[str, ClusterUnderTest] = {}
    managers = []
    failed: dict[str, str] = {}

    class Starting(dict[str, ClusterUnderTest]):
        def __missing__(self, kind: str) -> ClusterUnderTest:
            manager = ganeti_cluster.simulated(tmp_path_factory.mktemp("sim")) if kind == "simulated" else ganeti_cluster.real()
            if kind in failed:
                pytest.fail(f"the {kind} cluster did not start: {failed[kind]}", pytrace=False)
            try:
                self[kind] = manager.__enter__()
            except Exception as error:
                failed[kind] = str(error)
                raise
            managers.append(manager)
            return self[kind]

    started = Starting()
    yield started
    for manager in managers:
        manager.__exit__(None, None, None)


@pytest.fixture(params=["simulated", pytest.param("ganeti", marks=[pytest.mark.ganeti, pytest.mark.slow])])
def cluster(request: pytest.FixtureRequest, _clusters: dict[str, ClusterUnderTest]) -> Iterator[ClusterUnderTest]:
    why_not = ganeti_cluster.why_no_ganeti() if request.param == "ganeti" else ""
    if why_not:
        pytest.skip(f"real Ganeti: {why_not}")
    under_test = _clusters[request.param]
    yield under_test
    if under_test.simulated:
        under_test.simulated.calm()
    under_test.clean()
