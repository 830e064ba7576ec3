"""Tokens of the identity service beside Keystone's: issue and validation a second; commissions; 100,000 accounts.

Both are served by gunicorn with the same workers and threads, keep their data in the same PostgreSQL server, and are asked by the same
client in turns, so that whatever else the machine does hits both. Keystone (fernet tokens) is installed from PyPI into KEYSTONE once.
Takes about five minutes; needs PostgreSQL's programs. `python -m bench.bench_identity`
"""

from __future__ import annotations

import getpass
import grp
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "deploy")]
from onebox import postgresql  # noqa: E402 - found by the path above
from tests.support.clouds import clean_environment, wait_for  # noqa: E402

KEYSTONE = Path(os.environ.get("BENCH_KEYSTONE", "/var/tmp/synnefo-bench-keystone"))
WORKERS, THREADS, CLIENTS = 2, 4, 4
ROUNDS, SECONDS = int(os.environ.get("BENCH_ROUNDS", "4")), float(os.environ.get("BENCH_SECONDS", "4"))
ACCOUNTS = 100_000
PASSWORD = "correct horse battery"
PACKAGES = ("keystone==30.0.0", "psycopg2-binary", "gunicorn")
CONFIGURATION = """[DEFAULT]
log_dir = {directory}
[database]
connection = {database}
[token]
provider = fernet
[fernet_tokens]
key_repository = {directory}/fernet
[fernet_receipts]
key_repository = {directory}/receipts
[credential]
key_repository = {directory}/credentials
[cache]
enabled = true
backend = {cache}
"""
CACHES = {"keystone": "dogpile.cache.null", "keystone_cached": "oslo_cache.dict"}
"""As it comes, and with a cache in each worker's memory, where a revoked token stays good until it is forgotten there."""
APPLICATION = """
import sys
sys.argv = ["keystone"]  # it would take gunicorn's options for its own
from keystone.server.wsgi import initialize_public_application
application = initialize_public_application()
"""


class Connection:
    """One kept connection; as little work as possible on the client's side, for it shares the machine."""

    def __init__(self, url: str) -> None:
        address = urlparse(url)
        self.host = f"{address.hostname}:{address.port}"
        self.socket = socket.create_connection((str(address.hostname), address.port or 80), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", "Content-Type: application/json", f"Content-Length: {len(data)}",
                 *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        return self._answer()

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        text = b""
        while b"\r\n\r\n" not in text:
            text += self._more()
        head, _, rest = text.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            return int(first.split()[1]), headers, self._chunks(rest)
        missing = int(headers.get("content-length", "0")) - len(rest)
        while missing > 0:
            part = self._more()
            rest, missing = rest + part, missing - len(part)
        return int(first.split()[1]), headers, rest

    def _chunks(self, rest: bytes) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in rest:
                rest += self._more()
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            while len(rest) < length + 2:
                rest += self._more()
            body, rest = body + rest[:length], rest[length + 2:]
            if not length:
                return body

    def _more(self) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


type_action = Callable[[Connection, int], None]


def load(url: str, action: type_action, seconds: float = SECONDS) -> list[float]:
    """Latencies in seconds of CLIENTS clients who act again and again."""
    end = time.monotonic() + seconds

    def client(number: int) -> list[float]:
        connection, found = Connection(url), []
        while (started := time.monotonic()) < end:
            action(connection, number)
            found.append(time.monotonic() - started)
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [spent for part in pool.map(client, range(CLIENTS)) for spent in part]


def figures(times: list[float], seconds: float) -> dict[str, float]:
    return {"a second": round(len(times) / seconds, 1), "p50 ms": round(statistics.median(times) * 1000, 1),
            "p99 ms": round(statistics.quantiles(times, n=100)[-1] * 1000, 1)}


def in_turns(contestants: dict[str, tuple[str, type_action]]) -> dict[str, Any]:
    """Figures of each, asked in turns; the first is ours, and the ratios are ours to the others'."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for url, action in contestants.values():
        _warm_up(url, action)
    for _ in range(ROUNDS):
        for name, (url, action) in contestants.items():
            times[name] += load(url, action)
    found: dict[str, Any] = {name: figures(spent, ROUNDS * SECONDS) for name, spent in times.items()}
    first, *others = found
    found["ratio"] = {name: round(found[first]["a second"] / found[name]["a second"], 2) for name in others}
    return found


def _warm_up(url: str, action: type_action) -> None:
    """Both workers read what they keep in memory, one request at a time: Keystone's policies are not there for a second one meanwhile."""
    for number in range(8 * WORKERS):
        action(Connection(url), number % CLIENTS)


@contextmanager
def gunicorn(program: Path, application: str, directory: Path, environment: dict[str, str], path: str) -> Iterator[str]:
    port = postgresql.free_port()
    command = [str(program), application, "--workers", str(WORKERS), "--threads", str(THREADS), "--worker-class", "gthread", "--keep-alive", "60",
               "--bind", f"127.0.0.1:{port}"]
    with (directory / f"{program.parent.parent.name}.log").open("ab") as log:
        server = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: _answers(url, path), f"{application} ({directory})", timeout_s=90, every_s=0.3)
            yield url
        finally:
            server.terminate()
            server.wait(30)


def _answers(url: str, path: str) -> bool:
    try:
        return Connection(url).call("GET", path)[0] in {200, 300}
    except OSError:
        return False


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def install_keystone() -> None:
    if not (KEYSTONE / "bin" / "keystone-manage").exists():
        run([sys.executable, "-m", "venv", str(KEYSTONE)], clean_environment())
        run([str(KEYSTONE / "bin" / "pip"), "install", "-q", *PACKAGES], clean_environment())


@contextmanager
def keystone(directory: Path, database: str, cache: str) -> Iterator[str]:
    directory.mkdir()
    for name in ("fernet", "receipts", "credentials"):
        (directory / name).mkdir(mode=0o700)
    settings = directory / "keystone.conf"
    settings.write_text(CONFIGURATION.format(directory=directory, database=database, cache=cache))
    environment = clean_environment() | {"OS_KEYSTONE_CONFIG_FILES": str(settings)}
    manage = [str(KEYSTONE / "bin" / "keystone-manage"), "--config-file", str(settings)]
    owner = ["--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name]
    for arguments in (["db_sync"], ["fernet_setup", *owner], ["credential_setup", *owner], ["bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "r",
                      "--bootstrap-public-url", "http://127.0.0.1/v3"]):
        run([*manage, *arguments], environment)
    (directory / "keystone_site.py").write_text(APPLICATION)
    with gunicorn(KEYSTONE / "bin" / "gunicorn", "keystone_site:application", directory, environment, "/v3") as url:
        yield url


@contextmanager
def synnefo(directory: Path, database: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The server's URL and its environment; the services of one cloud are registered."""
    directory.mkdir()
    programs = Path(sys.executable).parent
    environment = clean_environment() | {
        "DJANGO_SETTINGS_MODULE": "synnefo.project.settings", "SYNNEFO_SETTINGS_DIR": "/nonexistent", "SYNNEFO_DATABASE_URL": database,
        "SYNNEFO_SECRET_KEY": "bench", "SYNNEFO_SECRET_ENCRYPTION_KEY": '["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]', "SYNNEFO_STATE_DIR": str(directory),
        "SYNNEFO_LOG_DIR": str(directory), "SYNNEFO_ALLOWED_HOSTS": '["*"]', "SYNNEFO_SNF_MANAGE_USER": "", "SYNNEFO_SESSION_COOKIE_SECURE": "false",
        **{f"SYNNEFO_{name.upper()}_BASE_URL": f"http://127.0.0.1/{name}" for name in ("astakos", "cyclades", "pithos")}}
    for arguments in (["migrate"], ["service-register-local"]):
        run([str(programs / "snf-manage"), *arguments], environment)
    with gunicorn(programs / "gunicorn", "synnefo.project.wsgi", directory, environment, "/astakos/identity/v3") as url:
        yield url, environment


def by_password(login: str) -> dict[str, Any]:
    return {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": login, "domain": {"id": "default"}, "password": PASSWORD}}},
                     "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}


def by_token(token: str) -> dict[str, Any]:
    return {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}


def issuing(path: str, body: dict[str, Any]) -> type_action:
    def act(connection: Connection, _number: int) -> None:
        status, _, text = connection.call("POST", path, body)
        assert status == 201, text

    return act


def validating(path: str, caller: str, subject: str) -> type_action:
    def act(connection: Connection, _number: int) -> None:
        status, _, text = connection.call("GET", path, X_Auth_Token=caller, X_Subject_Token=subject)
        assert status == 200, text

    return act


def first_token(url: str, path: str, body: dict[str, Any]) -> str:
    status, headers, text = Connection(url).call("POST", path, body)
    assert status == 201, text
    return headers["x-subject-token"]


def committing(seeds: dict[str, Any], *, is_hot: bool) -> type_action:
    """A commission and its acceptance: two calls. Hot: all clients charge one project; else each charges his own."""
    def act(connection: Connection, number: int) -> None:
        project = seeds["projects"][0 if is_hot else number]
        charge = {"resource": "cyclades.vm", "quantity": 1}
        body = {"provisions": [{"holder": seeds["holder"], "source": project, **charge}, {"holder": project, "source": None, **charge}]}
        status, _, text = connection.call("POST", "/astakos/account/v1.0/commissions", body, X_Auth_Token=seeds["component"])
        assert status == 201, text
        path = f"/astakos/account/v1.0/commissions/{json.loads(text)['serial']}/action"
        status, _, text = connection.call("POST", path, {"accept": ""}, X_Auth_Token=seeds["component"])
        assert status == 200, text

    return act


SEED = """
import django; django.setup()
import json
from synnefo.astakos.models import User
from synnefo.astakos.services import components, tokens, users
from tests.support.identity_seeds import make_project
made = users.create_user("bench@example.org", first_name="B", last_name="E", password={password!r})
admin = users.create_user("root@example.org", is_admin=True)
projects = [make_project(made, name, [made]) for name in ["admin", "b", "c", "d"]]
print(json.dumps({{"holder": f"user:{{made.uuid}}", "projects": [f"project:{{project.uuid}}" for project in projects], "component": components.token_of(components.get_component("cyclades")),
    "admin": tokens.issue_named(admin, "bench").secret, "user": tokens.issue_named(made, "bench").secret}}))
"""
MANY = """
import django; django.setup()
import uuid
from django.contrib.auth.hashers import make_password
from django.utils import timezone
import datetime
from synnefo.astakos.models import *
from synnefo.astakos.services.users import *
hashed, now = make_password({password!r}), timezone.now()
for start in range(0, {count}, 5000):
    people = User.objects.bulk_create([User(email=f"person{{n}}@many.example.org", first_name=f"P{{n}}", last_name="X", password=hashed, email_verified=True,
        moderated=True, is_active=True, uuid=str(uuid.uuid4())) for n in range(start, min(start + 5000, {count}))])
    made = Project.objects.bulk_create([Project(uuid=user.uuid, realname=f"system:{{user.uuid}}", is_base=True, private=True, state=ProjectState.NORMAL,
        end_date=now + datetime.timedelta(days=999)) for user in people])
    ProjectMembership.objects.bulk_create([ProjectMembership(project=p, user=u, state=MembershipState.ACCEPTED, was_accepted=True) for p, u in zip(made, people)])
"""


def many_accounts(url: str, environment: dict[str, str], seeds: dict[str, Any]) -> dict[str, Any]:
    """With 100,000 accounts: sign-in, a filtered list for operators, a page of projects and of users. Milliseconds, medians of 7."""
    python(MANY.format(password=PASSWORD, count=ACCOUNTS), environment)
    python("import django; django.setup()\nfrom django.db import connection\nconnection.cursor().execute('ANALYZE')", environment)
    person, connection = f"person{ACCOUNTS // 2}@many.example.org", Connection(url)
    body = by_password(person)
    del body["auth"]["scope"]
    calls: dict[str, Callable[[], object]] = {
        "sign-in by password": lambda: connection.call("POST", "/astakos/identity/v3/auth/tokens", body),
        "a user by e-mail": lambda: connection.call("GET", f"/astakos/identity/v3/users?name={person}", X_Auth_Token=seeds["admin"]),
        "a page of 100 users": lambda: connection.call("GET", "/astakos/identity/v3/users?limit=100", X_Auth_Token=seeds["admin"]),
        "a page of 100 projects": lambda: connection.call("GET", "/astakos/identity/v3/projects?limit=100", X_Auth_Token=seeds["admin"]),
    }
    found: dict[str, Any] = {name: _median_ms(call) for name, call in calls.items()}
    manage = [str(Path(sys.executable).parent / "snf-manage")]
    start = _median_ms(lambda: run([*manage, "user-list", "--filter-by", "email=nobody@example.org"], environment), 3)
    found["snf-manage user-list --filter-by email=..."] = _median_ms(
        lambda: run([*manage, "user-list", "--filter-by", f"email={person}"], environment), 3)
    found["of this the start of snf-manage with an empty answer"] = start
    return found


def _median_ms(call: Callable[[], object], times: int = 7) -> float:
    spent = []
    for _ in range(times):
        started = time.monotonic()
        answer = call()
        spent.append((time.monotonic() - started) * 1000)
        assert not isinstance(answer, tuple) or answer[0] in {200, 201}, answer
    return round(statistics.median(spent), 1)


def python(program: str, environment: dict[str, str]) -> str:
    paths = os.pathsep.join([str(ROOT), *(os.environ.get("PYTHONPATH") or "").split(os.pathsep)])
    return run([sys.executable, "-c", program], environment | {"PYTHONPATH": paths})


def _database(server: str, name: str) -> str:
    run([str(Path("/usr/bin/psql")), server, "-qc", f"CREATE DATABASE {name}"], clean_environment())
    return server.rpartition("/")[0] + f"/{name}"


def measure(directory: Path, server: str) -> dict[str, Any]:
    with ExitStack() as stack:
        ours, environment = stack.enter_context(synnefo(directory / "synnefo", _database(server, "ours")))
        seeds = json.loads(python(SEED.format(password=PASSWORD), environment).splitlines()[-1])
        found: dict[str, Any] = {"cores": os.cpu_count(), "load before": os.getloadavg(), "clients": CLIENTS, "workers": WORKERS, "threads": THREADS}
        theirs = {name: stack.enter_context(keystone(directory / name, _database(server, name).replace("postgresql:", "postgresql+psycopg2:"), cache))
                  for name, cache in CACHES.items()}
        v3, path = "/v3/auth/tokens", "/astakos/identity/v3/auth/tokens"
        tokens = {name: first_token(url, v3, by_password("admin")) for name, url in theirs.items()}
        own = first_token(ours, path, by_password("bench@example.org"))
        found["validation"] = in_turns({"synnefo": (ours, validating(path, own, own)),
                                        **{name: (url, validating(v3, tokens[name], tokens[name])) for name, url in theirs.items()}})
        print(json.dumps(found), file=sys.stderr)
        found["validation for a service"] = figures(load(ours, validating(path, seeds["component"], own)), SECONDS)
        found["issue by token"] = in_turns({"synnefo": (ours, issuing(path, by_token(own))),
                                            **{name: (url, issuing(v3, by_token(tokens[name]))) for name, url in theirs.items()}})
        found["issue by password"] = in_turns({"synnefo": (ours, issuing(path, by_password("bench@example.org"))),
                                               **{name: (url, issuing(v3, by_password("admin"))) for name, url in theirs.items()}})
        print(json.dumps(found), file=sys.stderr)
        for name, is_hot in (("commissions, a project for each client", False), ("commissions, one project for all", True)):
            found[name] = figures(load(ours, committing(seeds, is_hot=is_hot), 2 * SECONDS), 2 * SECONDS)
        found[f"{ACCOUNTS} accounts, ms"] = many_accounts(ours, environment, seeds)
        return found | {"load after": os.getloadavg()}


def main() -> None:
    install_keystone()
    with tempfile.TemporaryDirectory(prefix="synnefo-bench-") as text, postgresql.server(Path(text) / "postgresql.log") as server:
        Path(text).chmod(0o755)
        print(json.dumps(measure(Path(text), server), indent=2))


if __name__ == "__main__":
    main()
