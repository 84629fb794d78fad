"""Servers: enhanced status codes at the start of replies (RFC 2034, RFC 3463)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import message
from suites.smtp.replies import Reply
from suites.smtp.session import MAIL, SmtpSession
from suites.smtp.subjects import Server

# The words of replies are judged here, which do not depend on how commands are cut.
pytestmark = [role("server"), needs("enhanced-status-codes"), cuts("whole")]

STATUS_CODE = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?= |$)")

GOOD_RCPT = "RCPT TO:<postmaster@lab.example>"

#: What is said before, and the command whose reply is looked at: together all that a session can say in the clear.
SAID = {
    "noop": ([], "NOOP"),
    "rset": ([], "RSET"),
    "vrfy": ([], "VRFY postmaster"),
    "expn": ([], "EXPN staff"),
    "help": ([], "HELP"),
    "quit": ([], "QUIT"),
    "mail": ([], MAIL),
    "mail-too-large": ([], f"{MAIL} SIZE={MAXIMUM_SIZE + 1}"),
    "mail-bad-syntax": ([], "MAIL FROM:<"),
    "mail-bad-parameter": ([], f"{MAIL} XERLE=1"),
    "mail-nested": ([MAIL], MAIL),
    "rcpt": ([MAIL], GOOD_RCPT),
    "rcpt-foreign": ([MAIL], "RCPT TO:<nobody@elsewhere.example>"),
    "rcpt-bad-syntax": ([MAIL], "RCPT TO:<"),
    "rcpt-out-of-order": ([], GOOD_RCPT),
    "data-out-of-order": ([], "DATA"),
    "unknown-command": ([], "XERLE"),
}


def said(session: SmtpSession) -> dict[str, Reply]:
    """The replies to all commands of ``SAID``, one after the other, QUIT last."""
    replies: dict[str, Reply] = {}
    for name, (before, line) in sorted(SAID.items(), key=lambda entry: entry[0] == "quit"):
        for earlier in before:
            session.expect(250, earlier)
        replies[name] = session.command(line)
        if name != "quit":
            session.expect(250, "RSET")
    return replies


def with_code(replies: dict[str, Reply]) -> dict[str, Reply]:
    """Those that are to carry a code."""
    return {name: reply for name, reply in replies.items() if reply.kind in {2, 4, 5}}


@clause("rfc2034-3-keyword-without-parameter")
def test_enhancedstatuscodes_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists ENHANCEDSTATUSCODES and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("ENHANCEDSTATUSCODES") == [], f"EHLO lists {session.extensions}"


@pytest.mark.parametrize("name", SAID)
@clause("rfc2034-4-all-2xx-4xx-5xx-replies")
def test_each_reply_has_a_status_code(server: Server, name: str) -> None:
    """Each 2xx, 4xx and 5xx reply to a command has a status code."""
    session = server.greeted()
    before, line = SAID[name]
    for earlier in before:
        session.expect(250, earlier)

    reply = session.command(line)

    assert reply.enhanced is not None, f"{line} was answered {reply}"


@clause("rfc2034-4-all-2xx-4xx-5xx-replies")
def test_the_reply_to_the_end_of_data_has_a_status_code(server: Server) -> None:
    """The reply to the final dot has a status code."""
    session = server.greeted()

    reply = session.deliver(server.recipient()[1], message())

    assert reply.enhanced is not None, f"the end of the data was answered {reply}"


@needs("starttls")
@clause("rfc2034-4-all-2xx-4xx-5xx-replies")
def test_the_reply_to_starttls_has_a_status_code(server: Server) -> None:
    """The 220 to STARTTLS is no greeting, so it has a status code."""
    session = server.greeted()

    reply = session.expect(220, "STARTTLS")

    assert reply.enhanced is not None, f"STARTTLS was answered {reply}"


@needs("auth-plain")
@clause("rfc2034-4-all-2xx-4xx-5xx-replies")
def test_the_reply_to_auth_has_a_status_code(server: Server) -> None:
    """The 235 to AUTH has a status code."""
    session = server.secure()

    reply = session.auth_plain(server.account.username, server.account.password)

    assert reply.enhanced is not None, f"AUTH was answered {reply}"


@clause("rfc2034-4-all-2xx-4xx-5xx-replies")
def test_greeting_and_ehlo_have_no_status_code(server: Server) -> None:
    """The greeting and the replies to HELO and EHLO, which are excepted, begin with the server's name."""
    session = server.connect()

    replies = [session.greeting, session.ehlo(), session.expect(250, "HELO driver.lab.example")]

    assert not any(STATUS_CODE.match(reply.lines[0]) for reply in replies), f"they are {replies}"


@clause("rfc2034-4-code-starts-the-text")
def test_each_text_starts_with_a_well_formed_code(server: Server) -> None:
    """The text of each line of each reply starts with class, subject and detail."""
    replies = with_code(said(server.greeted()))

    odd = {
        name: str(reply) for name, reply in replies.items() if not all(map(STATUS_CODE.match, reply.lines))
    }

    assert not odd, f"these replies have lines without a status code: {odd}"


@clause("rfc2034-3-code-followed-by-space")
def test_a_space_follows_each_code(server: Server) -> None:
    """The status code is followed by a space in every line."""
    replies = with_code(said(server.greeted()))

    odd = {
        name: str(reply)
        for name, reply in replies.items()
        if re.search(rb"(?m)^\d{3}[ -]\d\.\d{1,3}\.\d{1,3}[^ \d]", reply.octets)
    }

    assert not odd, f"in these replies something else follows the code: {odd}"


@clause("rfc2034-4-class-agrees")
def test_the_class_is_the_first_digit_of_the_reply(server: Server) -> None:
    """The class of each status code is the first digit of the reply code."""
    replies = with_code(said(server.greeted()))

    odd = {
        name: str(reply)
        for name, reply in replies.items()
        if reply.enhanced and reply.enhanced[0] != reply.kind
    }

    assert not odd, f"the classes of these differ from their reply codes: {odd}"


@clause("rfc2034-4-same-code-in-each-line")
def test_all_lines_of_a_reply_have_the_same_code(server: Server) -> None:
    """The lines of one reply carry one status code."""
    replies = with_code(said(server.greeted()))

    codes = {
        name: {found[0] if (found := STATUS_CODE.match(line)) else None for line in reply.lines}
        for name, reply in replies.items()
        if len(reply.lines) > 1
    }

    assert all(len(found) == 1 for found in codes.values()), f"the lines of one reply say {codes}"


@clause("rfc2034-4-none-in-3xx")
def test_354_has_no_status_code(server: Server) -> None:
    """The 354 to DATA carries no status code."""
    session = server.greeted()
    session.mail()
    session.rcpt(server.recipient()[1])

    reply = session.expect(354, "DATA")

    assert not STATUS_CODE.match(reply.lines[0]), f"DATA was answered {reply}"


@clause("rfc2034-4-also-after-helo")
def test_status_codes_are_sent_after_helo_too(server: Server) -> None:
    """A client that said HELO gets status codes as one that said EHLO."""
    session = server.connect()
    session.expect(250, "HELO driver.lab.example")

    replies = with_code(said(session))

    bare = {name: str(reply) for name, reply in replies.items() if reply.enhanced is None}
    assert not bare, f"after HELO these replies have no status code: {bare}"
