"""Servers: CRLF and nothing else ends a line (RFC 5321, sections 2.3.8 and 4.1.1.4).

Where one server takes another sequence for a line end, a message can hold a second one: SMTP smuggling.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.message import message
from suites.smtp.replies import Reply
from suites.smtp.subjects import Server

pytestmark = role("server")

#: Octets amid the data that look like its end to a careless reader.
FALSE_ENDS = {
    "lf-dot-crlf": b"\n.\r\n",
    "crlf-dot-lf": b"\r\n.\n",
    "cr-dot-cr": b"\r.\r",
    "cr-dot-lf": b"\r.\n",
    "lf-dot-cr": b"\n.\r",
    "cr-dot-crlf": b"\r.\r\n",
    "crlf-dot-cr": b"\r\n.\r",
    "cr-crlf-dot-cr-crlf": b"\r\r\n.\r\r\n",
    "lf-cr-dot-lf-cr": b"\n\r.\n\r",
    "nul-before-dot": b"\r\n\0.\r\n",
    "nul-after-dot": b"\r\n.\0\r\n",
    "space-after-dot": b"\r\n. \r\n",
    "two-dots": b"\r\n..\r\n",
}
FIRST_COMMANDS = {
    "noop": (b"NOOP", b"NOOP"),
    "mail": (b"MAIL FROM:<sender@lab.example>", b"RCPT TO:<recipient@lab.example>"),
    "unknown": (b"FROB", b"MAIL FROM:<sender@lab.example>"),
}
#: Arguments that a server may echo, and must not echo as they are.
ECHOES = {
    "mail": b"MAIL FROM:<sen\rder@lab.example>",
    "verb": b"FR\nOB",
    "vrfy": b"VRFY us\rer",
    "help": b"HELP us\ner",
    "ehlo": b"EHLO driver\r.lab.example",
}


def smuggle(server: Server, false_end: bytes) -> tuple[str, str, list[Reply]]:
    """Send a message in whose text a false end is followed by a transaction.

    Returns:
        The tokens of the message's recipient and of the inner one, and all replies after the 354: to the end
        of the data and to QUIT.
    """
    token, recipient = server.recipient()
    inner, inner_recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)
    session.expect(354, "DATA")
    text = (
        b"MAIL FROM:<sender@lab.example>\r\n"
        + f"RCPT TO:<{inner_recipient}>\r\n".encode()
        + b"DATA\r\nSubject: smuggled\r\n\r\nlast words\r\n"
    )
    return token, inner, session.say_all(message(b"before" + false_end + text) + b".\r\n")


def assert_one_message(server: Server, token: str, inner: str, replies: list[Reply]) -> None:
    """Hold that the data was one message to its true end, or was refused whole."""
    seen = " ".join(map(str, replies))
    assert 1 <= len(replies) <= 2, f"one reply to the data and one to QUIT were due; there came {seen}"
    if replies[0].kind == 2:
        arrived = server.arrived(token)
        assert [b"last words" in octets for octets in arrived] == [True], f"what arrived: {arrived}"
    stored = server.stored_after_all(inner)
    assert stored == [], f"text of the message became a message of its own: {stored}"


@needs("delivery")
@pytest.mark.parametrize("false_end", FALSE_ENDS.values(), ids=FALSE_ENDS)
@clause("rfc5321-2.3.8-only-crlf-dot-crlf-ends-data")
def test_only_crlf_dot_crlf_ends_the_data(server: Server, false_end: bytes) -> None:
    """No mixture of bare CR, bare LF and dot ends the data: a message cannot hold another one."""
    token, inner, replies = smuggle(server, false_end)

    assert_one_message(server, token, inner, replies)


@needs("delivery")
@clause("rfc5321-4.1.1.4-lf-dot-lf-not-end", "rfc5321-2.3.8-only-crlf-dot-crlf-ends-data")
def test_lf_dot_lf_does_not_end_the_data(server: Server) -> None:
    """LF.LF is no end of the data."""
    token, inner, replies = smuggle(server, b"\n.\n")

    assert_one_message(server, token, inner, replies)


@needs("delivery")
@pytest.mark.parametrize("dots", [b".", b".."], ids=["one-dot", "two-dots"])
@clause("rfc5321-4.1.1.4-lf-ends-no-data-line")
def test_a_dot_after_a_bare_lf_begins_no_line(server: Server, dots: bytes) -> None:
    """After a bare LF no line begins: a dot there is text, and is not taken away."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    reply = session.raw_data(message(b"before\n" + dots + b"after\r\n") + b".\r\n")

    assert reply.kind in {2, 4, 5}, f"the data was answered {reply}"
    if reply.kind == 2:
        arrived = server.arrived(token)
        assert len(arrived) == 1, f"{len(arrived)} messages arrived"
        # what a mailbox makes of the bare LF is its own business; the dots are seen through it
        kept = arrived[0].replace(b"\r\n", b"\n").partition(b"before\n")[2]
        assert kept == dots + b"after\n", f"after the bare LF, {dots + b'after'!r} became {kept!r}"


def assert_one_line(server: Server, line: bytes) -> None:
    """Hold that octets with one CRLF, at their end, are one line to the server: one reply to it and one to QUIT."""
    replies = server.greeted().say_all(line + b"\r\n")

    seen = " ".join(map(str, replies))
    assert 1 <= len(replies) <= 2, f"one reply to {line!r} and one to QUIT were due; there came {seen}"
    if len(replies) == 2:
        assert replies[1].code == 221, f"QUIT was answered {replies[1]}"


@pytest.mark.parametrize("bare", [b"\n", b"\n\r"], ids=["lf", "lf-cr"])
@pytest.mark.parametrize(("first", "second"), FIRST_COMMANDS.values(), ids=FIRST_COMMANDS)
@clause("rfc5321-2.3.8-bare-lf-ends-no-command")
def test_a_bare_lf_ends_no_command(server: Server, bare: bytes, first: bytes, second: bytes) -> None:
    """What stands on both sides of a bare LF is one line, and gets one reply."""
    assert_one_line(server, first + bare + second)


@pytest.mark.parametrize("bare", [b"\r", b"\r\r"], ids=["cr", "cr-cr"])
@pytest.mark.parametrize(("first", "second"), FIRST_COMMANDS.values(), ids=FIRST_COMMANDS)
@clause("rfc5321-2.3.8-bare-cr-ends-no-command")
def test_a_bare_cr_ends_no_command(server: Server, bare: bytes, first: bytes, second: bytes) -> None:
    """What stands on both sides of a bare CR is one line, and gets one reply."""
    assert_one_line(server, first + bare + second)


# silence can only be waited for, and pieces smaller than these show nothing more
@cuts("whole")
@pytest.mark.parametrize(
    "begun", [b"NOOP", b"NOOP\r", b"NOOP\n"], ids=["no-line-end", "cr-alone", "lf-alone"]
)
@clause("rfc5321-2.4-no-action-before-crlf")
def test_nothing_is_answered_before_the_crlf(server: Server, begun: bytes) -> None:
    """A command without its CRLF is not acted on."""
    session = server.greeted()

    session.send(begun)

    early = session.stream.receive_what_comes(0.1)
    assert early == b"", f"{begun!r} was answered {early!r}"
    session.send(b"\n" if begun.endswith(b"\r") else b"\r\n")
    reply = session.reply()
    assert reply.kind in {2, 5}, f"the whole line was answered {reply}"


@pytest.mark.parametrize("line", ECHOES.values(), ids=ECHOES)
@clause("rfc5321-2.3.8-replies-end-in-crlf")
def test_replies_hold_no_bare_line_end(server: Server, line: bytes) -> None:
    """Each line of a reply ends in CRLF and holds no other CR or LF, not even one that the client sent."""
    session = server.greeted()

    session.say_all(line + b"\r\n")

    said = session.stream.transcript.octets("server")
    rest = said.replace(b"\r\n", b"")
    assert said.endswith(b"\r\n"), f"the server's last octets were {said[-80:]!r}"
    assert b"\r" not in rest, f"a CR without LF is in {said!r}"
    assert b"\n" not in rest, f"an LF without CR is in {said!r}"
