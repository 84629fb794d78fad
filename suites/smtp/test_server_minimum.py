"""Servers: what every one of them must have: nine commands, and a postmaster (RFC 5321, section 4.5.1)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.smtp.message import DOMAIN, message
from suites.smtp.session import DRIVER_NAME, MAIL
from suites.smtp.subjects import Server

pytestmark = role("server")

EHLO = f"EHLO {DRIVER_NAME}"
RCPT = "RCPT TO:<{}>"
#: A command in its place, and what leads to it; ``{}`` stands for a recipient of ours.
REQUIRED = {
    "ehlo": (EHLO, []),
    "helo": (f"HELO {DRIVER_NAME}", []),
    "mail": (MAIL, [EHLO]),
    "rcpt": (RCPT, [EHLO, MAIL]),
    "data": ("DATA", [EHLO, MAIL, RCPT]),
    "rset": ("RSET", [EHLO, MAIL]),
    "noop": ("NOOP", [EHLO]),
    "quit": ("QUIT", [EHLO]),
}
SPELLINGS = ["postmaster", "Postmaster", "POSTMASTER", "pOsTmAsTeR"]
PLACES = {
    "domain": f"postmaster@{DOMAIN}",
    "domain-in-capitals": f"postmaster@{DOMAIN.upper()}",
    "bare": "postmaster",
}


@pytest.mark.parametrize(("command", "before"), REQUIRED.values(), ids=REQUIRED)
@clause("rfc5321-4.5.1-required-commands")
def test_required_commands_are_carried_out(server: Server, command: str, before: list[str]) -> None:
    """Each required command, in its place, is answered with 2yz or 3yz."""
    _, recipient = server.recipient()
    session = server.connect()
    for line in before:
        session.expect(250, line.format(recipient))

    reply = session.command(command.format(recipient))

    assert reply.kind in {2, 3}, f"{command} was answered {reply}"


@pytest.mark.parametrize("question", ["postmaster", f"postmaster@{DOMAIN}"], ids=["name", "address"])
@clause("rfc5321-4.5.1-vrfy-supported")
def test_vrfy_is_supported(server: Server, question: str) -> None:
    """VRFY is carried out, if only to say that nothing can be said."""
    reply = server.greeted().command(f"VRFY {question}")

    assert reply.code not in {500, 502, 503, 504}, f"VRFY {question} was answered {reply}"


@pytest.mark.parametrize("name", SPELLINGS)
@clause("rfc5321-4.5.1-postmaster-any-case")
def test_the_postmaster_is_known_in_any_case(server: Server, name: str) -> None:
    """Mail for the postmaster is accepted, in whatever case of letters the name is written."""
    reply = server.greeted().deliver(f"{name}@{DOMAIN}", message())

    assert reply.code == 250, f"a message for {name}@{DOMAIN} was answered {reply}"


@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
@clause("rfc5321-4.5.1-postmaster-at-every-domain")
def test_the_postmaster_is_known_at_every_domain(server: Server, address: str) -> None:
    """Mail for the postmaster is accepted at each domain of the server, and with no domain at all."""
    reply = server.greeted().deliver(address, message())

    assert reply.code == 250, f"a message for {address} was answered {reply}"
