"""Servers: recipients that are not theirs (RFC 5321, section 3.6.2)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.smtp.subjects import Server

pytestmark = role("server")

ELSEWHERE = {
    "other-domain": "somebody@elsewhere.example",
    "subdomain": "somebody@sub.lab.example",
    "longer-domain": "somebody@notlab.example",
    "literal": "somebody@[192.0.2.1]",
}


@pytest.mark.parametrize("address", ELSEWHERE.values(), ids=ELSEWHERE)
@clause("rfc5321-3.6.2-relay-refused-550")
def test_relaying_is_refused_with_550(server: Server, address: str) -> None:
    """A recipient elsewhere is refused with 550 when the client has not logged in."""
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{address}>")

    assert reply.code == 550, f"RCPT TO:<{address}> was answered {reply}"
