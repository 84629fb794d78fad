"""Servers: groups of commands in one segment, and when their replies go out (RFC 2920)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.message import message, stuff
from suites.smtp.session import DRIVER_NAME, MAIL, SmtpSession
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("pipelining")]

FOREIGN_RCPT = "RCPT TO:<nobody@elsewhere.example>"

#: Commands that end a group because their effect on the dialogue is not known (section 3.1).
GROUP_ENDERS = {
    "noop": "NOOP",
    "ehlo": f"EHLO {DRIVER_NAME}",
    "vrfy": "VRFY postmaster",
    "expn": "EXPN staff",
}


def group(*lines: str) -> bytes:
    """The lines as one piece to send."""
    return b"".join(line.encode() + b"\r\n" for line in lines)


def codes_of(session: SmtpSession, *lines: str) -> list[int]:
    """Send the lines as one group; the codes of as many replies."""
    session.send(group(*lines))
    return [reply.code for reply in session.replies(len(lines))]


@clause("rfc2920-2-keyword-without-parameter")
def test_pipelining_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists PIPELINING and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("PIPELINING") == [], f"EHLO lists {session.extensions}"


@clause("rfc2920-3.2-replies-in-order")
def test_replies_come_in_the_order_of_the_commands(server: Server) -> None:
    """A group of good and bad commands is answered one by one, in order."""
    _, recipient = server.recipient()
    session = server.greeted()

    codes = codes_of(session, MAIL, f"RCPT TO:<{recipient}>", FOREIGN_RCPT, "RSET", "XERLE", "NOOP")

    kinds = [code // 100 for code in codes]
    assert kinds == [2, 2, 5, 2, 5, 2], f"good, good, bad, good, bad and good were answered {codes}"


@pytest.mark.parametrize("refused_first", [True, False], ids=["refused-first", "refused-last"])
@clause("rfc2920-3.2-data-only-with-recipients")
def test_one_accepted_recipient_is_enough_for_data(server: Server, *, refused_first: bool) -> None:
    """DATA in a group with one accepted recipient gets 354, whichever recipient was refused."""
    _, recipient = server.recipient()
    session = server.greeted()
    rcpts = [FOREIGN_RCPT, f"RCPT TO:<{recipient}>"]

    codes = codes_of(session, MAIL, *(rcpts if refused_first else rcpts[::-1]), "DATA")

    assert codes[3] == 354, f"MAIL, two RCPTs and DATA were answered {codes}"


@clause("rfc2920-3.2-data-only-with-recipients")
def test_data_without_an_accepted_recipient_is_refused(server: Server) -> None:
    """DATA in a group whose recipients were all refused gets no 354."""
    session = server.greeted()

    codes = codes_of(session, MAIL, FOREIGN_RCPT, FOREIGN_RCPT, "DATA")

    assert codes[3] // 100 == 5, f"MAIL, two foreign RCPTs and DATA were answered {codes}"


@needs("delivery")
@clause("rfc2920-3.2-empty-message-not-sent")
def test_an_empty_message_to_nobody_is_not_sent(server: Server) -> None:
    """Where DATA is accepted without recipients, the empty message that follows is not stored or accepted."""
    token, recipient = server.recipient()
    session = server.greeted()

    codes = codes_of(session, f"MAIL FROM:<{recipient}>", FOREIGN_RCPT, "DATA")
    if codes[2] == 354:
        end = session.command(".")
        assert end.kind == 5, f"an empty message to nobody was answered {end}"

    assert session.usable(), f"the session did not go on after {codes}"
    assert not server.stored_after_all(token), "something was sent to the sender"


@pytest.mark.parametrize("ender", GROUP_ENDERS.values(), ids=GROUP_ENDERS)
@clause("rfc2920-3.2-no-buffering-of-group-enders")
def test_replies_to_group_enders_go_out_at_once(server: Server, ender: str) -> None:
    """The reply comes while the next command has not come whole."""
    session = server.greeted()

    session.send(ender.encode() + b"\r\nRSE")
    reply = session.reply()
    session.send(b"T\r\n")

    assert reply.code != 0, f"{ender} was answered {reply}"
    assert session.reply().code == 250, "the command that came in two parts was not understood"


@clause("rfc2920-3.2-no-buffering-of-group-enders")
def test_the_reply_to_data_goes_out_at_once(server: Server) -> None:
    """The 354 comes at the end of a group, before a single octet of the message."""
    _, recipient = server.recipient()
    session = server.greeted()

    codes = codes_of(session, MAIL, f"RCPT TO:<{recipient}>", "DATA")

    assert codes == [250, 250, 354], f"MAIL, RCPT and DATA were answered {codes}"


@clause("rfc2920-3.2-no-buffering-of-group-enders")
def test_the_reply_to_quit_goes_out_at_once(server: Server) -> None:
    """QUIT at the end of a group is answered though the client says no more."""
    session = server.greeted()

    codes = codes_of(session, MAIL, "RSET", "QUIT")

    assert codes == [250, 250, 221], f"MAIL, RSET and QUIT were answered {codes}"


@clause("rfc2920-3.2-no-buffering-of-unknown-commands")
def test_replies_to_unknown_commands_go_out_at_once(server: Server) -> None:
    """The refusal of a command that the server does not know comes while the next has not come whole."""
    session = server.greeted()

    session.send(b"XERLE\r\nRSE")
    reply = session.reply()
    session.send(b"T\r\n")

    assert reply.code in {500, 502}, f"XERLE was answered {reply}"
    assert session.reply().code == 250, "the command that came in two parts was not understood"


@clause("rfc2920-3.2-replies-flushed-when-idle")
def test_held_replies_go_out_when_there_is_nothing_to_read(server: Server) -> None:
    """A group that ends with a recipient is answered whole though nothing follows it."""
    _, recipient = server.recipient()
    session = server.greeted()

    codes = codes_of(session, MAIL, f"RCPT TO:<{recipient}>", f"RCPT TO:<{recipient}>")

    assert codes == [250, 250, 250], f"MAIL and two RCPTs were answered {codes}"
    assert codes_of(session, "RSET") == [250], "RSET alone was not answered with 250"


@clause("rfc2920-3.2-no-assumptions-on-next-command")
def test_groups_may_take_unusual_turns(server: Server) -> None:
    """Transactions given up and begun anew within one group get the replies that each command deserves."""
    _, recipient = server.recipient()
    rcpt = f"RCPT TO:<{recipient}>"
    session = server.greeted()

    codes = codes_of(session, MAIL, "RSET", MAIL, rcpt, MAIL, "RSET", rcpt, "DATA")

    kinds = [code // 100 for code in codes]
    assert kinds == [2, 2, 2, 2, 5, 2, 5, 5], (
        f"MAIL RSET MAIL RCPT, MAIL again, RSET, RCPT and DATA without MAIL were answered {codes}"
    )


@needs("delivery")
@clause("rfc2920-3.2-no-assumptions-on-next-command")
def test_a_group_may_end_with_quit_instead_of_data(server: Server) -> None:
    """QUIT after MAIL and RCPT is answered as QUIT, and no message comes of the transaction."""
    token, recipient = server.recipient()
    session = server.greeted()

    codes = codes_of(session, MAIL, f"RCPT TO:<{recipient}>", "QUIT")

    assert codes == [250, 250, 221], f"MAIL, RCPT and QUIT were answered {codes}"
    assert not server.stored_after_all(token), "a message was stored though none was sent"


@needs("delivery")
@clause("rfc2920-3.2-input-never-lost")
def test_nothing_is_lost_behind_commands_that_fail(server: Server) -> None:
    """What follows refused commands in the same segment is still read, to the message and QUIT."""
    token, recipient = server.recipient()
    rcpt = f"RCPT TO:<{recipient}>"
    sent = message(b"behind failures\r\n")
    session = server.greeted()

    codes = codes_of(session, "MAIL FROM:<", rcpt, "XERLE", "RSET", MAIL, rcpt, "DATA")
    session.send(stuff(sent) + group("QUIT"))
    last = [reply.code for reply in session.replies(2)]

    assert codes[3:] == [250, 250, 250, 354], f"the commands behind three bad ones were answered {codes}"
    assert [code // 100 for code in codes[:3]] == [5, 5, 5], f"the bad commands were answered {codes}"
    assert last == [250, 221], f"the end of the data and QUIT were answered {last}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(sent), f"what arrived: {arrived!r}"


@needs("delivery")
@clause("rfc2920-3.1-message-and-next-group")
def test_the_next_group_may_follow_the_message(server: Server) -> None:
    """The dot of one message and the next transaction's MAIL, RCPT and DATA may share a segment."""
    token, recipient = server.recipient()
    opening = [MAIL, f"RCPT TO:<{recipient}>", "DATA"]
    first, second = message(b"first\r\n"), message(b"second\r\n")
    session = server.greeted()

    opened = codes_of(session, *opening)
    session.send(stuff(first) + group(*opening))
    between = [reply.code for reply in session.replies(4)]
    session.send(stuff(second))
    last = session.reply()

    assert opened == [250, 250, 354], f"MAIL, RCPT and DATA were answered {opened}"
    assert between == [250, 250, 250, 354], f"the end of the data and the next group were answered {between}"
    assert last.code == 250, f"the end of the second message was answered {last}"
    endings = sorted(octets[-10:] for octets in server.arrived(token, count=2))
    assert endings == sorted([first[-10:], second[-10:]]), f"the messages that arrived end with {endings}"


@cuts("whole")  # about the words of replies; cuts change nothing about them
@clause("rfc2920-3.2-text-tells-command")
def test_texts_tell_which_command_they_answer(server: Server) -> None:
    """The texts of replies to MAIL, RCPT and RSET differ, so that a reader can tell them."""
    _, recipient = server.recipient()
    session = server.greeted()

    session.send(group(MAIL, f"RCPT TO:<{recipient}>", "RSET"))
    texts = [reply.text for reply in session.replies(3)]

    assert len(set(texts)) == len(texts), f"MAIL, RCPT and RSET were answered {texts}"
