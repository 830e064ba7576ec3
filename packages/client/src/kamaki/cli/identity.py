"""kamaki user, quota, resource: who I am and how much I may use."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, say, show_item, show_json, show_list, size
from kamaki.projects import Projects

user = typer.Typer(no_args_is_help=True, help="The user behind the token.")
quota = typer.Typer(no_args_is_help=True, help="Limits and usage.")
resource = typer.Typer(no_args_is_help=True, help="What can be counted.")
GROUPS = {"user": user, "quota": quota, "resource": resource}
INFINITE = 2**63 - 1


@user.command("authenticate")
def authenticate(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """Check the token; print the user and the services of the cloud."""
    access = cloud(context).access
    if output_format is Format.JSON:
        show_json(access)
        return
    show_item({"user": {"id": access["user"]["id"], "name": access["user"]["name"],
                        "roles": ", ".join(role["name"] for role in access["user"]["roles"])},
               "token": {"expires": access["token"]["expires"], "project": access["token"]["tenant"]["id"]},
               "services": {item["name"]: item["endpoints"][0]["publicURL"] for item in access["serviceCatalog"]}},
              output_format)


@user.command("info")
def info(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """The user's uuid, name and projects."""
    found = cloud(context).access["user"]
    show_item({key: found.get(key) for key in ("id", "name", "username", "projects")}, output_format)


@user.command("uuid2name")
def uuid_to_name(context: typer.Context, uuids: Annotated[list[str], typer.Argument()],
                 output_format: OutputFormat = Format.TABLE) -> None:
    """User names of uuids."""
    show_item(cloud(context).identity.usernames(uuids), output_format)


@user.command("name2uuid")
def name_to_uuid(context: typer.Context, names: Annotated[list[str], typer.Argument()],
                 output_format: OutputFormat = Format.TABLE) -> None:
    """Uuids of user names."""
    show_item(cloud(context).identity.uuids(names), output_format)


@user.command("setdefaultproject")
def set_default_project(context: typer.Context, project_id: Annotated[str, typer.Argument(metavar="PROJECT")]) -> None:
    """Choose the project that pays when a command names none."""
    Projects(cloud(context).identity.account).set_default(project_id)
    say(f"Project {project_id} pays by default")


@quota.command("list")
def list_quotas(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    resource_name: Annotated[str | None, typer.Option("--resource", help="Only this resource.")] = None,
    project_id: Annotated[str | None, typer.Option("--project-id", help="Only this project.")] = None,
    in_bytes: Annotated[bool, typer.Option("--bytes", help="Sizes as plain numbers of bytes.")] = False,
) -> None:
    """Usage and limit of every resource, by project."""
    identity = cloud(context).identity
    found = identity.quotas()
    if output_format is Format.JSON:
        show_json(found)
        return
    units = {name: item.get("unit") for name, item in identity.resources().items()}
    rows: list[dict[str, Any]] = []
    for project, resources in found.items():
        for name, numbers in resources.items():
            if resource_name not in (None, name) or project_id not in (None, project):
                continue
            human = units.get(name) == "bytes" and not in_bytes
            rows.append({"project": project, "resource": name}
                        | {key: _number(numbers[key], human) for key in ("usage", "limit", "pending", "project_limit")})
    show_list(rows, ("project", "resource", "usage", "limit", "pending", "project_limit"), output_format)


def _number(value: int, human: bool) -> str:
    if value >= INFINITE:
        return "unlimited"
    return size(value) if human else str(value)


@resource.command("list")
def list_resources(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """The resources that services count."""
    found = cloud(context).identity.resources()
    rows = [{"name": name, **item} for name, item in found.items()]
    show_list(rows, ("name", "unit", "service", "description"), output_format)
