"""A real single-node Ganeti cluster in private mount, UTS, PID and network namespaces.

The machine's host name, `/etc/hosts` and Ganeti's own directories stay untouched: the namespace sees private ones, kept below the
directory given. A veth pair leads from the host to the node; a bridge of the node carries the public network of the guests.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from onebox import environment, kvm
from onebox.machine import Problem
from onebox.state import ROOT

NAME = "synnefo"
LOCKS = Path("/run/lock")
PRIVATE = ("var/lib/ganeti", "var/log/ganeti", "srv/ganeti", "etc/ganeti")
FILES = ("etc/hosts", "etc/hostname", "etc/default/ganeti")
DAEMONS = ("ganeti-noded", "ganeti-confd", "ganeti-wconfd", "ganeti-rapi", "ganeti-luxid", "ganeti-mond")
BOUNDS = ("min:cpu-count=1,disk-count=0,disk-size=4,memory-size=4,nic-count=0,spindle-use=1/"
          "max:cpu-count=64,disk-count=16,disk-size=1048576,memory-size=131072,nic-count=16,spindle-use=64")
# Process 1 of the namespace must reap children, or finished jobs stay as zombies.
INIT = """
import os, signal, time
open("/run/init.ready", "w").close()
signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
while True:
    try: os.waitpid(-1, 0)
    except ChildProcessError: time.sleep(0.2)
"""
NODE_CONFIG = "/etc/ganeti/synnefo-node.json"
# Addresses come from the cloud's own pool: the server answers known NICs only, with the address that was written down for them.
DNSMASQ = """\
port=0
interface=pub0
bind-interfaces
except-interface=lo
no-resolv
no-hosts
no-ping
dhcp-authoritative
dhcp-range={net}.0,static,255.255.255.0,1h
dhcp-hostsdir=/run/ganeti/dhcp/pub0
dhcp-ignore=tag:!known
dhcp-option=option:router,{net}.1
dhcp-leasefile=/run/ganeti/dnsmasq-pub0.leases
log-facility=/var/log/ganeti/dnsmasq-pub0.log
user=root
pid-file=/run/ganeti/dnsmasq-pub0.pid
"""
MAKE_NAMESPACE = """
set -e; FS=$1 NODE=$2 INIT=$3
hostname $NODE
mount -t proc proc /proc; mount -t sysfs sysfs /sys
mkdir -p /srv/ganeti /etc/ganeti /var/lib/ganeti /var/log/ganeti; touch /etc/hostname /etc/default/ganeti
mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p -m 1777 /run/lock
for d in var/lib/ganeti var/log/ganeti srv/ganeti etc/ganeti; do mount --bind $FS/$d /$d; done
for f in etc/hosts etc/hostname etc/default/ganeti; do mount --bind $FS/$f /$f; done
ip link set lo up
exec python3 -c "$INIT"
"""


@dataclass(frozen=True)
class Layout:
    """Where one cluster's state lies and which addresses it has: .1 host side, .10 node, .11 cluster."""

    directory: Path
    index: int

    @property
    def fs(self) -> Path:
        return self.directory / "fs"

    @property
    def net(self) -> str:
        return f"100.64.{self.index}"

    @property
    def guests(self) -> str:
        """First three octets of the guests' public network."""
        return f"10.89.{self.index}"

    @property
    def host_link(self) -> str:
        return f"gh{self.index}"

    @property
    def node(self) -> str:
        return f"node1.{self.cluster}"

    @property
    def cluster(self) -> str:
        return f"{NAME}{self.index}.test"

    @property
    def pid_file(self) -> Path:
        return self.directory / "pid"

    def pid(self) -> int | None:
        """Process 1 of the namespace, seen from outside, or None when the cluster is down."""
        try:
            pid = int(self.pid_file.read_text())
            inside = Path(f"/proc/{pid}/root/run/init.ready").exists()
        except (OSError, ValueError):
            return None
        return pid if inside and b"init.ready" in Path(f"/proc/{pid}/cmdline").read_bytes() else None


def up(directory: Path, *, log: Path, node_settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Bring the cluster up, from nothing or from a stop; quick when it runs. Returns the facts that services need.

    `node_settings` are settings of what runs on the node: EVENTS_URL, PITHOS_BLOCK_PATH and others of its configuration file.
    """
    layout = _layout(directory)
    if layout.pid() is None:
        _make_namespace(layout, log)
    _prepare_node(layout, node_settings or {}, log)
    _inside(layout, log, _configure_script(layout), "configuring the cluster")
    _write_rapi_user(layout)
    fingerprint = _wait_for_rapi(layout, log)
    return {
        "name": layout.cluster, "rapi_host": f"{layout.net}.11", "rapi_port": 5080, "rapi_user": "synnefo",
        "rapi_password": _rapi_password(layout), "rapi_fingerprint": fingerprint, "host_address": f"{layout.net}.1",
        "node_address": f"{layout.net}.10",
        "public_network": {"bridge": "pub0", "subnet": f"{layout.guests}.0/24", "gateway": f"{layout.guests}.1"},
        "enter": enter_command(directory), "summary": layout.cluster,
        "eventd_command": [*enter_command(directory), environment.program("snf-ganeti-eventd"), "--foreground",
                           "--config", NODE_CONFIG],
    }


def _layout(directory: Path) -> Layout:
    """The cluster's addresses, chosen once: the first index whose host link is free and that no other cluster here has chosen."""
    directory.mkdir(parents=True, exist_ok=True)
    chosen = directory / "index"
    if not chosen.exists():
        with (LOCKS / "synnefo-clusters").open("a+") as register:
            fcntl.flock(register, fcntl.LOCK_EX)  # two clusters may be made at once
            chosen.write_text(str(_free_index(register, directory)))
    return Layout(directory, int(chosen.read_text()))


def _free_index(register: TextIO, directory: Path) -> int:
    """An index that is free, noted in the register: lines of `index directory`, of which those without a cluster are forgotten."""
    register.seek(0)
    entries = [line.split(" ", 1) for line in register.read().splitlines()]
    kept = {int(number): place for number, place in entries if Path(place, "index").exists()}
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    index = next(i for i in range(31, 250) if i not in kept and f" gh{i}@" not in links)
    register.truncate(0)
    register.writelines(f"{number} {place}\n" for number, place in {**kept, index: str(directory)}.items())
    return index


def enter_command(directory: Path) -> list[str]:
    """Prefix that runs a command inside the node's namespaces with a clean environment. Finds the process anew each time."""
    environment_ = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8"
    script = f'exec nsenter -t "$(cat {directory}/pid)" -m -u -n -p -r -w -- /usr/bin/env -i {environment_} "$@"'
    return ["bash", "-c", script, "enter"]


def exec_in(directory: Path, command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command inside the node; `options` go to `subprocess.run`."""
    options.setdefault("check", False)
    return subprocess.run([*enter_command(directory), *command], **options)  # noqa: PLW1510 - set above


def _make_namespace(layout: Layout, log: Path) -> None:
    _make_private_files(layout)
    layout.pid_file.unlink(missing_ok=True)
    with log.open("ab") as stream:
        outer = subprocess.Popen(
            ["unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--propagation", "private", "bash", "-c", MAKE_NAMESPACE,
             "_", str(layout.fs), layout.node, INIT],
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True)
    deadline = time.monotonic() + 15
    while True:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split() if outer.poll() is None else []
        if children and Path(f"/proc/{children[0]}/root/run/init.ready").exists():
            break
        if time.monotonic() > deadline or outer.poll() is not None:
            raise Problem("The cluster's namespaces could not be made.", log=log, hint="Use --backend=simulated on this machine.")
        time.sleep(0.05)
    layout.pid_file.write_text(children[0])
    _connect(layout, int(children[0]), log)


def _make_private_files(layout: Layout) -> None:
    for name in (*PRIVATE, "srv/ganeti/file-storage", "srv/ganeti/os", "srv/ganeti/extstorage"):
        (layout.fs / name).mkdir(parents=True, exist_ok=True)
    if not (layout.fs / "etc/ganeti/.copied").exists():
        shutil.copytree("/etc/ganeti", layout.fs / "etc/ganeti", dirs_exist_ok=True)
        (layout.fs / "etc/ganeti/.copied").touch()
    (layout.fs / "etc/default").mkdir(parents=True, exist_ok=True)
    (layout.fs / "etc/hosts").write_text(
        f"127.0.0.1 localhost\n{layout.net}.10 {layout.node} node1\n{layout.net}.11 {layout.cluster}\n")
    (layout.fs / "etc/hostname").write_text(layout.node + "\n")
    (layout.fs / "etc/default/ganeti").write_text('RAPI_ARGS="-b 0.0.0.0 --require-authentication"\n')


def _connect(layout: Layout, pid: int, log: Path) -> None:
    """A veth pair to the host, the bridges, and the way to the guests' public network through the node."""
    link, net, guests = layout.host_link, layout.net, layout.guests
    subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    for command in (f"ip link add {link} type veth peer name up0 netns {pid}", f"ip addr add {net}.1/24 dev {link}",
                    f"ip link set {link} up"):
        subprocess.run(command.split(), check=True, capture_output=True)
    _inside(layout, log, f"""
        ip link add gnt0 type bridge; ip addr add {net}.10/24 dev gnt0; ip link set up0 master gnt0
        ip link set up0 up; ip link set gnt0 up; ip route add default via {net}.1
        ip link add prv0 type bridge; ip link set prv0 up
        ip link add pub0 type bridge; ip addr add {guests}.1/24 dev pub0; ip link set pub0 up
        echo 1 > /proc/sys/net/ipv4/ip_forward
    """, "connecting the node")
    subprocess.run(["ip", "route", "replace", f"{guests}.0/24", "via", f"{net}.10", "dev", link], check=True)


def _prepare_node(layout: Layout, settings: Mapping[str, Any], log: Path) -> None:
    """Everything of ours on the node: configuration, OS definition, network hook, DHCP."""
    state = layout.fs / "var/lib/ganeti/synnefo"
    state.mkdir(parents=True, exist_ok=True)
    config = {"STATE_DIR": "/var/lib/ganeti/synnefo", "NODE_NAME": layout.node, **settings}
    (layout.fs / NODE_CONFIG.removeprefix("/")).write_text(json.dumps(config, indent=2), "utf-8")
    target = layout.fs / "srv/ganeti/os/snf-image"
    with log.open("ab") as stream:
        subprocess.run([environment.program("python"), "-m", "synnefo_node.image.install", str(target)], check=True, stdout=stream, stderr=stream)
    hook = layout.fs / "etc/ganeti/kvm-vif-bridge"
    shutil.copy(ROOT / "packages/node/src/synnefo_node/files/kvm-vif-bridge", hook)
    hook.chmod(0o755)
    (layout.fs / "etc/ganeti/dnsmasq-pub0.conf").write_text(DNSMASQ.format(net=layout.guests), "utf-8")


def _configure_script(layout: Layout) -> str:
    is_new = not (layout.fs / "var/lib/ganeti/config.data").exists()
    kvm_flag = "enabled" if is_new and kvm.works() else "disabled"  # chosen once, when the cluster is made
    return f"""
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin
        /usr/lib/ganeti/ensure-dirs; install -d -m 750 /var/log/ganeti/extstorage
        if [ ! -f /var/lib/ganeti/config.data ]; then
          echo /srv/ganeti/file-storage > /etc/ganeti/file-storage-paths
          gnt-cluster init --no-ssh-init --no-etc-hosts \\
            --enabled-hypervisors=kvm,fake --enabled-disk-templates=file,diskless,ext \\
            --ipolicy-disk-templates=file,diskless,ext --file-storage-dir=/srv/ganeti/file-storage \\
            --master-netdev=gnt0 --nic-parameters mode=bridged,link=prv0 \\
            --default-iallocator=hail --default-iallocator-params=-no-capacity-checks \\
            --ipolicy-bounds-specs {BOUNDS} --ipolicy-vcpu-ratio=1000 --ipolicy-spindle-ratio=10000 \\
            -H kvm:kvm_flag={kvm_flag},kernel_path=,vnc_bind_address=0.0.0.0,kvm_path=/usr/bin/qemu-system-x86_64,serial_console=false \\
            {layout.cluster}
        fi
        for d in {' '.join(DAEMONS)}; do
          /usr/lib/ganeti/daemon-util check $d 2>/dev/null || /usr/lib/ganeti/daemon-util start $d
        done
        for i in $(seq 20); do gnt-cluster getmaster >/dev/null 2>&1 && gnt-cluster info >/dev/null 2>&1 && break; sleep .5; done
        # The daemons may be activating it themselves just now, in which case the command fails and the address is there.
        has_address() {{ ip -br a show gnt0 | grep -q '{layout.net}.11'; }}
        has_address || gnt-cluster activate-master-ip || {{ sleep 1; has_address; }}
        mkdir -p /run/ganeti/dhcp/pub0
        [ -s /run/ganeti/dnsmasq-pub0.pid ] && kill -0 $(cat /run/ganeti/dnsmasq-pub0.pid) 2>/dev/null || dnsmasq -C /etc/ganeti/dnsmasq-pub0.conf
    """


def _inside(layout: Layout, log: Path, script: str, what: str) -> None:
    with log.open("ab") as stream:
        done = exec_in(layout.directory, ["bash", "-ec", script], stdout=stream, stderr=stream, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Problem(f"Ganeti failed while {what}.", log=log, hint="Run ./synnefo up again; ./synnefo reset starts from nothing.")


def _rapi_password(layout: Layout) -> str:
    path = layout.directory / "rapi-password"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(24))
    return path.read_text()


def _write_rapi_user(layout: Layout) -> None:
    line = f"synnefo {_rapi_password(layout)} write\n"
    users = layout.fs / "var/lib/ganeti/rapi/users"
    if not users.exists() or users.read_text() != line:
        users.write_text(line)
    exec_in(layout.directory, ["sh", "-c", "chown gnt-rapi:gnt-masterd /var/lib/ganeti/rapi/users; chmod 640 /var/lib/ganeti/rapi/users"],
            check=True)


def _wait_for_rapi(layout: Layout, log: Path) -> str:
    """SHA-256 fingerprint of RAPI's certificate, once it answers."""
    deadline = time.monotonic() + 30
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is pinned by what is read here
    while True:
        with contextlib.suppress(OSError), socket.create_connection((f"{layout.net}.11", 5080), 2) as raw, \
                context.wrap_socket(raw) as wrapped:
            certificate = wrapped.getpeercert(binary_form=True)
            if certificate:
                return hashlib.sha256(certificate).hexdigest()
        if time.monotonic() > deadline:
            raise Problem("Ganeti's remote API does not answer.", log=log)
        time.sleep(0.2)


def down(directory: Path) -> bool:
    """Stop everything inside, guests included. Returns whether anything ran."""
    if not (directory / "index").exists():
        return False
    layout = _layout(directory)
    pid = layout.pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
    layout.pid_file.unlink(missing_ok=True)
    subprocess.run(["ip", "link", "del", layout.host_link], capture_output=True, check=False)
    return pid is not None


def purge(directory: Path) -> None:
    down(directory)
    shutil.rmtree(directory, ignore_errors=True)
