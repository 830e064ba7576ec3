"""What `./synnefo up` does, step by step. Every step looks first whether its work is done, so any run may be the second."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onebox import environment, machine, progress, services, supervisor
from onebox.machine import Problem
from onebox.state import ROOT, State

DEFAULT_PORT = 8080
DEMO = "demo@synnefo.local"
ADMIN = "admin@synnefo.local"
FLAVORS = ("1,2", "256,512,1024", "2,5", "file")
LIMITS = {"cyclades.vm": "6", "cyclades.cpu": "8", "cyclades.total_cpu": "12", "cyclades.ram": "8GiB",
          "cyclades.total_ram": "12GiB", "cyclades.disk": "60GiB", "cyclades.network.private": "5",
          "cyclades.floating_ip": "4", "pithos.diskspace": "20GiB", "astakos.pending_app": "3"}
BOOT_TIMEOUT_S = 300


@dataclass(frozen=True)
class Options:
    backend: str = "auto"
    port: int | None = None
    listen: str | None = None
    database: str | None = None
    broker: str | None = None
    first_vm: bool = True


@dataclass
class Run:
    """One `up`: the state, what was asked, and the step that is being shown."""

    state: State
    options: Options
    machine: machine.Machine = field(default_factory=machine.inspect)
    step: progress.Step = field(default_factory=lambda: progress.Step("", 0, 0))

    @property
    def facts(self) -> dict[str, Any]:
        return self.state.facts()

    @property
    def real(self) -> bool:
        return bool(self.facts["backend"] == "ganeti")

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `snf-manage`. Raises `Problem` with its error text."""
        return self.command([environment.program("snf-manage"), *arguments], check=check)

    def manage_json(self, *arguments: str) -> Any:
        return json.loads(self.manage(*arguments, "--output-format", "json").stdout or "[]")

    def kamaki(self, *arguments: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run `kamaki` as the demo user."""
        return self.command([environment.program("kamaki"), "--config", str(self.state.kamaki_config), *arguments],
                            timeout_s=timeout_s)

    def kamaki_json(self, *arguments: str) -> Any:
        return json.loads(self.kamaki(*arguments, "--output-format", "json").stdout)

    def command(self, command: list[str], *, check: bool = True,
                timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        log = self.state.log / "up.log"
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s,
                              env=os.environ | services.environment(self.state), stdin=subprocess.DEVNULL)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"$ {' '.join(Path(part).name if i == 0 else part for i, part in enumerate(_masked(command)))}\n")
            stream.write(done.stdout[-4000:] + done.stderr[-8000:] + "\n")
        if check and done.returncode:
            raise Problem(f"`{Path(command[0]).name} {command[1]}` failed.", log=log,
                          hint="Mend what the log names, then run ./synnefo up again: it goes on from here.")
        return done

    def finished(self, name: str) -> bool:
        return name in self.facts.get("finished", [])

    def finish(self, name: str) -> None:
        self.state.remember(finished=sorted({*self.facts.get("finished", []), name}))


def _masked(command: list[str]) -> list[str]:
    secret = False
    result = []
    for part in command:
        result.append("********" if secret else part)
        secret = part in {"--password", "--pass", "--token"}
    return result


# The steps, in order ---------------------------------------------------------------------------------------------

def choose_backend(run: Run) -> None:
    known = run.facts.get("backend")
    wanted = run.options.backend
    if wanted == "auto":
        wanted = known or ("ganeti" if run.machine.carries_ganeti else "simulated")
    if known and known != wanted:
        raise Problem(f"This cloud runs on the {known} back end.", hint="./synnefo reset, then up with the other one.")
    if wanted == "ganeti" and not run.machine.carries_ganeti:
        raise Problem(f"Real Ganeti cannot run here: {run.machine.why_no_ganeti}.",
                      hint="Run as root on Debian 12, or use --backend=simulated.")
    if wanted == "simulated" and run.options.backend == "auto" and not known:
        print(f"  Real Ganeti cannot run here ({run.machine.why_no_ganeti}): using the simulated cluster. "
              "Everything works but the machines are not real.")
    facts = run.facts
    port = run.options.port or facts.get("port") or DEFAULT_PORT
    run.state.remember(
        backend=wanted, port=port, listen=run.options.listen or facts.get("listen") or "127.0.0.1",
        console_port=facts.get("console_port") or port + 1,
        database=run.options.database or facts.get("database"), broker=run.options.broker or facts.get("broker"))
    machine.check_disk(run.state.directory)
    _check_port(run, port)
    run.step.note("real Ganeti" if wanted == "ganeti" else "simulated cluster")


def _check_port(run: Run, port: int) -> None:
    if supervisor.running_pid(run.state) is not None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise Problem(f"Port {port} is in use.", hint="Choose another: ./synnefo up --port 8090") from None


def install_packages(run: Run) -> None:
    wanted = machine.package_list("server") if run.machine.is_root and run.machine.has_apt else []
    if run.real:
        wanted += machine.package_list("node")
    missing = machine.missing_packages(wanted)
    if not missing:
        run.step.skip("all present")
        return
    run.step.note(f"{len(missing)} packages")
    machine.install_packages(missing, run.state.log / "packages.log")


def make_environment(run: Run) -> None:
    lock = "onebox"
    if environment.is_ready(lock) or environment.is_ready("dev"):
        run.step.skip("up to date")
        return
    environment.make(lock, run.state.log / "environment.log")


def start_cluster(run: Run) -> None:
    if run.real:
        from onebox import cluster

        settings = {"EVENTS_URL": [run.facts.get("broker") or f"spool://{run.state.events}"], "PITHOS_BLOCK_PATH": str(run.state.blocks)}
        facts = cluster.up(run.state.ganeti, log=run.state.log / "cluster.log", node_settings=settings)
    else:
        from onebox import simulated

        facts = simulated.describe(run.state)
    run.state.remember(cluster=facts)
    run.step.note(str(facts.get("summary", "")))


def prepare_database(run: Run) -> None:
    services.write_settings(run.state, run.facts)
    if run.state.facts().get("migrated") == _code_version() and not run.facts.get("database"):
        run.step.skip()
        return
    run.manage("migrate", "--no-input")
    run.state.remember(migrated=_code_version())


def _code_version() -> str:
    names = sorted(str(path) for path in (ROOT / "packages/server").rglob("migrations/0*.py"))
    stamp = [f"{Path(name).parent.parent.name}/{Path(name).name}:{Path(name).stat().st_size}" for name in names]
    return ";".join(stamp)


def start_processes(run: Run) -> None:
    supervisor.apply(run.state, services.processes(run.state, run.facts))
    root = services.base_url(run.facts)
    deadline = time.monotonic() + 60
    while not _answers(f"{root}/readyz"):
        if time.monotonic() > deadline:
            raise Problem("The web service does not answer.", log=run.state.log / "web.log",
                          hint="./synnefo logs web shows more.")
        time.sleep(0.2)
    run.state.remember(urls={"web": f"{root}/", "identity": f"{root}/astakos/identity/v3",
                             "identity_v2": f"{root}/astakos/identity/v2.0", "compute": f"{root}/cyclades/compute/v2.1",
                             "network": f"{root}/cyclades/network", "image": f"{root}/cyclades/image",
                             "object_store": f"{root}/pithos/object-store/v1"})
    run.step.note(root)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def register_services(run: Run) -> None:
    if run.finished("services"):
        run.step.skip()
        return
    run.manage("service-register-local")
    for resource, limit in LIMITS.items():
        run.manage("resource-modify", resource, "--system-default", limit)
    run.finish("services")


def create_users(run: Run) -> None:
    users = {}
    for name, email, extra in (("demo", DEMO, []), ("admin", ADMIN, ["--admin"])):
        password = run.state.secret(f"{name}_password")
        if not run.finished(f"user-{name}"):
            run.manage("user-add", email, "--first-name", name.capitalize(), "--last-name", "User",
                       "--password", password, "--accept", *extra)
            run.finish(f"user-{name}")
        users[name] = {"email": email, "password": password}
    known = run.facts.get("users", {})
    if "token" not in known.get("demo", {}):
        for name in users:
            users[name] |= _authenticate(run, users[name]["email"], users[name]["password"])
        run.state.remember(users=users)
    else:
        run.step.skip()
    _write_clients(run)


def _authenticate(run: Run, email: str, password: str) -> dict[str, str]:
    """Uuid and a token of a user, by the public API."""
    answer = run.manage_json("token-add", email, "--name", "one-box set-up", "--expires-in-days", "365")
    return {"uuid": answer["user"], "token": answer["token"]}


def _write_clients(run: Run) -> None:
    """Configuration of kamaki and of OpenStack clients, ready to use."""
    demo = run.facts["users"]["demo"]
    urls = run.facts["urls"]
    _write_secret(run.state.kamaki_config, "\n".join([
        "[global]", "default_cloud = demo", "", "[cloud.demo]",
        f"url = {urls['identity_v2']}", f"token = {demo['token']}", ""]))
    _write_secret(run.state.directory / "clouds.yaml", "\n".join([
        "clouds:", "  synnefo:", "    auth_type: password", "    identity_api_version: 3", "    auth:",
        f"      auth_url: {urls['identity']}", f"      username: {demo['email']}", f"      password: {demo['password']}",
        f"      project_id: {demo['uuid']}", "      user_domain_id: default", "    region_name: default", ""]))
    if not run.state.ssh_key.exists():
        run.command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "synnefo demo", "-f", str(run.state.ssh_key)])


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def add_backend(run: Run) -> None:
    if run.finished("backend"):
        run.step.skip()
        return
    cluster = run.facts["cluster"]
    if not any(item["clustername"] == cluster["name"] for item in run.manage_json("backend-list")):
        run.manage("backend-add", "--clustername", cluster["name"], "--rapi-host", cluster["rapi_host"],
                   "--port", str(cluster["rapi_port"]), "--user", cluster["rapi_user"], "--pass", cluster["rapi_password"],
                   "--rapi-ca", cluster["rapi_fingerprint"])
    backend = next(item for item in run.manage_json("backend-list") if item["clustername"] == cluster["name"])
    run.manage("backend-modify", str(backend["id"]), "--drained", "False")
    run.finish("backend")


def create_flavors(run: Run) -> None:
    if run.finished("flavors"):
        run.step.skip()
        return
    run.manage("flavor-create", *FLAVORS)
    run.finish("flavors")


def create_network(run: Run) -> None:
    if run.finished("network"):
        run.step.skip()
        return
    public = run.facts["cluster"]["public_network"]
    run.manage("pool-create", "--type", "mac-prefix", "--base", "aa:00:0", "--size", "65536")
    run.manage("network-create", "--name", "public", "--public", "--network-type", "CUSTOM", "--link", public["bridge"],
               "--subnet", public["subnet"], "--gateway", public["gateway"], "--dhcp", "True", "--floating-ip-pool", "True")
    run.finish("network")


def register_image(run: Run) -> None:
    known = run.facts.get("image")
    if known and run.finished("image"):
        run.step.skip(known["name"])
        return
    from onebox import demo_image

    run.step.note("building")
    built = demo_image.build(run.state.images, run.state.cache, log=run.state.log / "image.log")
    run.step.note("uploading")
    if not any(item["name"] == "images" for item in run.kamaki_json("container", "list")):
        run.kamaki("container", "create", "images")
    run.kamaki("file", "upload", str(built["path"]), f"/images/{Path(built['path']).name}", "-f")
    properties = [word for key, value in built["properties"].items() for word in ("--property", f"{key}={value}")]
    run.kamaki("image", "register", "--name", built["name"], "--location", f"/images/{Path(built['path']).name}",
               "--public", *properties)
    image = next(item for item in run.kamaki_json("image", "list") if item["name"] == built["name"])
    run.state.remember(image={"id": image["id"], "name": built["name"], "user": built["user"]})
    run.finish("image")


def boot_first_machine(run: Run) -> None:
    if not run.options.first_vm:
        run.step.skip("left out (--no-vm)")
        return
    if run.finished("server"):
        run.step.skip(str(run.facts["server"]["address"]))
        return
    server = next((item for item in run.kamaki_json("server", "list") if item["name"] == "first"), None)
    if server is None:
        flavor = _flavor(run)
        run.step.note("creating")
        run.kamaki("server", "create", "--name", "first", "--flavor-id", str(flavor["id"]),
                   "--image-id", run.facts["image"]["id"], "--ssh-key", str(run.state.ssh_key) + ".pub")
        server = next(item for item in run.kamaki_json("server", "list") if item["name"] == "first")
    run.step.note("building")
    run.kamaki("server", "wait", str(server["id"]), "--until", "ACTIVE")
    shown = run.kamaki_json("server", "info", str(server["id"]))
    address = next(item["ipv4"] for item in shown["attachments"] if item["ipv4"])
    ssh = (f"ssh -i {run.state.ssh_key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
           f"{run.facts['image']['user']}@{address}")
    run.state.remember(server={"id": str(server["id"]), "name": "first", "address": address, "ssh": ssh})
    if run.real:
        run.step.note(f"waiting for ssh on {address}")
        _wait_for_ssh(run, ssh)
    run.step.note(address)
    run.finish("server")


def _flavor(run: Run) -> dict[str, Any]:
    """The smallest flavor with 512 MiB, so that an emulated guest boots quickly."""
    flavors = [item for item in run.kamaki_json("flavor", "list", "--detail") if item["ram"] >= 512]
    return dict(min(flavors, key=lambda item: (item["ram"], item["vcpus"], item["disk"])))


def _wait_for_ssh(run: Run, ssh: str) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while True:
        command = [*ssh.split(), "-o", "ConnectTimeout=5", "-o", "BatchMode=yes", "true"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
        if time.monotonic() > deadline:
            raise Problem("The first machine does not answer ssh.", log=run.state.log / "dispatcher.log",
                          hint="./synnefo status shows its console's address; ./synnefo up tries again.")
        time.sleep(2)


STEPS: list[tuple[str, Callable[[Run], None]]] = [
    ("Looking at the machine", choose_backend),
    ("Installing system packages", install_packages),
    ("Installing the Python environment", make_environment),
    ("Starting the Ganeti cluster", start_cluster),
    ("Preparing the database", prepare_database),
    ("Starting the services", start_processes),
    ("Registering services and resources", register_services),
    ("Creating users", create_users),
    ("Adding the cluster as a back end", add_backend),
    ("Creating flavors", create_flavors),
    ("Creating the public network", create_network),
    ("Making and registering the demo image", register_image),
    ("Booting a first virtual machine", boot_first_machine),
]


def up(state: State, options: Options) -> None:
    """Run every step; print what a newcomer needs next. Raises `Problem` at the first step that fails."""
    state.make()
    run = Run(state, options)
    started = time.monotonic()
    for index, (title, function) in enumerate(STEPS, 1):
        with progress.step(title, index, len(STEPS)) as run.step:
            function(run)
    _farewell(run, time.monotonic() - started)


def down(state: State) -> bool:
    """Stop the processes, then the cluster. Returns whether anything ran."""
    stopped = supervisor.stop(state)
    if state.facts().get("backend") == "ganeti" and shutil.which("ip"):
        from onebox import cluster

        stopped = cluster.down(state.ganeti) or stopped
    return stopped


def purge_cluster(state: State) -> None:
    """Delete the real cluster's state, if there is one."""
    if state.facts().get("backend") == "ganeti":
        from onebox import cluster

        cluster.purge(state.ganeti)


def _farewell(run: Run, spent_s: float) -> None:
    facts = run.facts
    demo, admin = facts["users"]["demo"], facts["users"]["admin"]
    kamaki = f"{environment.program('kamaki')} --config {run.state.kamaki_config}"
    print(f"\n{progress.bold('Your cloud is ready')} ({progress.seconds(spent_s)})\n")
    print(f"  Web interface  {facts['urls']['web']}")
    print(f"  User           {demo['email']}   password {demo['password']}")
    print(f"  Administrator  {admin['email']}  password {admin['password']}")
    if facts.get("server"):
        print(f"  First machine  {facts['server']['ssh']}")
    print("\nTry next:")
    print(f"  {kamaki} server list")
    print(f"  OS_CLIENT_CONFIG_FILE={run.state.directory}/clouds.yaml openstack --os-cloud synnefo server list")
    print("  ./synnefo status    and    ./synnefo down")
