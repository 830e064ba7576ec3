"""`snf-manage`: the command line of operators. Commands are found in the enabled services.

Module names have underscores, public names hyphens; they are translated here and nowhere else.
"""

from __future__ import annotations

import difflib
import grp
import logging
import os
import pwd
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import django
from django.core.management import ManagementUtility, get_commands
from django.core.management.base import BaseCommand

import synnefo
from synnefo.common.commands import runlog
from synnefo.common.settings import SettingsError, conf

WRONG_USER = 77
_SERVICES = ("astakos", "pithos", "cyclades")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        run(sys.argv)
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


def run(argv: list[str]) -> None:
    """Load the settings, become the service user, then run the command and record the run."""
    load_settings()
    command = argv[1].replace("_", "-") if len(argv) > 1 else "help"
    wanted = re.fullmatch(r"[a-z][a-z0-9-]*", command) is not None and command not in {"help", "version"}
    login = login_user()
    file = runlog.open_log(command) if wanted else None
    become(conf.SNF_MANAGE_USER, conf.SNF_MANAGE_GROUP)
    django.setup()
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.WARNING)  # a person watches stderr; the file of the run has everything
    with runlog.recorded(command, argv, file, login=login):
        Utility(argv).execute()


def load_settings() -> None:
    """Read every source of settings; problems are listed and stop the tool."""
    from django.conf import settings

    try:
        settings.INSTALLED_APPS  # noqa: B018 - the access loads them
    except SettingsError as error:
        sys.stderr.write(f"The settings are wrong:\n{error}\n")
        sys.exit(1)
    for warning in conf.warnings:
        sys.stderr.write(f"Warning: {warning}\n")


def login_user() -> str:
    """Who logged in, before any change of user."""
    for name in ("SUDO_USER", "LOGNAME", "USER"):
        if os.environ.get(name):
            return os.environ[name]
    return str(os.getuid())


def become(user: str, group: str) -> None:
    """As root, drop to the service user and group; as anybody else than that user, refuse. An empty user keeps all."""
    if not user:
        return
    try:
        account = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
        group_id = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else account.pw_gid
    except KeyError as error:
        sys.stderr.write(f"Settings SNF_MANAGE_USER and SNF_MANAGE_GROUP: {error.args[0]}\n")
        sys.exit(1)
    if os.geteuid() == account.pw_uid:
        return
    if os.geteuid() != 0:
        sys.stderr.write(f"snf-manage must be run by {user}:{group or group_id} or by root.\n")
        sys.exit(WRONG_USER)
    os.initgroups(account.pw_name, group_id)
    os.setgid(group_id)
    os.setuid(account.pw_uid)


def module_name(public: str) -> str:
    """`server-list` -> `server_list` when that is one of our commands; Django's own keep their names."""
    name = public.replace("-", "_")
    return name if name in ours() else public


def ours() -> dict[str, str]:
    """Commands of the enabled services: module name -> application."""
    return {name: app for name, app in get_commands().items() if app.startswith("synnefo.")}


def provider_of(public: str) -> str | None:
    """The service that would provide this command if it were enabled on this host."""
    root = Path(synnefo.__file__).parent
    name = public.replace("-", "_")
    for service in _SERVICES:
        if service not in conf.SYNNEFO_SERVICES and any(root.glob(f"{service}/**/management/commands/{name}.py")):
            return service
    return None


class Utility(ManagementUtility):
    """Django's utility with hyphenated names, our version and more helpful refusals."""

    def __init__(self, argv: list[str]) -> None:
        super().__init__(["snf-manage", *argv[1:]])

    def execute(self) -> None:
        if self.argv[1:2] == ["version"] or "--version" in self.argv[1:]:
            sys.stdout.write(synnefo.__version__ + "\n")
            return
        super().execute()

    def fetch_command(self, subcommand: str) -> BaseCommand:
        name = module_name(subcommand)
        if name not in get_commands():
            self._refuse(subcommand)
        return super().fetch_command(name)

    def _refuse(self, public: str) -> None:
        sys.stderr.write(f"Unknown command: {public!r}\nType 'snf-manage help' for usage.\n")
        service = provider_of(public)
        if service:
            sys.stderr.write(f"It is a command of {service}, which this host does not run (SYNNEFO_SERVICES).\n")
        close = difflib.get_close_matches(public, public_names(), n=3)
        if close:
            sys.stderr.write(f"Did you mean: {', '.join(close)}?\n")
        sys.exit(1)

    def main_help_text(self, commands_only: bool = False) -> str:
        if commands_only:
            return "\n".join(public_names())
        lines = ["Usage: snf-manage COMMAND [arguments]", "Type 'snf-manage help COMMAND' for help on one command."]
        for title, names in sorted(_by_service().items()):
            lines += ["", f"[{title}]", *(f"    {name}" for name in sorted(names))]
        return "\n".join(lines)


def public_names() -> Iterable[str]:
    """All command names as people type them."""
    own = ours()
    return sorted(name.replace("_", "-") if name in own else name for name in get_commands())


def _by_service() -> dict[str, list[str]]:
    own = ours()
    groups: dict[str, list[str]] = {}
    for name, app in get_commands().items():
        if name in own:
            groups.setdefault(str(app).split(".")[1], []).append(name.replace("_", "-"))
        else:
            groups.setdefault("django", []).append(name)
    return groups


if __name__ == "__main__":
    main()
