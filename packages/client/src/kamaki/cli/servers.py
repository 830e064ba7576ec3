"""kamaki server: virtual machines."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from kamaki import errors
from kamaki.cli.context import NoProgress, OutputFormat, Timeout, Wait, cloud
from kamaki.cli.output import Format, percent, say, show_item, show_json, show_list
from kamaki.cloud import Cloud

server = typer.Typer(no_args_is_help=True, help="Virtual machines.")
GROUPS = {"server": server}
ServerID = Annotated[str, typer.Argument(metavar="ID", help="The server's id.")]
AUTHORIZED_KEYS = "/root/.ssh/authorized_keys"


@server.command("list")
def list_servers(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    status: Annotated[str | None, typer.Option("--status", help="Only servers in this status.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only what changed since this ISO 8601 time.")] = None,
    detail: Annotated[bool, typer.Option("--detail", "-l", help="Accepted for old scripts; details are always shown.")] = True,
) -> None:
    """All servers with their addresses."""
    found = [item for item in cloud(context).compute.list_servers(changes_since=since)
             if status is None or item["status"] == status.upper()]
    rows = found if output_format is Format.JSON else [item | {"addresses": ", ".join(_addresses(item))} for item in found]
    show_list(rows, ("id", "name", "status", "SNF:task_state", "addresses"), output_format)


def _addresses(item: dict[str, Any]) -> list[str]:
    return [str(nic[kind]) for nic in item.get("attachments", []) for kind in ("ipv4", "ipv6") if nic.get(kind)]


@server.command("info")
def info(
    context: typer.Context, server_id: ServerID, output_format: OutputFormat = Format.TABLE,
    diagnostics: Annotated[bool, typer.Option("--diagnostics", help="Messages of the build and of failures.")] = False,
) -> None:
    """One server with all its details."""
    compute = cloud(context).compute
    if diagnostics:
        show_list(compute.get_diagnostics(server_id), ("created", "level", "source", "message"), output_format)
    else:
        show_item(compute.get_server(server_id), output_format)


@server.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name")],
    flavor_id: Annotated[str, typer.Option("--flavor-id", help="See kamaki flavor list.")],
    image_id: Annotated[str, typer.Option("--image-id", help="See kamaki image list.")],
    networks: Annotated[list[str] | None, typer.Option("--network", metavar="ID[,ip=ADDRESS]")] = None,
    no_network: Annotated[bool, typer.Option("--no-network", help="Connect it to nothing.")] = False,
    key_names: Annotated[list[str] | None, typer.Option("--key-name", help="Name of an uploaded key pair.")] = None,
    ssh_keys: Annotated[list[Path] | None, typer.Option("--ssh-key", exists=True, dir_okay=False,
                                                        help="Public key file for root.")] = None,
    personality: Annotated[list[str] | None, typer.Option("--personality", "-p",
                                                          metavar="LOCAL[,PATH[,OWNER[,GROUP[,MODE]]]]")] = None,
    user_data: Annotated[Path | None, typer.Option("--user-data", "-u", exists=True, dir_okay=False)] = None,
    metadata: Annotated[list[str] | None, typer.Option("--metadata", "-m", metavar="KEY=VALUE")] = None,
    project_id: Annotated[str | None, typer.Option("--project-id", help="The project that pays.")] = None,
    wait: Wait = False, timeout: Timeout = 900, no_progress: NoProgress = False, output_format: OutputFormat = Format.TABLE,
) -> None:
    """Build a server. Its password is printed once and never again."""
    found = cloud(context)
    files = [_personality(item) for item in personality or []]
    if ssh_keys:
        keys = "".join(path.read_text("utf-8").strip() + "\n" for path in ssh_keys)
        files.append(_file(AUTHORIZED_KEYS, keys.encode(), mode=0o600))
    chosen = [] if no_network else [_network(item) for item in networks] if networks else None
    data = base64.b64encode(user_data.read_bytes()).decode() if user_data else None
    created = found.compute.create_server(
        name, flavor_id, image_id, networks=chosen, personality=files, metadata=_pairs(metadata, "--metadata"),
        key_names=key_names or (), user_data=data, project=project_id)
    if wait:
        password = created["adminPass"]
        created = _wait(found, created["id"], f"Building {name}", ("ACTIVE",), timeout, not no_progress)
        created["adminPass"] = password
    show_item(created if output_format is Format.JSON else _summary(created), output_format)


def _summary(created: dict[str, Any]) -> dict[str, Any]:
    return {"id": created["id"], "name": created["name"], "status": created["status"],
            "addresses": ", ".join(_addresses(created)), "adminPass": created["adminPass"]}


def _network(text: str) -> dict[str, Any]:
    pairs = [part.partition("=") if "=" in part else ("id", "=", part) for part in text.split(",")]
    parts = {key: value for key, _, value in pairs}
    unknown = set(parts) - {"id", "ip"}
    if unknown or "id" not in parts:
        raise errors.UsageError(f"--network {text}: write ID or id=ID,ip=ADDRESS.")
    return {"uuid": parts["id"]} | ({"fixed_ip": parts["ip"]} if "ip" in parts else {})


def _personality(text: str) -> dict[str, Any]:
    """LOCAL[,PATH[,OWNER[,GROUP[,MODE]]]] with an octal mode, or the same by name (local-path=..., mode=0600)."""
    names = ("local-path", "server-path", "owner", "group", "mode")
    parts = text.split(",")
    given = dict(part.split("=", 1) for part in parts) if "=" in parts[0] else dict(zip(names, parts, strict=False))
    local = Path(given.get("local-path", ""))
    if set(given) - set(names) or not local.is_file():
        raise errors.UsageError(f"--personality {text}: {local} is no file, or an option is unknown.")
    return _file(given.get("server-path") or f"/{local.name}", local.read_bytes(), given.get("owner"), given.get("group"),
                 int(given["mode"], 8) if given.get("mode") else None)


def _file(path: str, contents: bytes, owner: str | None = None, group: str | None = None,
          mode: int | None = None) -> dict[str, Any]:
    found = {"path": path, "contents": base64.b64encode(contents).decode(), "owner": owner, "group": group, "mode": mode}
    return {key: value for key, value in found.items() if value is not None}


def _pairs(items: list[str] | None, option: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in items or []]
    if any(not equals for _, equals, _ in pairs):
        raise errors.UsageError(f"{option}: KEY=VALUE is needed.")
    return {key: value for key, _, value in pairs}


def _wait(found: Cloud, server_id: int | str, title: str, until: tuple[str, ...], timeout: float, shown: bool) -> dict[str, Any]:
    with percent(title, shown=shown) as update:
        return found.compute.wait_server(
            server_id, until=until, timeout_s=timeout,
            on_progress=lambda item: update(100 if item["status"] in until else item.get("progress") or 0, item["status"]))


def _act(context: typer.Context, server_id: str, verb: str, until: str, title: str, wait: bool, timeout: float,
         no_progress: bool, **arguments: Any) -> None:
    found = cloud(context)
    getattr(found.compute, f"{verb}_server")(server_id, **arguments)
    if wait:
        _wait(found, server_id, f"{title} {server_id}", (until,), timeout, not no_progress)
    say(f"Server {server_id}: {verb} {'done' if wait else 'accepted'}")


@server.command("start")
def start(context: typer.Context, server_id: ServerID, wait: Wait = False, timeout: Timeout = 300,
          no_progress: NoProgress = False) -> None:
    """Start a stopped server."""
    _act(context, server_id, "start", "ACTIVE", "Starting", wait, timeout, no_progress)


@server.command("shutdown")
def shutdown(context: typer.Context, server_id: ServerID, wait: Wait = False, timeout: Timeout = 300,
             no_progress: NoProgress = False) -> None:
    """Ask the server's system to shut down."""
    _act(context, server_id, "shutdown", "STOPPED", "Stopping", wait, timeout, no_progress)


@server.command("reboot")
def reboot(
    context: typer.Context, server_id: ServerID,
    kind: Annotated[str, typer.Option("--type", help="SOFT lets the system shut down, HARD does not.")] = "SOFT",
    wait: Wait = False, timeout: Timeout = 300, no_progress: NoProgress = False,
) -> None:
    """Restart a server."""
    if kind.upper() not in {"SOFT", "HARD"}:
        raise errors.UsageError("--type is SOFT or HARD.")
    _act(context, server_id, "reboot", "ACTIVE", "Rebooting", wait, timeout, no_progress, hard=kind.upper() == "HARD")


@server.command("delete")
def delete(context: typer.Context, server_id: ServerID, wait: Wait = False, timeout: Timeout = 300,
           no_progress: NoProgress = False) -> None:
    """Destroy a server and its disks."""
    _act(context, server_id, "delete", "DELETED", "Deleting", wait, timeout, no_progress)


@server.command("wait")
def wait_(
    context: typer.Context, server_id: ServerID,
    until: Annotated[str, typer.Option("--until", help="Status to wait for.")] = "ACTIVE",
    timeout: Timeout = 600, no_progress: NoProgress = False,
) -> None:
    """Wait until a server is in a status."""
    _wait(cloud(context), server_id, f"Waiting for {server_id}", (until.upper(),), timeout, not no_progress)


@server.command("modify")
def modify(context: typer.Context, server_id: ServerID, name: Annotated[str, typer.Option("--name", help="New name.")]) -> None:
    """Rename a server."""
    cloud(context).compute.rename_server(server_id, name)


@server.command("console")
def console(
    context: typer.Context, server_id: ServerID, output_format: OutputFormat = Format.TABLE,
    kind: Annotated[str, typer.Option("--type", help="novnc gives a page to open; vnc, vnc-ws, vnc-wss an address.")] = "novnc",
) -> None:
    """Address of the server's console. It works once and soon expires."""
    found = cloud(context).compute.get_console(server_id, kind)
    say("This address works once and expires within a minute.")
    if output_format is Format.JSON:
        show_json(found)
    else:
        show_item(found, output_format)
