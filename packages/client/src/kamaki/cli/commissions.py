"""kamaki commission, service: what services ask of the ledger of quotas, for the operators of a service."""

from __future__ import annotations

from typing import Annotated

import typer

from kamaki import errors
from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, say, show_item, show_json, show_list
from kamaki.commissions import Commissions

TOKEN = "With the token of a service, such as: kamaki -o cloud.NAME.token=TOKEN ..."  # noqa: S105 - a text for people
commission = typer.Typer(no_args_is_help=True, help=f"Commissions of a service. {TOKEN}")
service = typer.Typer(no_args_is_help=True, help=f"What a service sees. {TOKEN}")
GROUPS = {"commission": commission, "service": service}

Serial = Annotated[int, typer.Argument(metavar="SERIAL", min=1)]
Serials = Annotated[list[int] | None, typer.Option(metavar="SERIAL", help="Repeatable.")]


def _of(context: typer.Context) -> Commissions:
    return Commissions(cloud(context).service_account)


@commission.command("pending")
def pending(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """Commissions that wait for a decision."""
    show_list(_of(context).pending(), ("serial", "issue_time", "name"), output_format)


@commission.command("info")
def info(context: typer.Context, serial: Serial, output_format: OutputFormat = Format.TABLE) -> None:
    """One of those, with what it charges."""
    found = _of(context).get(serial)
    if output_format is Format.JSON:
        show_json(found)
        return
    provisions = found.pop("provisions")
    show_item(found, output_format)
    show_list(provisions, ("holder", "source", "resource", "quantity"), output_format)


@commission.command("accept")
def accept(context: typer.Context, serial: Serial) -> None:
    """What it charges is used."""
    _of(context).settle(serial, "accept")
    say(f"Commission {serial} accepted")


@commission.command("reject")
def reject(context: typer.Context, serial: Serial) -> None:
    """What it charges is given back."""
    _of(context).settle(serial, "reject")
    say(f"Commission {serial} rejected")


@commission.command("resolve")
def resolve(context: typer.Context, accept: Serials = None, reject: Serials = None, output_format: OutputFormat = Format.TABLE) -> None:
    """Decide about several; those that cannot be decided are named."""
    if not accept and not reject:
        raise errors.UsageError("Nothing to decide: give --accept or --reject.")
    show_item(_of(context).resolve(accept=accept or (), reject=reject or ()), output_format)


@commission.command("issue")
def issue(
    context: typer.Context, user_id: Annotated[str, typer.Option("--user-id", help="Uuid of the user who is charged.")],
    charge: Annotated[list[str], typer.Option("--charge", metavar="RESOURCE=QUANTITY", help="Negative quantities give back; repeatable.")],
    project_id: Annotated[str | None, typer.Option("--project-id", help="The project that pays (default: the user's own).")] = None,
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Above the limits, too.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="Accept it at once.")] = False,
) -> None:
    """Charge a user and the project; prints the serial."""
    typer.echo(_of(context).issue(user_id, project_id or user_id, dict(_charge(item) for item in charge), name=name, force=force, accept=accept))


def _charge(text: str) -> tuple[str, int]:
    name, _, quantity = text.partition("=")
    digits = quantity.removeprefix("-")
    if not name or not (digits.isascii() and digits.isdecimal()):
        raise errors.UsageError(f"--charge {text}: RESOURCE=QUANTITY is needed, with a plain number.")
    return name, int(quantity)


@service.command("quotas")
def quotas(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    user_id: Annotated[str | None, typer.Option("--user-id", help="Only of this user.")] = None,
    project_id: Annotated[str | None, typer.Option("--project-id", help="Only of this project.")] = None,
) -> None:
    """Everybody's limits and usage of the service's resources."""
    found = _of(context).quotas(user=user_id, project=project_id)
    if output_format is Format.JSON:
        show_json(found)
        return
    rows = [{"user": user, "project": project, "resource": resource, **numbers}
            for user, projects in found.items() for project, resources in projects.items() for resource, numbers in resources.items()]
    show_list(rows, ("user", "project", "resource", "usage", "limit", "pending", "project_usage", "project_limit"), output_format)
