"""Clients: the message on the wire, from DATA to the reply after the final dot."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.smtp.subjects import Client
from suites.smtp.message import message, stuff

pytestmark = role("client")

DOTS = {
    "first-line": b".first\r\nsecond\r\n",
    "every-line": b".\r\n..\r\n...\r\n.a\r\n",
    "lone-dot": b"before\r\n.\r\nafter\r\n",
    "inside": b"a.b\r\n. \r\nc.\r\n",
}


@pytest.mark.parametrize("body", DOTS.values(), ids=DOTS)
@clause("rfc5321-4.5.2-leading-dot-doubled")
def test_leading_dots_are_doubled(client: Client, body: bytes) -> None:
    """A line that begins with a dot travels with one dot more, and arrives with its own."""
    sent = message(body)

    exchange, arrived = client.deliver(sent)

    assert exchange.conversation.payloads == [stuff(sent)], f"the client sent {exchange.conversation.payloads}"
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"
