"""Whether this machine's processor runs guests is tried, not believed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy"))
from onebox import kvm

needs_qemu = pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed")


@needs_qemu
def test_the_boot_sector_runs_to_its_end() -> None:
    assert kvm.boots("tcg")


@needs_qemu
def test_a_guest_that_never_ends_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kvm, "BOOT_SECTOR", b"\xeb\xfe".ljust(510, b"\0") + b"\x55\xaa")
    monkeypatch.setattr(kvm, "TIMEOUT_S", 2)
    assert not kvm.boots("tcg")


def test_a_program_or_accelerator_that_is_not_there_does_not_count() -> None:
    assert not kvm.boots("tcg", "no-such-program")
    assert not kvm.boots("no-such-accelerator")


@pytest.mark.parametrize(("text", "answer"), [
    ("flags\t\t: fpu vmx sse\n", True), ("flags : fpu svm\n", True), ("flags : fpu svm_lock\nvmx flags : vnmi\n", False), ("", False)])
def test_the_processor_must_say_that_it_can(tmp_path: Path, text: str, answer: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert kvm.has_extensions(tmp_path / "cpuinfo") is answer


def test_without_extensions_a_device_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("flags : fpu\n")
    assert kvm.works(tmp_path / "cpuinfo") is False
    assert kvm.works(tmp_path / "missing") is False
