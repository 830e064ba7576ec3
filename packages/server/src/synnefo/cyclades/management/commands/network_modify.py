from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean, comma_list, object_id
from synnefo.cyclades.services import network_verbs


class Command(BaseCommand):
    help = "Change a network."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("network", type=object_id("network"), metavar="NETWORK")
        parser.add_argument("--name", help="New name.")
        parser.add_argument("--drained", type=boolean, metavar="BOOL", help="Whether it gives out no addresses.")
        parser.add_argument("--floating-ip-pool", type=boolean, metavar="BOOL", help="Whether users may reserve addresses.")
        parser.add_argument("--add-reserved-ips", type=comma_list, default=[], metavar="IPS",
                            help="Addresses to keep out of use.")
        parser.add_argument("--remove-reserved-ips", type=comma_list, default=[], metavar="IPS",
                            help="Addresses that may be used again.")

    def handle(self, *args: Any, **options: Any) -> None:
        network_verbs.modify_for_operator(
            options["network"], name=options["name"], drained=options["drained"],
            floating_ip_pool=options["floating_ip_pool"], add_reserved=options["add_reserved_ips"],
            remove_reserved=options["remove_reserved_ips"],
        )
        self.note(f"Changed network {options['network']}.")
