"""Servers: what older mail did and today's must not (RFC 5321, appendices C and F)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message
from suites.smtp.subjects import Server

pytestmark = role("server")

#: The verbs that deliver to a terminal (section F.6), each with what follows it.
TERMINAL_VERBS = {"send": "SEND", "soml": "SOML", "saml": "SAML"}


@needs("delivery")
@clause("rfc5321-C-envelope-alone-routes")
def test_the_envelope_alone_says_where_a_message_goes(server: Server) -> None:
    """Addresses in To, Cc and Bcc fields get nothing; the recipient of RCPT does."""
    token, recipient = server.recipient()
    named = {field: server.recipient() for field in ("To", "Cc", "Bcc", "Resent-To")}
    headers = "".join(f"{field}: <{address}>\r\n" for field, (_, address) in named.items()).encode()
    session = server.greeted()

    session.deliver(recipient, message(headers=headers))

    assert len(server.arrived(token)) == 1, "the recipient of the envelope got nothing"
    strays = {field: server.host.mailbox.find(other) for field, (other, _) in named.items()}
    assert not any(strays.values()), f"these fields were taken for recipients: {strays}"


@clause("rfc5321-F.1-server-no-turn")
def test_turn_is_not_followed(server: Server) -> None:
    """TURN from a client that nobody knows is refused, and the roles stay as they are."""
    session = server.greeted()

    reply = session.command("TURN")

    assert reply.kind == 5, f"TURN was answered {reply}"
    assert session.command("RSET").code == 250, "the server no longer serves"


@pytest.mark.parametrize("verb", TERMINAL_VERBS.values(), ids=TERMINAL_VERBS)
@clause("rfc5321-F.6-send-listed")
def test_delivery_to_terminals_is_listed_where_it_is_offered(server: Server, verb: str) -> None:
    """SEND, SOML and SAML are in the EHLO reply, or they are not understood."""
    session = server.greeted()

    reply = session.command(f"{verb} FROM:<{SENDER}>")

    assert reply.kind == 5 or verb in session.extensions, (
        f"{verb} was answered {reply}; EHLO lists {sorted(session.extensions)}"
    )
