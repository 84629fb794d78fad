"""Servers: recipients that are not theirs (RFC 5321, sections 3.6.2, 5.1 and 7.9)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import DOMAIN, message
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


@pytest.mark.parametrize("address", ELSEWHERE.values(), ids=ELSEWHERE)
@clause("rfc5321-7.9-relay-filter")
def test_nothing_is_relayed_for_strangers(server: Server, address: str) -> None:
    """A recipient elsewhere is refused, with whatever code, when the client has not logged in."""
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{address}>")

    assert reply.kind in {4, 5}, f"RCPT TO:<{address}> was answered {reply}"


@needs("delivery")
@clause("rfc5321-5.1-no-inferred-domains")
def test_partial_domains_are_not_completed(server: Server) -> None:
    """An address whose domain is only the first label of ours is refused, or kept as it is."""
    token, recipient = server.recipient()
    partial = recipient.removesuffix(DOMAIN) + DOMAIN.partition(".")[0]
    session = server.greeted()
    session.mail()

    accepted = session.command(f"RCPT TO:<{partial}>").kind == 2

    if accepted:
        end = session.data(message())
        assert end.kind != 2 or server.recipients(token) <= {partial}, (
            f"the message for {partial} arrived for {sorted(server.recipients(token))}"
        )
