"""Servers: what generated conversations found that no other case asks (test_differential.py).

Each is the shortest conversation in which two hosts parted; the specification says which of them is wrong.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.generated import RECIPIENTS, SENDERS
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import SENDER
from suites.smtp.subjects import Server

pytestmark = role("server")

_SENDERS = {command.kind.removeprefix("sender-"): command.line for command in SENDERS}
_RECIPIENTS = {command.kind.removeprefix("recipient-"): command.line for command in RECIPIENTS}


@pytest.mark.parametrize(
    "form",
    [
        "no-local-part",
        "two-dots-in-local-part",
        "leading-dot",
        "trailing-dot",
        "open-quote",
        "hyphen-first",
        "hyphen-last",
        "bad-literal",
        "open-literal",
    ],
)
@clause("rfc5321-4.1.2-malformed-path-rejected")
def test_senders_outside_the_grammar_are_refused(server: Server, form: str) -> None:
    """MAIL whose mailbox has empty atoms, an open quote, no host name or no address for a domain is refused."""
    reply = server.greeted().command(_SENDERS[form])

    assert reply.kind == 5, f"{_SENDERS[form]!r} was answered {reply}"


@pytest.mark.parametrize("form", ["leading-dot", "space", "open-quote", "two-dots-in-domain"])
@clause("rfc5321-4.1.2-malformed-path-rejected")
def test_recipients_outside_the_grammar_are_refused(server: Server, form: str) -> None:
    """RCPT whose mailbox has an empty atom, a bare space, an open quote or an empty label is refused."""
    session = server.greeted()
    session.mail()

    reply = session.command(_RECIPIENTS[form])

    assert reply.kind == 5, f"{_RECIPIENTS[form]!r} was answered {reply}"


@clause("rfc5321-4.1.2-invalid-characters-501")
def test_underscore_in_a_domain_is_answered_501(server: Server) -> None:
    """The underscore is no character of domain names: a sender with one is refused with 501."""
    reply = server.greeted().command(_SENDERS["underscore"])

    assert reply.code == 501, f"{_SENDERS['underscore']!r} was answered {reply}"


@clause("rfc5321-4.1.1-server-local-part-syntax")
def test_quoted_pairs_in_a_sender_are_understood(server: Server) -> None:
    """A quoted string with a backslash and a quote in it is no error of syntax."""
    reply = server.greeted().command(_SENDERS["quoted-pair"])

    # a host may refuse a sender that it does not want (section 3.3), but has to take it for one
    assert reply.code in {250, 550, 553, 554}, f"{_SENDERS['quoted-pair']!r} was answered {reply}"


@needs("size")
@clause("rfc5321-4.1.4-bad-mail-argument-501")
def test_mail_refused_for_its_size_spoils_no_later_one(server: Server) -> None:
    """After a MAIL that declares too much, one that declares nothing is accepted: the state is as it was."""
    session = server.greeted()
    refused = session.command(f"MAIL FROM:<{SENDER}> SIZE={MAXIMUM_SIZE + 1}")
    assert refused.kind == 5, f"MAIL with SIZE above the limit was answered {refused}"

    reply = session.command(f"MAIL FROM:<{SENDER}>")

    assert reply.code == 250, f"MAIL after one refused for its size was answered {reply}"
