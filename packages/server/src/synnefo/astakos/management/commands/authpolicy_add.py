from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import policies, policy_profiles
from synnefo.common.commands import BaseCommand, CommandError
from synnefo.common.commands.values import boolean


def _flag(text: str) -> bool:
    """True, False, 1 or 0."""
    return bool(int(text)) if text in {"0", "1"} else boolean(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"invalid limit {text!r}: use a number")
    return int(text)


class Command(BaseCommand):
    help = "Create a policy profile of a sign-in provider, or change it with --update."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("provider", help="Module: local, ldap, shibboleth, google, saml, oidc:<alias> ...")
        parser.add_argument("--update", action="store_true", help="Change an existing profile; what is not given stays.")
        parser.add_argument("--exclusive", action="store_true", default=None, help="Let it speak of every other provider.")
        parser.add_argument("--not-exclusive", dest="exclusive", action="store_false", help="Let it speak of its provider.")
        parser.add_argument("--priority", type=int, default=None, help="Of several profiles the higher one wins (1).")
        for name in policies.OVERRIDABLE:
            parser.add_argument(f"--{name}-policy", type=_limit if name == "limit" else _flag, default=None,
                                metavar="N" if name == "limit" else "True|False", help=f"Set the policy {name.upper()}.")
            parser.add_argument(f"--unset-{name}-policy", action="store_true",
                                help=f"With --update: say nothing about {name.upper()} any more.")

    def handle(self, *args: Any, **options: Any) -> None:
        values = _values(options)
        if options["update"]:
            policy_profiles.update_profile(options["name"], options["provider"], values, exclusive=options["exclusive"],
                                           priority=options["priority"])
            self.note(f"Policy profile {options['name']} changed")
        else:
            policy_profiles.add_profile(options["name"], options["provider"], values, exclusive=bool(options["exclusive"]),
                                        priority=1 if options["priority"] is None else options["priority"])
            self.note(f"Policy profile {options['name']} created")
        if values.get("required") is not None:
            self.note("REQUIRED counts only in the settings: the profile keeps it, nobody asks for it.")


def _values(options: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in policies.OVERRIDABLE:
        given, unset = options[f"{name}_policy"], options[f"unset_{name}_policy"]
        if unset and (given is not None or not options["update"]):
            raise CommandError(f"--unset-{name}-policy goes with --update and without --{name}-policy.", code=2)
        if unset or given is not None:
            values[name] = given
    return values
