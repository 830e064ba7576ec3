from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from synnefo.common.commands import BaseCommand, boolean, comma_list, resolve_user
from synnefo.cyclades.management.network_output import subnet_rows
from synnefo.cyclades.network_flavors import all_flavors
from synnefo.cyclades.services import network_verbs
from synnefo.cyclades.services.networks import NetworkSpec
from synnefo.cyclades.services.subnets import SubnetSpec


class Command(BaseCommand):
    help = "Create a network with its subnets, in the database and in every backend that is online."

    def add_arguments(self, parser: CommandParser) -> None:
        flag: dict[str, Any] = {"type": boolean, "nargs": "?", "const": True, "default": False}
        parser.add_argument("--name", default="", help="Name.")
        parser.add_argument("--user", "--owner", dest="user", help="Owner (uuid or e-mail); needed for private networks.")
        parser.add_argument("--project", help="Project that is charged; the owner's own by default.")
        parser.add_argument("--subnet", help="IPv4 range, e.g. 192.0.2.0/24.")
        parser.add_argument("--gateway", help="IPv4 gateway; none unless given.")
        parser.add_argument("--subnet6", help="IPv6 range, a /64.")
        parser.add_argument("--gateway6", help="IPv6 gateway; none unless given.")
        parser.add_argument("--dhcp", metavar="BOOL", **flag, help="Answer DHCP requests of its servers.")
        parser.add_argument("--public", action="store_true", help="Everybody's servers may be connected to it.")
        parser.add_argument("--flavor", "--network-type", dest="flavor", help=f"Type: {', '.join(sorted(all_flavors()))}.")
        parser.add_argument("--mode", choices=("bridged", "routed"), help="Over the type's own.")
        parser.add_argument("--link", help="Bridge or routing table, over the type's own; `pool` takes one from the pool.")
        parser.add_argument("--mac-prefix", help="Five digits, over the type's own; `pool` takes one from the pool.")
        parser.add_argument("--tags", type=comma_list, help="Tags of the Ganeti network, over the type's own.")
        parser.add_argument("--floating-ip-pool", metavar="BOOL", **flag, help="Users may reserve its addresses.")
        parser.add_argument("--allocation-pool", action="append", type=_run, metavar="START,END", default=[],
                            help="IPv4 addresses to give out; may be repeated. By default all but edges and gateway.")
        parser.add_argument("--drained", metavar="BOOL", **flag, help="Give out no addresses yet.")
        parser.add_argument("--backend-id", help="Ignored: networks are created in all backends.")

    def handle(self, *args: Any, **options: Any) -> None:
        self._check(options)
        if options["backend_id"]:
            self.note("--backend-id is ignored: networks are created in all backends.")
        user_id = resolve_user(options["user"]) if options["user"] else None
        tags = options["tags"]
        spec = NetworkSpec(
            flavor=options["flavor"], name=options["name"], user_id=user_id, public=options["public"],
            project_id=None if options["public"] else options["project"] or user_id,
            floating_ip_pool=options["floating_ip_pool"], drained=options["drained"], mode=options["mode"],
            link=options["link"], mac_prefix=options["mac_prefix"], ganeti_tags=None if tags is None else tuple(tags),
        )
        network = network_verbs.create_for_operator(spec, _subnets(options))
        self.detail({
            "id": network.pk, "name": network.name, "flavor": network.flavor, "public": network.public,
            "state": network.state, "mode": network.mode, "link": network.link, "mac_prefix": network.mac_prefix,
            "floating_ip_pool": network.floating_ip_pool, "drained": network.drained, "user": network.user_id,
            "project": network.project_id, "subnets": [row[3] for row in subnet_rows(network)],
        }, options)

    def _check(self, options: dict[str, Any]) -> None:
        if not options["flavor"]:
            self.fail("The network's type is missing.", hint="Give --flavor.", code=2)
        if not options["user"] and not options["public"]:
            self.fail("Give the network an owner with --user, or make it --public.", code=2)
        if options["dhcp"] and not (options["subnet"] or options["subnet6"]):
            self.fail("--dhcp needs a --subnet or --subnet6.", code=2)
        if not options["subnet"] and (options["gateway"] or options["allocation_pool"]):
            self.fail("--gateway and --allocation-pool need a --subnet.", code=2)
        if options["gateway6"] and not options["subnet6"]:
            self.fail("--gateway6 needs a --subnet6.", code=2)
        if options["flavor"] == "IP_LESS_ROUTED" and not (options["subnet"] or options["subnet6"]):
            self.fail("An IP_LESS_ROUTED network needs a --subnet or --subnet6.", code=2)


def _run(text: str) -> tuple[str, str]:
    start, _, end = text.partition(",")
    return start.strip(), end.strip()


def _subnets(options: dict[str, Any]) -> list[SubnetSpec]:
    wanted = []
    if options["subnet"]:
        wanted.append(SubnetSpec(
            cidr=options["subnet"], ip_version=4, gateway=options["gateway"], dhcp=options["dhcp"],
            pools=tuple(options["allocation_pool"]) or None, name=f"IPv4 subnet of {options['name'] or 'network'}"[:128]))
    if options["subnet6"]:
        wanted.append(SubnetSpec(
            cidr=options["subnet6"], ip_version=6, gateway=options["gateway6"], dhcp=options["dhcp"],
            name=f"IPv6 subnet of {options['name'] or 'network'}"[:128]))
    return wanted
