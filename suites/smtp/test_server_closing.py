"""Servers: QUIT, connections that break, and errors that must not close one (RFC 5321, sections 3.8 and 4.1.1.10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import RecordedStream
from suites.smtp.message import message
from suites.smtp.replies import split_replies
from suites.smtp.subjects import Server

pytestmark = role("server")

#: Commands said before the one of the case; ``{}`` stands for a recipient of ours.
SITUATIONS = {
    "before-ehlo": [],
    "after-ehlo": ["EHLO driver.lab.example"],
    "in-a-transaction": ["EHLO driver.lab.example", "MAIL FROM:<sender@lab.example>", "RCPT TO:<{}>"],
}
#: Five commands of one kind that cannot be answered well: too few to be taken for an attack (section 7.8).
ERRORS = {
    "unknown": ["FROB", "XYZZY", "PLUGH 1", "FROB", "QUUX one two"],
    "syntax": ["MAIL", "MAIL FROM", "MAIL FROM:", "RCPT", "RCPT TO:"],
    "order": ["DATA", "RCPT TO:<recipient@lab.example>", "DATA", "RCPT TO:<recipient@lab.example>", "DATA"],
}
REFUSALS = {
    "sender": ["MAIL FROM:<no@way@lab.example>"],
    "recipient": ["MAIL FROM:<sender@lab.example>", "RCPT TO:<user@elsewhere.example>"],
    "data": ["MAIL FROM:<sender@lab.example>", "DATA"],
    "ehlo": ["EHLO"],
}


def leave(stream: RecordedStream) -> None:
    """Close the connection and wait until the server has, as far as it does soon."""
    stream.half_close()
    stream.receive_what_comes(0.5)


def vanish(stream: RecordedStream) -> None:
    """Reset the connection."""
    stream.reset()


ENDS = {"fin": leave, "rst": vanish}
End = Callable[[RecordedStream], None]


@pytest.mark.parametrize("commands", SITUATIONS.values(), ids=SITUATIONS)
@clause("rfc5321-4.1.1.10-quit-221-and-close")
def test_quit_is_answered_and_the_connection_closed(server: Server, commands: list[str]) -> None:
    """QUIT is answered with 221 at any time, and then the server closes the connection."""
    _, recipient = server.recipient()
    session = server.connect()
    for command in commands:
        session.expect(250, command.format(recipient))

    reply = session.quit()

    assert reply.code == 221, f"QUIT was answered {reply}"
    rest = session.stream.receive_to_end()
    assert rest == b"", f"after the reply to QUIT came {rest!r}"


@pytest.mark.parametrize("commands", REFUSALS.values(), ids=REFUSALS)
@clause("rfc5321-4.1.1.10-no-close-before-quit")
def test_a_refusal_does_not_close_the_connection(server: Server, commands: list[str]) -> None:
    """After a refusal the server waits for QUIT."""
    session = server.greeted()

    for command in commands:
        session.command(command)

    assert session.usable(), "the session was not usable after a refusal"
    assert session.quit().code == 221, "QUIT was not answered with 221"


@pytest.mark.parametrize("commands", ERRORS.values(), ids=ERRORS)
@clause("rfc5321-3.8-connection-kept-on-errors")
def test_errors_do_not_close_the_connection(server: Server, commands: list[str]) -> None:
    """Five commands in error are answered with 5yz each, and the session goes on."""
    session = server.greeted()

    replies = [session.command(command) for command in commands]

    kinds = [reply.kind for reply in replies]
    assert kinds == [5] * len(commands), f"the commands were answered {' '.join(map(str, replies))}"
    assert session.usable(), "the session was not usable after errors"


# a process of its own is started for it, and the way a stream is cut has no part in it
@cuts("whole")
@clause("rfc5321-3.8-421-at-shutdown")
def test_shutdown_is_announced(server: Server) -> None:
    """A server that is shut down says 421 to the clients it leaves."""
    twin = server.twin()
    session = server.connect(to=twin)
    session.ehlo()

    twin.stop()

    said = split_replies(session.stream.receive_to_end())
    assert [reply.code for reply in said] == [421], (
        f"the server's last words were {' '.join(map(str, said)) or 'none'}"
    )


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("commands", SITUATIONS.values(), ids=SITUATIONS)
@clause("rfc5321-4.1.1.5-lost-client-like-quit")
def test_a_lost_client_does_no_harm(server: Server, commands: list[str], end: End) -> None:
    """When a client disappears the server goes on, as after QUIT."""
    token, recipient = server.recipient()
    session = server.connect()
    for command in commands:
        session.expect(250, command.format(recipient))

    end(session.stream)

    reply = server.greeted().deliver(recipient, message())
    assert reply.code == 250, f"afterwards a plain message was answered {reply}"
    if "delivery" in server.host.features:
        assert len(server.arrived(token)) == 1, "afterwards a plain message did not arrive"


@needs("delivery")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize(
    "cut_off",
    [b"Subject: cut\r\n\r\nhalf a li", b"Subject: cut\r\n\r\na line\r\n", b"Subject: cut\r\n\r\na line\r\n."],
    ids=["in-a-line", "after-a-line", "after-the-dot"],
)
@clause("rfc5321-4.1.1.10-premature-close-cancels")
def test_a_message_cut_off_is_not_delivered(server: Server, cut_off: bytes, end: End) -> None:
    """A connection that ends within the data cancels the transaction."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)
    session.expect(354, "DATA")
    session.send(cut_off)

    end(session.stream)

    stored = server.stored_after_all(token)
    assert stored == [], f"half a message was delivered: {stored}"


@needs("delivery")
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@clause("rfc5321-4.1.1.10-premature-close-keeps-completed")
def test_a_completed_message_outlives_the_connection(server: Server, end: End) -> None:
    """A connection that breaks off in the second transaction does not undo the first."""
    first, first_recipient = server.recipient()
    _, second_recipient = server.recipient()
    session = server.greeted()
    done = session.deliver(first_recipient, message())
    session.mail()
    session.rcpt(second_recipient)
    session.expect(354, "DATA")
    session.send(b"Subject: cut\r\n")

    end(session.stream)

    assert done.code == 250, f"the first message was answered {done}"
    assert len(server.arrived(first)) == 1, "the first message, answered 250, did not arrive"


@needs("delivery")
@clause("rfc5321-4.1.1.10-quit-aborts-transaction")
def test_quit_drops_the_transaction(server: Server) -> None:
    """QUIT before DATA ends the transaction; nothing is delivered."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    reply = session.quit()

    assert reply.code == 221, f"QUIT was answered {reply}"
    assert session.closed_by_server(), "the server did not close the connection"
    stored = server.stored_after_all(token)
    assert stored == [], f"something was delivered: {stored}"


@clause("rfc5321-4.1.1.5-rset-keeps-connection")
def test_rset_keeps_the_connection(server: Server) -> None:
    """RSET, however often it is said, does not close the connection."""
    session = server.greeted()

    codes = [session.command("RSET").code for _ in range(5)]

    assert codes == [250] * 5, f"RSET was answered {codes}"
    assert session.usable(), "the session was not usable after RSET"
