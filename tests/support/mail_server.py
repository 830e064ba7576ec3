"""An SMTP server on loopback that keeps what it gets, and can refuse, stall and hang up as real ones do."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class _Controller(Controller):
    """Takes a free port, and knows which before it knocks there to see whether the server runs."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = int(server.sockets[0].getsockname()[1])
        super()._trigger_server()


class MailServer:
    """`mails`: what was taken, by arrival. `answers`: what to say to a recipient instead, such as `"550 No such user"`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: dict[str, str] = {}
        self.connections = 0
        self.hang_up_after = 0
        """How many mails to take without a word: the connection is cut once they are kept."""
        self._controller = _Controller(self, hostname="127.0.0.1", port=0)

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:  # noqa: N802
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        if self.hang_up_after:
            self.hang_up_after -= 1
            assert server.transport is not None
            server.transport.abort()
        return "250 OK"

    @property
    def port(self) -> int:
        return self._controller.port

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if address in str(mail["To"])]


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop(no_assert=True)
