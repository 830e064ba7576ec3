"""The processes of a one-box cloud and the settings file they share."""

from __future__ import annotations

import signal
from typing import Any

from onebox.environment import program
from onebox.state import State
from onebox.supervisor import Process

WEB_THREADS = 16
WEB_WORKERS = 2
KEEP_ALIVE_S = 75  # longer than the rounds in which clients poll: at gunicorn's 5 s an `openstack --wait` meets a closing connection


def base_url(facts: dict[str, Any]) -> str:
    listen = facts["listen"]
    host = "127.0.0.1" if listen in {"0.0.0.0", "127.0.0.1"} else listen
    return f"http://{host}:{facts['port']}"


def settings(state: State, facts: dict[str, Any]) -> dict[str, Any]:
    """Every setting in which a one-box cloud differs from the defaults."""
    root = base_url(facts)
    cluster = facts.get("cluster", {})
    node_side = cluster.get("host_address", "127.0.0.1")
    hosts = ["localhost", "127.0.0.1", "[::1]", facts["listen"], node_side]
    return {
        "SECRET_KEY": state.secret("django"),
        "SECRET_ENCRYPTION_KEY": [state.secret("encryption")],
        "DATABASE_URL": facts.get("database") or f"sqlite:///{state.database}",
        "EVENTS_URL": [facts.get("broker") or f"spool://{state.events}"],
        "STATE_DIR": str(state.directory),
        "LOG_DIR": str(state.log),
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",  # a demo writes to nobody
        "EMAIL_FILE_PATH": str(state.directory / "mail"),
        "SESSION_COOKIE_SECURE": False,
        "ALLOWED_HOSTS": hosts if facts["listen"] != "0.0.0.0" else ["*"],
        "ASTAKOS_BASE_URL": f"{root}/astakos",
        "CYCLADES_BASE_URL": f"{root}/cyclades",
        "PITHOS_BASE_URL": f"{root}/pithos",
        "PITHOS_BACKEND_BLOCK_PATH": str(state.blocks),
        "VMAPI_BASE_HOST": f"http://{node_side}:{facts['port']}",
        "CONSOLE_PROXY_URL": f"ws://{root.removeprefix('http://').rsplit(':', 1)[0]}:{facts['console_port']}",
        "SNF_MANAGE_USER": "",
        "SNF_MANAGE_GROUP": "",
        "CYCLADES_FORCED_SERVER_NETWORKS": ["SNF:ANY_PUBLIC_IPV4"],
        "CYCLADES_DEFAULT_SERVER_NETWORKS": [],
    }


def write_settings(state: State, facts: dict[str, Any]) -> None:
    lines = ["# Written by ./synnefo up. Put your own settings into a file with a later name, such as 99-local.conf."]
    lines += [f"{name} = {value!r}" for name, value in settings(state, facts).items()]
    path = state.settings_dir / "50-onebox.conf"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def environment(state: State) -> dict[str, str]:
    return {"SYNNEFO_SETTINGS_DIR": str(state.settings_dir), "PYTHONUNBUFFERED": "1"}


def processes(state: State, facts: dict[str, Any]) -> list[Process]:
    """In the order they start; they stop the other way round."""
    common = environment(state)
    binds = [f"{facts['listen']}:{facts['port']}"]
    node_side = facts.get("cluster", {}).get("host_address")
    if node_side and facts["listen"] not in {"0.0.0.0", node_side}:
        binds.append(f"{node_side}:{facts['port']}")
    web = [program("gunicorn"), "synnefo.project.wsgi", "--workers", str(WEB_WORKERS), "--threads", str(WEB_THREADS),
           "--worker-class", "gthread", "--timeout", "300", "--graceful-timeout", "15", "--keep-alive", str(KEEP_ALIVE_S),
           "--name", "synnefo-web"]
    for bind in binds:
        web += ["--bind", bind]
    started = [
        Process("web", web, common),
        Process("dispatcher", [program("snf-dispatcher"), "--debug"], common),
        Process("worker", [program("snf-worker")], common),
        Process("vncauthproxy", [program("snf-vncauthproxy"), "--proxy-listen-address", facts["listen"],
                                 "--listen-port", str(facts["console_port"])], common),
    ]
    return [*cluster_processes(state, facts), *started]


def cluster_processes(state: State, facts: dict[str, Any]) -> list[Process]:
    """What runs on the node: the event daemon, and the simulated cluster where there is no real one."""
    cluster = facts["cluster"]
    result = []
    if facts["backend"] == "simulated":
        result.append(Process("cluster", [program("snf-simulated-cluster"), "--state-dir", str(state.ganeti),
                                          "--port", str(cluster["port"])], {"PYTHONUNBUFFERED": "1"}))
    result.append(Process("eventd", cluster["eventd_command"], {"PYTHONUNBUFFERED": "1"}, signal.SIGTERM))
    return result


