"""Servers: the message from DATA to the reply after the final dot, and what is stored of it."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.subjects import Server
from suites.smtp.message import message

pytestmark = role("server")

DOTS = {
    "first-line": b".first\r\nsecond\r\n",
    "every-line": b".\r\n..\r\n...\r\n.a\r\n",
    "lone-dot": b"before\r\n.\r\nafter\r\n",
}


@needs("delivery")
@pytest.mark.parametrize("body", DOTS.values(), ids=DOTS)
@clause("rfc5321-4.5.2-leading-dot-removed")
def test_leading_dots_are_removed_once(server: Server, body: bytes) -> None:
    """Of each line that begins with a dot one dot is taken, and no more."""
    sent = message(body)
    token, recipient = server.recipient()
    session = server.connect()
    session.ehlo()

    reply = session.deliver(recipient, sent)

    assert reply.code == 250, f"the end of the data was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"
