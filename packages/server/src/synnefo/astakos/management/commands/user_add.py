from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.services import passwords, tokens, users
from synnefo.common.commands import BaseCommand
from synnefo.common.errors import InvalidInput


class Command(BaseCommand):
    help = ("Create a user. The account waits for verification and acceptance (user-modify --verify --accept), unless "
            "--verify and --accept are given here. A password is made up when none is given.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("first", nargs="?", default="", metavar="FIRST_NAME")
        parser.add_argument("last", nargs="?", default="", metavar="LAST_NAME")
        parser.add_argument("--first-name", default=None, help="First name, instead of the argument.")
        parser.add_argument("--last-name", default=None, help="Last name, instead of the argument.")
        parser.add_argument("--password", default=None, help="At least 10 characters.")
        parser.add_argument("--admin", action="store_true", help="Make the user an administrator.")
        parser.add_argument("-g", "--group", dest="groups", action="append", default=[], metavar="GROUP",
                            help="Add to this group, which is made when missing. May be repeated.")
        parser.add_argument("--verify", action="store_true", help="The e-mail is known to be the user's.")
        parser.add_argument("--accept", action="store_true", help="Let the user in at once; includes --verify.")
        parser.add_argument("--token", dest="wants_token", action="store_true", help="Print an API token too.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wants_token"] and not options["accept"]:
            raise InvalidInput("--token needs --accept: the token of an inactive account opens nothing.")
        password = options["password"] if options["password"] is not None else passwords.new_password()
        self.secret(password)
        user = users.create_user(
            options["email"], first_name=_either(options, "first"), last_name=_either(options, "last"),
            password=password, is_admin=options["admin"], groups=options["groups"],
            verified=options["verify"] or options["accept"], accepted=options["accept"])
        shown = {"uuid": user.uuid, "email": user.email, "status": user.status}
        if options["password"] is None:
            shown["password"] = password
        if options["wants_token"]:
            shown["token"] = self.secret(tokens.issue_named(user, "first token").secret)
        self.detail(shown, options)


def _either(options: dict[str, Any], name: str) -> str:
    given: str | None = options[f"{name}_name"]
    return options[name] if given is None else given
