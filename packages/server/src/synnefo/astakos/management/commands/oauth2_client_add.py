from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.astakos.models import ClientType
from synnefo.astakos.services.oauth2 import clients
from synnefo.common.commands import BaseCommand


class Command(BaseCommand):
    help = "Register a client of the OAuth2 server. A confidential one without --secret gets a random secret, which is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", help="The client_id.")
        parser.add_argument("--name", default="", help="What users are told that they let in.")
        parser.add_argument("--secret", default="", help="The client_secret.")
        parser.add_argument("--type", choices=ClientType.values, default=ClientType.CONFIDENTIAL,
                            help="Programs that cannot keep a secret are public, and must use PKCE.")
        parser.add_argument("--is-trusted", action="store_true", help="Users are not asked for their consent.")
        parser.add_argument("--url", action="append", default=[], metavar="URL",
                            help="A redirect address; addresses below it are good too. May be repeated.")

    def handle(self, *args: Any, **options: Any) -> None:
        client, secret, bad = clients.add(
            options["identifier"], options["url"], name=options["name"], secret=options["secret"], type_=options["type"],
            is_trusted=options["is_trusted"])
        for url in bad:
            self.stderr.write(f"Left out, not a redirect address: {url[:200]}")
        shown = {"id": client.pk, "identifier": client.identifier, "type": client.type, "is_trusted": client.is_trusted}
        self.detail({**shown, "secret": self.secret(secret)} if secret else shown, options)
