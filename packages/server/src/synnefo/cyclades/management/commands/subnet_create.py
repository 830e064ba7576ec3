from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean, comma_list, object_id
from synnefo.cyclades.services import subnets


class Command(BaseCommand):
    help = "Add a subnet to a network."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--network", type=object_id("network"), required=True, help="The network.")
        parser.add_argument("--cidr", required=True, help="The range.")
        parser.add_argument("--allocation-pool", action="append", type=_run, metavar="START,END", default=[],
                            help="Addresses to give out; may be repeated.")
        parser.add_argument("--name", default="", help="Name.")
        parser.add_argument("--ip-version", type=int, choices=(4, 6), default=4, help="4 or 6.")
        parser.add_argument("--gateway", help="Gateway; none unless given.")
        parser.add_argument("--dhcp", type=boolean, default=True, metavar="BOOL", help="Answer DHCP requests.")
        parser.add_argument("--dns", type=comma_list, default=[], metavar="IPS", help="Name servers for its servers.")
        parser.add_argument("--host-routes", type=comma_list, default=[], metavar="DST@HOP,...", help="Routes for its servers.")

    def handle(self, *args: Any, **options: Any) -> None:
        spec = subnets.SubnetSpec(
            cidr=options["cidr"], ip_version=options["ip_version"], name=options["name"], gateway=options["gateway"],
            dhcp=options["dhcp"], pools=tuple(options["allocation_pool"]) or None,
            dns_nameservers=tuple(subnets.checked_address(text, field="dns") for text in options["dns"]),
            host_routes=tuple(_route(text) for text in options["host_routes"]),
        )
        subnet = subnets.create_for_operator(options["network"], spec)
        pools = [f"{pool.first} - {pool.last}" for pool in subnet.pools.all()]
        self.detail({
            "id": subnet.pk, "network": subnet.network_id, "name": subnet.name, "cidr": subnet.cidr,
            "gateway": subnet.gateway, "dhcp": subnet.dhcp, "allocation_pools": pools,
        }, options)


def _run(text: str) -> tuple[str, str]:
    start, _, end = text.partition(",")
    return start.strip(), end.strip()


def _route(text: str) -> dict[str, str]:
    destination, _, nexthop = text.partition("@")
    return {"destination": subnets.checked_destination(destination),
            "nexthop": subnets.checked_address(nexthop, field="nexthop")}
