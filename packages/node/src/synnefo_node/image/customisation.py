"""Making a copied image the machine's own: its size, name, passwords, keys, files, network."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from synnefo_node.image import ext, partitions, progress
from synnefo_node.image.errors import ImageError
from synnefo_node.image.ext import ExtFilesystem
from synnefo_node.image.parameters import Parameters

DHCP_TAGS = {"auto", "dhcp", "nfdhcpd"}
HASH_METHODS = {"sha512": "-6", "sha256": "-5", "md5": "-1"}
LAST_CHANGE_DAY = "19000"


def customise(disk: Path, wanted: Parameters, environ: Mapping[str, str] = os.environ) -> None:
    """Run every task that the image does not exclude. Raises `ImageError`; missing optional things are warnings."""
    if wanted.property("EXCLUDE_ALL_TASKS").lower() in {"yes", "true", "1", "on", "set"}:
        return
    family = wanted.property("OSFAMILY", "linux")
    table = partitions.read(disk)
    root = partitions.choose_root(table, wanted.property("ROOT_PARTITION"))
    if family != "linux" or not ext.is_ext(disk, root.start):
        progress.warning(f"Images of {family} with this file system are copied as they are")
        return
    if not wanted.is_excluded("FixPartitionTable"):
        with progress.task("FixPartitionTable"):
            root = partitions.grow_last(disk, root, table)
    filesystem = ExtFilesystem(disk, root.start)
    try:
        _resize(filesystem, root.size, wanted)
        _edit(filesystem, wanted, environ)
        filesystem.commit()
        filesystem.check()
    finally:
        filesystem.close()


def _resize(filesystem: ExtFilesystem, size: int, wanted: Parameters) -> None:
    with progress.task("FilesystemResizeUnmounted"):
        filesystem.check()
        if not wanted.is_excluded("FilesystemResizeUnmounted"):
            filesystem.grow(size)


def _edit(filesystem: ExtFilesystem, wanted: Parameters, environ: Mapping[str, str]) -> None:
    tasks: tuple[tuple[str, Callable[[], None]], ...] = (
        ("AssignHostname", lambda: _hostname(filesystem, environ["INSTANCE_NAME"])),
        ("ChangeMachineId", lambda: _machine_id(filesystem)),
        ("ChangePassword", lambda: _accounts(filesystem, wanted)),
        ("ConfigureNetwork", lambda: _network(filesystem, environ)),
        ("DeleteSSHKeys", lambda: _host_keys(filesystem)),
        ("EnforcePersonality", lambda: _personality(filesystem, wanted)),
    )
    for name, run in tasks:
        if not wanted.is_excluded(name):
            with progress.task(name):
                run()


def _hostname(filesystem: ExtFilesystem, name: str) -> None:
    filesystem.write("/etc/hostname", f"{name}\n".encode())
    hosts = (filesystem.read("/etc/hosts") or b"127.0.0.1\tlocalhost\n").decode("utf-8", "replace")
    lines = [line for line in hosts.splitlines() if not line.startswith("127.0.1.1")]
    filesystem.write("/etc/hosts", ("\n".join([*lines, f"127.0.1.1\t{name}"]) + "\n").encode())


def _machine_id(filesystem: ExtFilesystem) -> None:
    """Empty, so that the first boot makes a new one."""
    if filesystem.resolve("/etc/machine-id") is not None:
        filesystem.write("/etc/machine-id", b"", mode=0o444)


def _host_keys(filesystem: ExtFilesystem) -> None:
    """Host keys of the image would be known to everybody who has it. New ones are made here when the system does not make them by itself."""
    names = [name for name in filesystem.list_directory("/etc/ssh") if name.startswith("ssh_host_") and "_key" in name]
    for name in names:
        filesystem.remove(f"/etc/ssh/{name}")
    if not filesystem.list_directory("/etc/ssh"):
        return
    private, public = _new_host_key()
    filesystem.write("/etc/ssh/ssh_host_ed25519_key", private, mode=0o600)
    filesystem.write("/etc/ssh/ssh_host_ed25519_key.pub", public)


def _new_host_key() -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" root\n"
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), public


def hash_password(password: str, method: str = "sha512") -> str:
    """The crypt(3) hash, made by openssl: the password goes through a pipe, never on a command line."""
    option = HASH_METHODS.get(method)
    if option is None:
        raise ImageError(f"Passwords cannot be hashed by {method}")
    done = subprocess.run(["openssl", "passwd", option, "-salt", secrets.token_hex(8)[: 8 if method == "md5" else 16], "-stdin"],
                          input=password + "\n", capture_output=True, text=True, check=False, timeout=30)
    if done.returncode or not done.stdout.startswith("$"):
        raise ImageError("The password could not be hashed")
    return done.stdout.strip()


def _accounts(filesystem: ExtFilesystem, wanted: Parameters) -> None:
    """Password and SSH keys of the users that the image names."""
    hashed = wanted.img_passwd_hash
    if wanted.img_passwd:
        hashed = hash_password(wanted.img_passwd, wanted.property("PASSWD_HASHING_METHOD", "sha512"))
    users = wanted.property("USERS", "root").split()
    if hashed:
        _set_passwords(filesystem, users, hashed)
    if wanted.auth_keys:
        homes = _homes(filesystem)
        for user in users:
            if user not in homes:
                raise ImageError(f"The image has no user {user}")
            home, uid, gid = homes[user]
            filesystem.make_directories(f"{home}/.ssh", mode=0o700, uid=uid, gid=gid)
            known = filesystem.read(f"{home}/.ssh/authorized_keys") or b""
            filesystem.write(f"{home}/.ssh/authorized_keys", known + wanted.auth_keys.encode() + b"\n", mode=0o600, uid=uid, gid=gid)


def _set_passwords(filesystem: ExtFilesystem, users: list[str], hashed: str) -> None:
    shadow = filesystem.read("/etc/shadow")
    if shadow is None:
        raise ImageError("The image has no /etc/shadow")
    lines = shadow.decode("utf-8", "replace").splitlines()
    missing = set(users)
    for index, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] in missing and len(fields) >= 3:
            missing.discard(fields[0])
            lines[index] = ":".join([fields[0], hashed, LAST_CHANGE_DAY, *fields[3:]])
    if missing:
        raise ImageError(f"The image has no user {', '.join(sorted(missing))}")
    filesystem.write("/etc/shadow", ("\n".join(lines) + "\n").encode(), mode=0o640, gid=_group(filesystem, "shadow"))


def _homes(filesystem: ExtFilesystem) -> dict[str, tuple[str, int, int]]:
    rows = (filesystem.read("/etc/passwd") or b"").decode("utf-8", "replace").splitlines()
    fields = [row.split(":") for row in rows]
    return {item[0]: (item[5], int(item[2]), int(item[3])) for item in fields if len(item) >= 7 and item[2].isdigit() and item[3].isdigit()}


def _group(filesystem: ExtFilesystem, name: str) -> int:
    for row in (filesystem.read("/etc/group") or b"").decode("utf-8", "replace").splitlines():
        fields = row.split(":")
        if fields[0] == name and len(fields) >= 3 and fields[2].isdigit():
            return int(fields[2])
    return 0


def _network(filesystem: ExtFilesystem, environ: Mapping[str, str]) -> None:
    """Ask DHCP on every NIC whose network answers it, by whichever of the usual tools the image has."""
    count = int(environ.get("NIC_COUNT", "0"))
    names = [f"eth{index}" for index in range(count)
             if DHCP_TAGS & set(environ.get(f"NIC_{index}_NETWORK_TAGS", "").split()) and environ.get(f"NIC_{index}_IP")]
    if filesystem.resolve("/etc/network/interfaces") is not None:
        parts = ["auto lo\niface lo inet loopback\n", *(f"allow-hotplug {name}\niface {name} inet dhcp\n" for name in names)]
        filesystem.write("/etc/network/interfaces", "\n".join(parts).encode())
    elif filesystem.resolve("/etc/systemd/network") is not None:
        for name in names:
            filesystem.write(f"/etc/systemd/network/50-{name}.network", f"[Match]\nName={name}\n\n[Network]\nDHCP=ipv4\n".encode())


def _personality(filesystem: ExtFilesystem, wanted: Parameters) -> None:
    homes = _homes(filesystem)
    for item in wanted.img_personality:
        try:
            content = base64.b64decode(item.contents, validate=False)
        except (binascii.Error, ValueError) as error:
            raise ImageError(f"The contents of {item.path} are no base64") from error
        uid = homes[item.owner][1] if item.owner in homes else int(item.owner) if item.owner.isdigit() else 0
        gid = int(item.group) if item.group.isdigit() else _group(filesystem, item.group)
        if item.path.endswith("/.ssh/authorized_keys"):
            # sshd refuses keys in a directory that others could change.
            filesystem.make_directories(item.path.rpartition("/")[0], mode=0o700, uid=uid, gid=gid)
        filesystem.write(item.path, content, mode=item.mode & 0o7777, uid=uid, gid=gid)
