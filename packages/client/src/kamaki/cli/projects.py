"""kamaki project, membership: pooled quota and who takes part in it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kamaki import errors
from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, say, show_item, show_list
from kamaki.projects import Projects

project = typer.Typer(no_args_is_help=True, help="Projects: pooled quota.")
membership = typer.Typer(no_args_is_help=True, help="Memberships of projects.")
GROUPS = {"project": project, "membership": membership}

ProjectId = Annotated[str, typer.Argument(metavar="PROJECT")]
MembershipId = Annotated[int, typer.Argument(metavar="MEMBERSHIP")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept and mailed.")]
AppId = Annotated[int, typer.Option("--app-id", help="Number of the application, as project info shows it.")]
Name = Annotated[str | None, typer.Option("--name", help="Like a domain: lab.example.org.")]
End = Annotated[str | None, typer.Option("--end-date", help="ISO 8601, such as 2030-12-31.")]
Owner = Annotated[str | None, typer.Option("--owner", help="Uuid of the owner.")]
Homepage = Annotated[str | None, typer.Option("--homepage")]
Description = Annotated[str | None, typer.Option("--description")]
Comments = Annotated[str | None, typer.Option("--comments", help="For those who decide.")]
Join = Annotated[str | None, typer.Option("--join-policy", help="auto, moderated or closed.")]
Leave = Annotated[str | None, typer.Option("--leave-policy", help="auto, moderated or closed.")]
Members = Annotated[str | None, typer.Option("--max-members", help="A number, or inf.")]
Private = Annotated[bool | None, typer.Option("--private/--public", help="Whether others see it.")]
Resources = Annotated[list[str] | None, typer.Option("--resource", metavar="NAME=MEMBER,PROJECT", help="Limits of each member and of all; repeatable.")]


def _of(context: typer.Context) -> Projects:
    return Projects(cloud(context).identity.account)


def _wanted(resources: list[str] | None, **fields: Any) -> dict[str, Any]:
    wanted = {key: value for key, value in fields.items() if value is not None}
    return wanted | ({"resources": dict(_capacities(item) for item in resources)} if resources else {})


def _capacities(text: str) -> tuple[str, dict[str, int]]:
    name, _, values = text.partition("=")
    parts = values.split(",")
    if not name or len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise errors.UsageError(f"--resource {text}: NAME=MEMBER,PROJECT is needed, with plain numbers.")
    return name, {"member_capacity": int(parts[0]), "project_capacity": int(parts[1])}


@project.command("list")
def list_projects(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    with_name: Annotated[str | None, typer.Option("--with-name")] = None,
    with_state: Annotated[str | None, typer.Option("--with-state", help="One state, or several with commas between.")] = None,
    with_owner: Annotated[str | None, typer.Option("--with-owner", help="Uuid.")] = None,
    detail: Annotated[bool, typer.Option("--details", "-l", help="More columns.")] = False,
) -> None:
    """Projects that the user has to do with, and public ones."""
    filters = {key: value for key, value in (("name", with_name), ("state", with_state), ("owner", with_owner)) if value is not None}
    more = ("owner", "end_date", "join_policy", "max_members") if detail else ()
    show_list(_of(context).find(**filters), ("id", "name", "state", *more), output_format)


@project.command("info")
def info(context: typer.Context, project_id: ProjectId, output_format: OutputFormat = Format.TABLE) -> None:
    """One project, for its managers with the last application."""
    show_item(_of(context).get(project_id), output_format)


@project.command("create")
def create(
    context: typer.Context, name: Annotated[str, typer.Option("--name", help="Like a domain: lab.example.org.")],
    end_date: Annotated[str, typer.Option("--end-date", help="ISO 8601, such as 2030-12-31.")], owner: Owner = None, homepage: Homepage = None,
    description: Description = None, comments: Comments = None, join_policy: Join = None, leave_policy: Leave = None,
    max_members: Members = None, private: Private = None, resource: Resources = None, output_format: OutputFormat = Format.TABLE,
) -> None:
    """Apply for a project."""
    show_item(_of(context).create(_wanted(
        resource, name=name, end_date=end_date, owner=owner, homepage=homepage, description=description, comments=comments,
        join_policy=join_policy, leave_policy=leave_policy, max_members=max_members, private=private)), output_format)


@project.command("modify")
def modify(
    context: typer.Context, project_id: ProjectId, name: Name = None, end_date: End = None, owner: Owner = None, homepage: Homepage = None,
    description: Description = None, comments: Comments = None, join_policy: Join = None, leave_policy: Leave = None,
    max_members: Members = None, private: Private = None, resource: Resources = None, output_format: OutputFormat = Format.TABLE,
) -> None:
    """Apply for changes of a project; what is not named stays."""
    show_item(_of(context).modify(project_id, _wanted(
        resource, name=name, end_date=end_date, owner=owner, homepage=homepage, description=description, comments=comments,
        join_policy=join_policy, leave_policy=leave_policy, max_members=max_members, private=private)), output_format)


def _add_state_action(action: str, text: str) -> None:
    @project.command(action, help=text)
    def run(context: typer.Context, project_id: ProjectId, reason: Reason = "") -> None:
        _of(context).act(project_id, action, reason)
        say(f"Project {project_id}: {action} done")


def _add_answer(action: str, text: str) -> None:
    @project.command(action, help=text)
    def run(context: typer.Context, project_id: ProjectId, app_id: AppId, reason: Reason = "") -> None:
        _of(context).act(project_id, action, reason, app_id)
        say(f"Application {app_id}: {action} done")


def _add_membership_action(action: str, text: str) -> None:
    @membership.command(action.replace("_", "-"), help=text)
    def run(context: typer.Context, membership_id: MembershipId, reason: Reason = "") -> None:
        _of(context).act_on_membership(membership_id, action, reason)
        say(f"Membership {membership_id}: {action} done")


for _name, _text in (("suspend", "Suspend a project (administrators)."), ("unsuspend", "Make a suspended project active (administrators)."),
                     ("terminate", "End a project (administrators)."), ("reinstate", "Make an ended project active (administrators).")):
    _add_state_action(_name, _text)
for _name, _text in (("approve", "Approve an application (administrators)."), ("deny", "Deny an application (administrators)."),
                     ("dismiss", "Take note of a denial."), ("cancel", "Withdraw a pending application.")):
    _add_answer(_name, _text)
for _name, _text in (("leave", "Leave a project, or ask to."), ("cancel", "Withdraw a request to join."), ("accept", "Accept a request to join."),
                     ("reject", "Reject a request to join."), ("remove", "Remove a member."), ("deny_leave", "Keep a member who asked to leave."),
                     ("cancel_leave", "Withdraw a request to leave.")):
    _add_membership_action(_name, _text)


@project.command("join")
def join(context: typer.Context, project_id: ProjectId, output_format: OutputFormat = Format.TABLE) -> None:
    """Join a project, or ask to: see the state."""
    found = _of(context)
    show_item(found.membership(found.join(project_id)), output_format)


@project.command("enroll")
def enroll(context: typer.Context, project_id: ProjectId, email: Annotated[str, typer.Option("--email", help="Of the new member.")],
           output_format: OutputFormat = Format.TABLE) -> None:
    """Make a user a member of a project (owners)."""
    found = _of(context)
    show_item(found.membership(found.enroll(project_id, email)), output_format)


@membership.command("list")
def list_memberships(
    context: typer.Context, output_format: OutputFormat = Format.TABLE,
    with_project: Annotated[str | None, typer.Option("--with-project-id", help="Only of this project.")] = None,
    with_state: Annotated[str | None, typer.Option("--with-state")] = None,
) -> None:
    """The user's memberships, and those of projects that he owns."""
    filters = {key: value for key, value in (("project", with_project), ("state", with_state)) if value is not None}
    show_list(_of(context).memberships(**filters), ("id", "project", "user", "state"), output_format)


@membership.command("info")
def membership_info(context: typer.Context, membership_id: MembershipId, output_format: OutputFormat = Format.TABLE) -> None:
    """One membership, with what the user may do about it."""
    show_item(_of(context).membership(membership_id), output_format)
