"""`snf-vncauthproxy`: the websocket proxy to the screens of servers.

websockify does the protocol and forks a process for each connection; the token plugin below checks the ticket in the database, uses it up, and names the
node and port to connect to. A wrong ticket closes the connection before a single byte of the screen's protocol.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any
from urllib.parse import parse_qs, urlparse

import structlog

log = structlog.get_logger(__name__)


class TicketPlugin:
    """Looks a ticket up. Called in the process of the connection."""

    def __init__(self, _source: str | None) -> None:
        pass

    def lookup(self, token: str) -> tuple[str, int] | None:
        from django.db import connection

        from synnefo.common.errors import DomainError
        from synnefo.cyclades.services import consoles

        connection.close()  # the parent's connection must not be shared with a forked child
        try:
            ticket = consoles.use_ticket(token)
        except DomainError as error:
            log.info("console.refused", reason=error.public)
            return None
        finally:
            connection.close()
        log.info("console.connected", server=ticket.server_id, user=ticket.user_id)
        return ticket.host, ticket.port


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="snf-vncauthproxy", description="Websocket proxy to the consoles of servers.")
    parser.add_argument("--proxy-listen-address", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--listen-port", type=int, default=8081, help="port to listen on (default %(default)s)")
    parser.add_argument("--cert-file", help="certificate, to serve wss:// without a proxy in front")
    parser.add_argument("--key-file", help="its key")
    return parser.parse_args(argv)


def handler() -> Any:
    """websockify's request handler, with our origin check."""
    from websockify.websocketproxy import ProxyRequestHandler

    from synnefo.common.settings import conf

    own = urlparse(conf.CYCLADES_BASE_URL).netloc

    class Handler(ProxyRequestHandler):  # type: ignore[misc]
        path: str

        def validate_connection(self) -> None:
            # Browsers say where the page came from; a page of somebody else may not use our tickets.
            origin = self.headers.get("Origin")
            if origin is not None and urlparse(origin).netloc not in {own, self.headers.get("Host", "")}:
                raise self.server.EClose("A page of another site may not open consoles.")
            super().validate_connection()

        def get_target(self, target_plugin: Any) -> Any:
            token = parse_qs(urlparse(self.path).query).get("token", [""])[0]
            self.path = urlparse(self.path).path  # websockify writes the path to the log; the ticket does not belong there
            found = target_plugin.lookup(token)
            if found is None:
                raise self.server.EClose("The ticket is unknown, used or too old.")
            return found

        def print_traffic(self, mark: str = ".") -> None:
            # Called for everything that passes, in either direction.
            self.last_traffic = time.monotonic()
            super().print_traffic(mark)

        def send_ping(self, data: bytes = b"") -> None:
            # Called every heartbeat while the connection lives.
            if time.monotonic() - self.last_traffic > 60 * conf.CONSOLE_IDLE_MINUTES:
                raise self.CClose(1000, "Nothing happened for too long.")
            super().send_ping(data)

    return Handler


def main() -> None:
    args = arguments()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "synnefo.project.settings")
    import django

    django.setup()
    from websockify.websocketproxy import WebSocketProxy

    from synnefo.common.settings import conf

    server = WebSocketProxy(
        RequestHandlerClass=handler(), listen_host=args.proxy_listen_address, listen_port=args.listen_port, target_host=None, target_port=None,
        token_plugin=TicketPlugin(None), cert=args.cert_file or "", key=args.key_file, ssl_only=bool(args.cert_file), heartbeat=30, file_only=True)
    log.info("vncauthproxy.started", address=args.proxy_listen_address, port=args.listen_port, idle_minutes=conf.CONSOLE_IDLE_MINUTES)
    server.start_server()


if __name__ == "__main__":
    main()
