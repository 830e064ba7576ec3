"""Several clusters on one machine keep out of each other's addresses."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "deploy"))

from onebox import cluster


def test_clusters_made_at_once_have_addresses_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LOCKS", tmp_path)
    found: dict[str, int] = {}

    def choose(name: str) -> None:
        found[name] = cluster._layout(tmp_path / name).index

    threads = [threading.Thread(target=choose, args=(f"cloud {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found.values())) == 8
    assert cluster._layout(tmp_path / "cloud 3").index == found["cloud 3"], "chosen once"
    shutil.rmtree(tmp_path / "cloud 3")
    assert cluster._layout(tmp_path / "later").index == found["cloud 3"], "what a removed cluster had is free again"
