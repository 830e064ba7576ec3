"""A copied image becomes the machine's own, with real disks and the real tools."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

import pytest

from synnefo_node.image import confined, customisation, parameters, partitions
from synnefo_node.image.errors import ImageError
from tests.support import guest_images

MIB = guest_images.MIB
ENVIRON = {"INSTANCE_NAME": "snf-7", "NIC_COUNT": "2", "NIC_0_NETWORK_TAGS": "public nfdhcpd", "NIC_0_IP": "10.0.0.7",
           "NIC_1_NETWORK_TAGS": "private", "NIC_1_IP": "10.1.0.7"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample me"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return guest_images.system_tree(tmp_path / "tree")


def wanted(properties: dict[str, str] | None = None, **values: Any) -> parameters.Parameters:
    return parameters.parse({"img_id": "null", "img_properties": {"OSFAMILY": "linux", "ROOT_PARTITION": "1"} | (properties or {}), **values})


def customised(tmp_path: Path, tree: Path, request: parameters.Parameters, **options: Any) -> Path:
    path = guest_images.disk(tmp_path / "disk", tree, **options)
    customisation.customise(path, request, ENVIRON)
    assert guest_images.is_clean(path)
    return path


def content(text: bytes) -> str:
    return base64.b64encode(text).decode()


def test_the_machine_gets_its_name_and_loses_the_identity_of_the_image(tmp_path: Path, tree: Path) -> None:
    disk = customised(tmp_path, tree, wanted())
    assert guest_images.read(disk, "/etc/hostname") == "snf-7\n"
    assert guest_images.read(disk, "/etc/hosts") == "127.0.0.1\tlocalhost\n127.0.1.1\tsnf-7\n"
    assert guest_images.read(disk, "/etc/machine-id") == ""
    assert guest_images.read(disk, "/etc/ssh/ssh_host_rsa_key") is None
    assert "the key of the image" not in (guest_images.read(disk, "/etc/ssh/ssh_host_ed25519_key") or "")
    assert guest_images.attributes(disk, "/etc/ssh/ssh_host_ed25519_key") == (0o600, 0, 0)


def test_machines_of_one_image_have_different_host_keys(tmp_path: Path, tree: Path) -> None:
    keys = set()
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        keys.add(guest_images.read(customised(directory, tree, wanted()), "/etc/ssh/ssh_host_ed25519_key.pub"))
    assert len(keys) == 2


def test_the_password_opens_the_accounts_that_the_image_names(tmp_path: Path, tree: Path) -> None:
    disk = customised(tmp_path, tree, wanted({"USERS": "root user"}, img_passwd="a Pass:word'"))
    lines = (guest_images.read(disk, "/etc/shadow") or "").splitlines()
    for name, line in zip(("root", "user"), lines, strict=True):
        found, hashed, *rest = line.split(":")
        again = guest_images.run("openssl", "passwd", "-6", "-salt", hashed.split("$")[2], "-stdin", stdin="a Pass:word'\n").strip()
        assert (found, hashed, rest) == (name, again, ["19000", "0", "99999", "7", "", "", ""])
    assert guest_images.attributes(disk, "/etc/shadow") == (0o640, 0, 42)


def test_without_a_password_the_accounts_stay_as_they_are(tmp_path: Path, tree: Path) -> None:
    disk = customised(tmp_path, tree, wanted())
    assert guest_images.read(disk, "/etc/shadow") == guest_images.FILES["etc/shadow"]


@pytest.mark.parametrize("values", [{"img_passwd": "x" * 10}, {"auth_keys": KEY}])
def test_an_account_that_the_image_lacks_is_an_error(tmp_path: Path, tree: Path, values: dict[str, str]) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree)
    with pytest.raises(ImageError, match="no user nobody-here"):
        customisation.customise(disk, wanted({"USERS": "nobody-here"}, **values), ENVIRON)


def test_keys_are_added_for_each_user_with_the_owner_that_sshd_wants(tmp_path: Path, tree: Path) -> None:
    (tree / "home/user/.ssh").mkdir()
    (tree / "home/user/.ssh/authorized_keys").write_text("ssh-rsa OLD of the image\n")
    disk = customised(tmp_path, tree, wanted({"USERS": "root user"}, auth_keys=KEY))
    assert guest_images.read(disk, "/root/.ssh/authorized_keys") == f"{KEY}\n"
    assert guest_images.read(disk, "/home/user/.ssh/authorized_keys") == f"ssh-rsa OLD of the image\n{KEY}\n"
    assert guest_images.attributes(disk, "/root/.ssh") == (0o700, 0, 0)
    assert guest_images.attributes(disk, "/home/user/.ssh/authorized_keys") == (0o600, 1000, 1001)


def test_keys_and_a_personality_file_of_the_same_place_do_not_disturb_each_other(tmp_path: Path, tree: Path) -> None:
    files = [{"path": "/root/.ssh/authorized_keys", "contents": content(b"ssh-rsa TWO\n"), "mode": 0o600}]
    disk = customised(tmp_path, tree, wanted(auth_keys=KEY, img_personality=files))
    assert guest_images.read(disk, "/root/.ssh/authorized_keys") == "ssh-rsa TWO\n"


def test_personality_files_get_their_content_mode_and_owner(tmp_path: Path, tree: Path) -> None:
    files = [{"path": "/opt/a new/place/file", "contents": content(b"\0binary\n")},
             {"path": "/home/user/note", "contents": content("\N{GREEK SMALL LETTER ALPHA}".encode()), "owner": "user", "group": "user", "mode": 0o644},
             {"path": "/etc/hostname", "contents": content(b"chosen\n"), "owner": "12", "group": "13", "mode": 0o600}]
    disk = customised(tmp_path, tree, wanted(img_personality=files))
    assert guest_images.read(disk, "/opt/a new/place/file") == "\0binary\n"
    assert guest_images.attributes(disk, '"/opt/a new/place/file"') == (0o440, 0, 0)
    assert guest_images.read(disk, "/home/user/note") == "\N{GREEK SMALL LETTER ALPHA}"
    assert guest_images.attributes(disk, "/home/user/note") == (0o644, 1000, 1001)
    assert guest_images.read(disk, "/etc/hostname") == "chosen\n"
    assert guest_images.attributes(disk, "/etc/hostname") == (0o600, 12, 13)


@pytest.mark.parametrize("path", ["relative", "/a\nrm /etc/passwd", "/etc/x\n", '/a" /etc/passwd', "/a\\b", "/" + "x" * 300])
def test_names_that_could_be_taken_for_commands_are_refused(tmp_path: Path, tree: Path, path: str) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree)
    with pytest.raises(ImageError):
        customisation.customise(disk, wanted(img_personality=[{"path": path, "contents": content(b"x")}]), ENVIRON)
    assert guest_images.read(disk, "/etc/passwd") == guest_images.FILES["etc/passwd"]


def test_links_of_the_image_lead_into_the_image(tmp_path: Path, tree: Path) -> None:
    secret = tmp_path / "secret of the node"
    secret.write_text("untouched")
    (tree / "etc/hostname").unlink()
    (tree / "etc/hostname").symlink_to(secret)
    (tree / "var").symlink_to("/etc")
    (tree / "data").symlink_to("../../../home/user")
    files = [{"path": "/var/motd", "contents": content(b"hello")}, {"path": "/data/file", "contents": content(b"deep")}]
    disk = customised(tmp_path, tree, wanted(img_personality=files))
    assert secret.read_text() == "untouched"
    assert guest_images.read(disk, "/etc/motd") == "hello"
    assert guest_images.read(disk, "/home/user/file") == "deep"
    assert guest_images.read(disk, "/etc/hostname") == "snf-7\n"


def test_a_circle_of_links_is_an_error(tmp_path: Path, tree: Path) -> None:
    (tree / "one").symlink_to("/two")
    (tree / "two").symlink_to("/one")
    disk = guest_images.disk(tmp_path / "disk", tree)
    with pytest.raises(ImageError, match="circle"):
        customisation.customise(disk, wanted(img_personality=[{"path": "/one/x", "contents": content(b"x")}]), ENVIRON)


def test_a_huge_file_of_the_image_is_not_unpacked_on_the_node(tmp_path: Path, tree: Path) -> None:
    with (tree / "etc/passwd").open("r+b") as stream:
        stream.truncate(3 * 2**30)
    disk = guest_images.disk(tmp_path / "disk", tree)
    with pytest.raises(ImageError, match="too large"):
        customisation.customise(disk, wanted(auth_keys=KEY), ENVIRON)


@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_partition_and_file_system_grow_to_the_disk(tmp_path: Path, tree: Path, label: str) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree, label=label)
    with disk.open("r+b") as stream:
        stream.truncate(64 * MIB)
    customisation.customise(disk, wanted(), ENVIRON)
    assert disk.stat().st_size == 64 * MIB
    [root] = partitions.read(disk)
    assert 62 * MIB < root.size <= 63 * MIB
    superblock = guest_images.run("dumpe2fs", "-h", f"{disk}?offset={guest_images.FIRST}")
    numbers = dict(line.split(":", 1) for line in superblock.splitlines() if ":" in line)
    assert int(numbers["Block count"]) * int(numbers["Block size"]) == root.size // 1024 * 1024 // int(numbers["Block size"]) * int(numbers["Block size"])
    assert guest_images.is_clean(disk)
    assert guest_images.read(disk, "/etc/hostname") == "snf-7\n"


def test_a_partition_with_another_behind_it_is_not_grown(tmp_path: Path, tree: Path) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree)
    with disk.open("r+b") as stream:
        stream.truncate(64 * MIB)
    guest_images.run("sfdisk", "--quiet", "--append", str(disk), stdin=f"start={40 * 2048}, size=2048, type=82\n")
    customisation.customise(disk, wanted(), ENVIRON)
    assert [item.size for item in partitions.read(disk)] == [16 * MIB, MIB]
    assert guest_images.is_clean(disk)


def test_partitions_are_known_by_their_numbers(tmp_path: Path) -> None:
    disk = tmp_path / "disk7"
    disk.touch()
    with disk.open("r+b") as stream:
        stream.truncate(16 * MIB)
    guest_images.run("sfdisk", "--quiet", str(disk), stdin="label: gpt\n15 : start=2048, size=2048\n3 : start=4096, size=4096\n")
    assert [(item.number, item.start) for item in sorted(partitions.read(disk), key=lambda item: item.start)] == [(15, MIB), (3, 2 * MIB)]
    assert partitions.choose_root(partitions.read(disk), "3").size == 2 * MIB
    with pytest.raises(ImageError, match="no partition 1"):
        partitions.choose_root(partitions.read(disk), "1")


def test_dhcp_is_asked_only_where_it_answers(tmp_path: Path, tree: Path) -> None:
    disk = customised(tmp_path, tree, wanted())
    interfaces = guest_images.read(disk, "/etc/network/interfaces") or ""
    assert "iface eth0 inet dhcp" in interfaces
    assert "eth1" not in interfaces


def test_dhcp_by_networkd_where_the_image_has_that(tmp_path: Path, tree: Path) -> None:
    (tree / "etc/network/interfaces").unlink()
    (tree / "etc/systemd/network").mkdir(parents=True)
    disk = customised(tmp_path, tree, wanted())
    assert guest_images.read(disk, "/etc/systemd/network/50-eth0.network") == "[Match]\nName=eth0\n\n[Network]\nDHCP=ipv4\n"


@pytest.mark.parametrize(("task", "path"), [("AssignHostname", "etc/hostname"), ("ConfigureNetwork", "etc/network/interfaces"),
                                            ("DeleteSSHKeys", "etc/ssh/ssh_host_rsa_key"), ("ChangeMachineId", "etc/machine-id")])
def test_tasks_that_the_image_excludes_are_left_out(tmp_path: Path, tree: Path, task: str, path: str) -> None:
    disk = customised(tmp_path, tree, wanted({f"exclude_task_{task}": "Yes"}))
    assert guest_images.read(disk, f"/{path}") == guest_images.FILES[path]


def test_a_snapshot_is_left_as_it_is(tmp_path: Path, tree: Path) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree)
    before = disk.read_bytes()
    customisation.customise(disk, wanted({"EXCLUDE_ALL_TASKS": "yes"}), ENVIRON)
    assert disk.read_bytes() == before


def test_a_broken_file_system_is_an_error(tmp_path: Path, tree: Path) -> None:
    disk = guest_images.disk(tmp_path / "disk", tree)
    with disk.open("r+b") as stream:
        stream.seek(guest_images.FIRST + 4096)
        stream.write(b"\xff" * 65536)
    with pytest.raises(ImageError, match="failed"):
        customisation.customise(disk, wanted(), ENVIRON)


def test_a_full_file_system_is_an_error(tmp_path: Path, tree: Path) -> None:
    (tree / "fill").write_bytes(b"x" * 9 * MIB)
    disk = guest_images.disk(tmp_path / "disk", tree, size_mib=12)
    files = [{"path": f"/big{number}", "contents": content(b"y" * MIB)} for number in range(6)]
    request = wanted({"EXCLUDE_TASK_FixPartitionTable": "yes"}, img_personality=files)
    with pytest.raises(ImageError, match="full"):
        customisation.customise(disk, request, ENVIRON)


def test_a_disk_without_partitions_is_an_error(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"\0" * MIB)
    with pytest.raises(ImageError, match="sfdisk"):
        customisation.customise(disk, wanted(), ENVIRON)


def test_tools_run_without_network_and_privileges() -> None:
    told = confined.run("sh", "-c", "grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status; ls /sys/class/net; tail -n +3 /proc/net/dev")
    assert "CapBnd:\t0000000000000000" in told
    assert "NoNewPrivs:\t1" in told
    assert [line.split(":")[0].strip() for line in told.splitlines() if ": " in line] == ["lo"], told


def test_a_tool_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "TIMEOUT_S", 0.2)
    with pytest.raises(ImageError, match="too long"):
        confined.run("sh", "-c", "sleep 60")
    left = subprocess.run(["pgrep", "-fx", "sleep 60"], capture_output=True, check=False).stdout
    assert left == b""
