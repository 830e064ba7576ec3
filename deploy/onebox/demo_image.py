"""The demo image: a small real Debian 12 that boots under emulation to ssh, made from Debian packages and cached.

Nothing is mounted: debootstrap fills a directory, mke2fs makes the file system from it, GRUB is put in front by hand. The kernel is Debian's cloud kernel
with an initial RAM disk of busybox and the virtio drivers, which starts faster than a full one.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

from onebox.machine import Problem

NAME = "Debian 12 small"
SUITE = "bookworm"
SIZE_MIB = 900
FIRST_SECTOR = 2048
PACKAGES = ("systemd-sysv", "udev", "kmod", "dbus", "iproute2", "ifupdown", "isc-dhcp-client", "openssh-server", "iputils-ping", "procps", "less", "vim-tiny",
            "ca-certificates")
PARTS = ("busybox-static", "grub-pc-bin", "grub-common")
# In the order in which they must be loaded: virtio_ring before virtio.
MODULES = ("virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk", "failover", "net_failover",
           "virtio_net", "button", "evdev", "virtio-rng")
INIT = """\
#!/bin/sh
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for m in /m/*; do insmod $m; done
n=0; while [ ! -b /dev/vda1 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
mount -t ext4 /dev/vda1 /new || exec sh
for d in dev proc sys; do mount -o move /$d /new/$d; done
exec switch_root /new /sbin/init
"""
GRUB = """\
serial --unit=0 --speed=115200
terminal_output serial console
set timeout=0
menuentry "Debian" {
 linux /boot/vmlinuz root=/dev/vda1 rw console=ttyS0,115200 console=tty0 quiet net.ifnames=0 mitigations=off
 initrd /boot/initrd.gz
}
"""
PROPERTIES = {"OSFAMILY": "linux", "ROOT_PARTITION": "1", "USERS": "root", "OS": "debian",
              "DESCRIPTION": "Debian 12 with ssh, small enough for emulated machines"}
# What a running system makes again, or nobody reads on a server.
SURPLUS = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian")


def build(images: Path, cache: Path, *, log: Path) -> dict[str, Any]:
    """The image's path, name, user and properties; made when the cache has none made by this very code."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = cache / f"debian-12-{recipe}.img"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        work = images / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            _build(path, work, cache, log)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return {"path": path, "name": NAME, "user": "root", "properties": PROPERTIES}


def _build(path: Path, work: Path, cache: Path, log: Path) -> None:
    parts = _fetch_parts(work, cache, log)
    root = work / "root"
    _run(log, "debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", f"--cache-dir={_debs(cache)}", SUITE, str(root), _mirror())
    _configure(root)
    kernel = next((parts / "lib/modules").iterdir()).name
    shutil.copytree(parts / "lib/modules" / kernel, root / "lib/modules" / kernel, symlinks=True)
    shutil.copy(parts / "boot" / f"vmlinuz-{kernel}", root / "boot/vmlinuz")
    (root / "boot/grub").mkdir(parents=True, exist_ok=True)
    (root / "boot/grub/grub.cfg").write_text(GRUB)
    _make_initrd(parts, kernel, work, root / "boot/initrd.gz", log)
    _run(log, "chroot", str(root), "depmod", kernel, check=False)
    temporary = path.with_suffix(".part")
    _make_disk(temporary, root, parts, work, log)
    temporary.replace(path)


def _run(log: Path, *command: str, check: bool = True, **options: Any) -> None:
    with log.open("ab") as stream:
        stream.write(f"$ {' '.join(command)}\n".encode())
        stream.flush()
        done = subprocess.run(command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, check=False, **options)
    if check and done.returncode:
        raise Problem(f"`{command[0]}` failed while the demo image was made.", log=log, hint="Run ./synnefo up again; downloads are kept.")


def _mirror() -> str:
    """The Debian mirror that this machine is set up for."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text("utf-8", "replace").splitlines():
            match = re.match(r"^(?:deb\s+(?:\[[^\]]*\]\s+)?|URIs:\s*)(https?://\S+|file:\S+)", line.strip())
            if match and "security" not in match[1]:
                return match[1]
    raise Problem("This machine has no Debian package source.", hint="Add one to /etc/apt/sources.list.")


def _debs(cache: Path) -> Path:
    directory = cache / "debs"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _fetch_parts(work: Path, cache: Path, log: Path) -> Path:
    """Unpack, not install, the packages that the boot is made of."""
    answer = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True).stdout
    kernel = re.search(r"Depends: (linux-image-\S+)", answer)
    if kernel is None:
        raise Problem("Debian's cloud kernel is not known here.", hint="apt-get update")
    downloads, parts = work / "downloads", work / "parts"
    downloads.mkdir()
    _run(log, "apt-get", "-o", "APT::Sandbox::User=root", "download", kernel[1], *PARTS, cwd=downloads)
    for deb in sorted(downloads.glob("*.deb")):
        _run(log, "dpkg-deb", "-x", str(deb), str(parts))
    return parts


def _configure(root: Path) -> None:
    """What makes it a guest: names of NICs, console, ssh for root, no leftovers of the build."""
    for link in ("etc/systemd/network/99-default.link", "etc/systemd/network/73-usb-net-by-mac.link"):
        target = root / link
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to("/dev/null")
    (root / "etc/network/interfaces").write_text("auto lo\niface lo inet loopback\n\nallow-hotplug eth0\niface eth0 inet dhcp\n")
    (root / "etc/ssh/sshd_config.d/50-cloud.conf").write_text("PermitRootLogin yes\nUseDNS no\n")
    (root / "etc/fstab").write_text("/dev/vda1 / ext4 errors=remount-ro 0 1\n")
    (root / "etc/hostname").write_text("debian\n")
    (root / "etc/machine-id").write_text("")
    (root / "etc/dhcp/dhclient.conf").write_text("timeout 30;\nrequest subnet-mask, routers, domain-name-servers, host-name;\n")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for unit in ("apt-daily.timer", "apt-daily-upgrade.timer", "man-db.timer", "e2scrub_all.timer", "fstrim.timer"):
        mask = root / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    for name in SURPLUS:
        for item in (root / name).glob("*"):
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    shadow = root / "etc/shadow"
    shadow.write_text(re.sub(r"^root:[^:]*:", "root:*:", shadow.read_text(), flags=re.M))


def _make_initrd(parts: Path, kernel: str, work: Path, target: Path, log: Path) -> None:
    tree = work / "initrd"
    for name in ("bin", "dev", "proc", "sys", "new", "m"):
        (tree / name).mkdir(parents=True)
    shutil.copy(parts / "bin/busybox", tree / "bin/busybox")
    for applet in ("sh", "mount", "insmod", "sleep", "switch_root"):
        (tree / "bin" / applet).symlink_to("busybox")
    for number, module in enumerate(MODULES, 10):
        found = next((parts / "lib/modules" / kernel).rglob(f"{module}.ko"))
        shutil.copy(found, tree / "m" / f"{number}-{module}.ko")
    (tree / "init").write_text(INIT)
    (tree / "init").chmod(0o755)
    script = f'cd "{tree}" && find . | "{parts}/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1 > "{target}"'
    _run(log, "sh", "-c", script)


def _make_disk(path: Path, root: Path, parts: Path, work: Path, log: Path) -> None:
    """Partition table and GRUB in the first MiB, then one ext4 partition filled from the directory."""
    path.unlink(missing_ok=True)
    with path.open("wb") as stream:
        stream.truncate(SIZE_MIB * 2**20)
    _run(log, "mke2fs", "-q", "-t", "ext4", "-O", "^64bit", "-L", "root", "-E", f"offset={FIRST_SECTOR * 512},root_owner=0:0", "-d", str(root),
         str(path), f"{SIZE_MIB - 1}M")
    libraries = str(parts / "usr/lib/x86_64-linux-gnu")
    core = work / "core.img"
    _run(log, str(parts / "usr/bin/grub-mkimage"), "-d", str(parts / "usr/lib/grub/i386-pc"), "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o",
         str(core), "biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "serial", "terminal", "echo",
         env=os.environ | {"LD_LIBRARY_PATH": libraries})
    _write_boot_code(path, (parts / "usr/lib/grub/i386-pc/boot.img").read_bytes(), core.read_bytes())


def _write_boot_code(path: Path, boot: bytes, core: bytes) -> None:
    if len(core) > (FIRST_SECTOR - 1) * 512:
        raise Problem("GRUB does not fit in front of the partition.")
    first = bytearray(boot[:512])
    sectors = SIZE_MIB * 2048 - FIRST_SECTOR
    first[0x1B8:0x1BE] = os.urandom(4) + b"\0\0"
    first[0x1BE:0x1FE] = struct.pack("<B3sB3sII", 0x80, b"\0\x02\0", 0x83, b"\xfe\xff\xff", FIRST_SECTOR, sectors) + bytes(48)
    first[0x66:0x68] = b"\x90\x90"  # GRUB's answer to BIOSes that name the boot drive wrongly
    first[0x1FE:0x200] = b"\x55\xaa"
    with path.open("r+b") as stream:
        stream.write(first + core)
