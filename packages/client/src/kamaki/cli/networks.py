"""kamaki network, subnet, port, ip: what connects servers."""

from __future__ import annotations

from typing import Annotated

import typer

from kamaki.cli.context import OutputFormat, cloud
from kamaki.cli.output import Format, show_item, show_list

network = typer.Typer(no_args_is_help=True, help="Networks.")
subnet = typer.Typer(no_args_is_help=True, help="Subnets of networks.")
port = typer.Typer(no_args_is_help=True, help="Ports: network cards of servers.")
ip = typer.Typer(no_args_is_help=True, help="Floating IP addresses.")
GROUPS = {"network": network, "subnet": subnet, "port": port, "ip": ip}
NetworkID = Annotated[str, typer.Argument(metavar="ID")]


@network.command("list")
def list_networks(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """Public networks and one's own."""
    show_list(cloud(context).network.list_networks(), ("id", "name", "type", "status", "public", "subnets"), output_format)


@network.command("info")
def info(context: typer.Context, network_id: NetworkID, output_format: OutputFormat = Format.TABLE) -> None:
    """One network."""
    show_item(cloud(context).network.get_network(network_id), output_format)


@network.command("create")
def create(
    context: typer.Context, name: Annotated[str, typer.Option("--name")] = "",
    kind: Annotated[str, typer.Option("--type", help="MAC_FILTERED, unless the cloud offers others.")] = "MAC_FILTERED",
    project_id: Annotated[str | None, typer.Option("--project-id")] = None, output_format: OutputFormat = Format.TABLE,
) -> None:
    """Create a private network."""
    show_item(cloud(context).network.create_network(name, kind, project=project_id), output_format)


@network.command("delete")
def delete(context: typer.Context, network_id: NetworkID) -> None:
    """Delete a private network that no server uses."""
    cloud(context).network.delete_network(network_id)


@subnet.command("list")
def list_subnets(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """All subnets."""
    show_list(cloud(context).network.list_subnets(), ("id", "name", "network_id", "cidr", "gateway_ip"), output_format)


@port.command("list")
def list_ports(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """All ports."""
    show_list(cloud(context).network.list_ports(), ("id", "name", "network_id", "device_id", "mac_address", "status"), output_format)


@ip.command("list")
def list_ips(context: typer.Context, output_format: OutputFormat = Format.TABLE) -> None:
    """Floating IP addresses of one's own."""
    show_list(cloud(context).network.list_floating_ips(),
              ("id", "floating_ip_address", "floating_network_id", "port_id", "instance_id"), output_format)
