"""Servers: VRFY, EXPN and HELP (RFC 5321, sections 3.5 and 4.1.1.6 to 4.1.1.8)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import DOMAIN
from suites.smtp.replies import Reply
from suites.smtp.session import SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

STATUS = r"(?:\d\.\d{1,3}\.\d{1,3} )?"
LOCAL_PART = r'(?:[^\s<>@"]+|"[^"]*")'
MAILBOX = re.compile(STATUS + rf"(?:(?:[^<>]+ )?<{LOCAL_PART}@[^\s<>@]+>|{LOCAL_PART}@[^\s<>@]+)")
ADDRESS = re.compile(rf"(<?)({LOCAL_PART})@([^\s<>@]+)(>?)")
#: Replies that hold an address: 250, 251 and 551 (section 3.5.2).
WITH_ADDRESS = frozenset({250, 251, 551})
#: What a case asks for; ``{}`` stands for the name of a local mailbox.
QUESTIONS = {"name": "{}", "address": f"{{}}@{DOMAIN}", "postmaster": "postmaster"}
#: EXPN was understood: a list, or a refusal that concerns the name.
EXPANDED = frozenset({250, 252, 550, 551, 553})


def ask(server: Server, question: str) -> tuple[SmtpSession, Reply]:
    """VRFY in a fresh session, and the reply."""
    session = server.greeted()
    return session, session.command(f"VRFY {question.format(server.host.account.username)}")


@pytest.mark.parametrize("verb", ["VRFY", "EXPN"], ids=["vrfy", "expn"])
@clause("rfc5321-3.5.1-expn-supported")
def test_vrfy_and_expn_are_supported(server: Server, verb: str) -> None:
    """VRFY and EXPN are supported."""
    reply = server.greeted().command(f"{verb} postmaster")

    assert reply.code not in {500, 502, 503, 504}, f"{verb} was answered {reply}"


@clause("rfc5321-3.5.2-expn-listed")
def test_expn_is_listed_where_it_is_supported(server: Server) -> None:
    """A server that supports EXPN lists it in the EHLO reply."""
    session = server.greeted()

    reply = session.command("EXPN postmaster")

    if reply.code in EXPANDED:
        assert "EXPN" in session.extensions, (
            f"EXPN was answered {reply}; EHLO lists {sorted(session.extensions)}"
        )


@needs("vrfy")
@clause("rfc5321-3.5.1-vrfy-knows-local-users")
def test_vrfy_knows_the_names_of_mailboxes(server: Server) -> None:
    """VRFY takes the name of a local mailbox for a user's."""
    _, reply = ask(server, "{}")

    assert reply.code in {250, 251, 252}, f"VRFY of a local mailbox was answered {reply}"


@needs("vrfy")
@clause("rfc5321-3.5.1-vrfy-knows-full-addresses")
def test_vrfy_knows_full_addresses(server: Server) -> None:
    """VRFY takes local-part@domain for a user's name."""
    _, reply = ask(server, QUESTIONS["address"])

    assert reply.code in {250, 251, 252}, f"VRFY of a local address was answered {reply}"


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@clause("rfc5321-3.5.1-vrfy-success-names-mailbox")
def test_vrfy_success_names_the_mailbox(server: Server, question: str) -> None:
    """A 250 reply to VRFY is a mailbox, alone or in pointed brackets after a name."""
    _, reply = ask(server, question)

    if reply.code == 250:
        assert MAILBOX.fullmatch(reply.text), f"VRFY was answered {reply}"


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@clause("rfc5321-3.5.2-vrfy-mailbox-fully-qualified")
def test_vrfy_gives_full_domains(server: Server, question: str) -> None:
    """The mailbox in a reply to VRFY has a fully-qualified domain."""
    _, reply = ask(server, question)

    if reply.code in WITH_ADDRESS:
        found = ADDRESS.search(reply.text)
        assert found is not None, f"VRFY was answered {reply}, without a mailbox"
        assert "." in found[3].strip("."), f"VRFY was answered {reply}: {found[3]!r} is no full domain"


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@clause("rfc5321-3.5.2-vrfy-pointed-brackets")
def test_vrfy_puts_addresses_in_brackets(server: Server, question: str) -> None:
    """An address in a reply to VRFY stands in pointed brackets."""
    _, reply = ask(server, question)

    if reply.code in WITH_ADDRESS and (found := ADDRESS.search(reply.text)) is not None:
        assert (found[1], found[4]) == ("<", ">"), f"VRFY was answered {reply}"


@needs("vrfy")
@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@clause("rfc5321-3.5.2-vrfy-address-usable")
def test_addresses_from_vrfy_can_be_used(server: Server, question: str) -> None:
    """An address that VRFY gave is accepted in RCPT."""
    session, reply = ask(server, question)

    if reply.code == 250 and (found := ADDRESS.search(reply.text)) is not None:
        session.mail()
        rcpt = session.command(f"RCPT TO:<{found[2]}@{found[3]}>")
        assert rcpt.code in {250, 251}, f"VRFY was answered {reply}, RCPT with that address {rcpt}"


@pytest.mark.parametrize("verb", ["VRFY", "EXPN"], ids=["vrfy", "expn"])
@pytest.mark.parametrize(
    "question",
    ["{}", f"<@a.example:{{}}@{DOMAIN}>", f"@a.example,@b.example:{{}}@{DOMAIN}"],
    ids=["name", "route", "bare-route"],
)
@clause("rfc5321-3.5.2-vrfy-no-paths")
def test_vrfy_and_expn_give_no_source_routes(server: Server, verb: str, question: str) -> None:
    """No address that VRFY or EXPN gives is a source route, even where one was asked for."""
    reply = server.greeted().command(f"{verb} {question.format(server.host.account.username)}")

    if reply.code in WITH_ADDRESS:
        assert not re.search(r"@[^\s:@<>]+(,@[^\s:@<>]+)*:", reply.text), f"{verb} was answered {reply}"


@pytest.mark.parametrize("verb", ["VRFY", "EXPN"], ids=["vrfy", "expn"])
@pytest.mark.parametrize(
    "question", ["nobody@elsewhere.example", "<nobody@elsewhere.example>"], ids=["address", "brackets"]
)
@clause("rfc5321-3.5.3-vrfy-250-only-if-verified")
def test_250_is_not_said_of_what_was_not_verified(server: Server, verb: str, question: str) -> None:
    """An address elsewhere, which the server cannot verify, is not answered with 250."""
    reply = server.greeted().command(f"{verb} {question}")

    assert reply.code != 250, f"{verb} {question} was answered {reply}"


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@clause("rfc5321-3.5.3-vrfy-unverified-codes")
def test_vrfy_says_what_it_cannot_verify(server: Server, question: str) -> None:
    """VRFY of a valid address is answered with what was found, with 252 for cannot tell, or 500 or 502."""
    _, reply = ask(server, question)

    assert reply.code in {250, 251, 252, 500, 502, 550, 551, 553}, f"VRFY was answered {reply}"


@clause("rfc5321-4.1.1.8-help-supported")
def test_help_is_supported(server: Server) -> None:
    """HELP without an argument is answered with 211 or 214."""
    reply = server.greeted().command("HELP")

    assert reply.code in {211, 214}, f"HELP was answered {reply}"
