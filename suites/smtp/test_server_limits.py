"""Servers: sizes and numbers that every server has to bear (RFC 5321, sections 4.5.3.1 and 4.5.4.2)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.message import DOMAIN, SENDER, message, sized_message
from suites.smtp.replies import Reply
from suites.smtp.session import DRIVER_NAME, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

LOCAL_PART = 64
NAME = 255
PATH = 256
COMMAND_LINE = 512
TEXT_LINE = 1000
MESSAGE = 65536
RECIPIENTS = 100
#: So many recipients a limit is looked for with.
MANY_RECIPIENTS = 1100
#: What a command line is filled up with behind its beginning; white space at the end is to be tolerated
#: (section 4.1.1).
FILLED = {
    "noop": ("NOOP ", "x"),
    "ehlo": (f"EHLO {DRIVER_NAME} ", " "),
    "mail": (f"MAIL FROM:<{SENDER}> ", " "),
    "vrfy": (f"VRFY postmaster@{DOMAIN} ", " "),
}
TEXT_LINES = {
    "letters": b"x" * (TEXT_LINE - 2),
    "leading-dot": b"." + b"x" * (TEXT_LINE - 3),
    "blanks": b" " * (TEXT_LINE - 3) + b"x",
}


def domain_of(size: int) -> str:
    """A domain name of this many octets, in labels of 63 at most."""
    labels = "a" * size
    return "".join(
        "." if index % 60 == 59 and index < size - 1 else sign for index, sign in enumerate(labels)
    )


def padded_local(recipient: str, *, quoted: bool) -> str:
    """The recipient with a local-part filled up to 64 octets, quotes counted."""
    local, _, domain = recipient.partition("@")
    if quoted:
        return f'"{local}{"x" * (LOCAL_PART - len(local) - 2)}"@{domain}'
    return f"{local}{'x' * (LOCAL_PART - len(local))}@{domain}"


# addresses


@needs("delivery")
@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
@clause("rfc5321-4.5.3.1.1-local-part-64")
def test_recipients_of_64_octets_before_the_at_sign(server: Server, *, quoted: bool) -> None:
    """A recipient whose local-part has 64 octets is accepted, and the message arrives for it."""
    token, recipient = server.recipient()
    long = padded_local(recipient, quoted=quoted)

    reply = server.greeted().deliver(long, message())

    assert reply.code == 250, f"the message was answered {reply}"
    # quotes that are not needed say nothing (section 4.1.2)
    stored = {address.replace('"', "") for address in server.recipients(token)}
    assert stored == {long.replace('"', "")}, f"the message for {long} arrived for {stored}"


@needs("delivery")
@clause("rfc5321-4.5.3.1.1-local-part-64")
def test_senders_of_64_octets_before_the_at_sign(server: Server) -> None:
    """A sender whose local-part has 64 octets is accepted, and kept whole."""
    sender = f"{'s' * LOCAL_PART}@{DOMAIN}"
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(), sender=sender)

    assert reply.code == 250, f"the message was answered {reply}"
    kept = server.sender_of(token)
    assert kept == sender, f"the message from {sender} arrived from {kept}"


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
@clause("rfc5321-4.5.3.1.2-domain-255")
def test_domains_of_255_octets(server: Server, verb: str) -> None:
    """A client may give a name of 255 octets."""
    session = server.connect()

    reply = session.command(f"{verb} {domain_of(NAME)}")

    assert reply.code == 250, f"{verb} with a name of {NAME} octets was answered {reply}"
    assert session.command(f"MAIL FROM:<{SENDER}>").code == 250, "MAIL after it was not accepted"


@needs("delivery")
@pytest.mark.parametrize("local", [1, LOCAL_PART], ids=["long-domain", "long-both"])
@clause("rfc5321-4.5.3.1.3-path-256")
def test_paths_of_256_octets(server: Server, local: int) -> None:
    """A sender whose path has 256 octets, brackets counted, is accepted, and kept whole."""
    sender = f"{'s' * local}@{domain_of(PATH - local - 3)}"
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(), sender=sender)

    assert reply.code == 250, f"the message was answered {reply}"
    kept = server.sender_of(token)
    assert kept == sender, f"the message from {sender} arrived from {kept}"


# lines


@pytest.mark.parametrize(("begin", "filler"), FILLED.values(), ids=FILLED)
@clause("rfc5321-4.5.3.1.4-command-line-512")
def test_command_lines_of_512_octets(server: Server, begin: str, filler: str) -> None:
    """A command line of 512 octets is answered as its short form is."""
    session = server.greeted()
    short = session.command(begin + filler)
    session.command("RSET")

    reply = session.command(begin + filler * (COMMAND_LINE - 2 - len(begin)))

    assert reply.code == short.code, f"512 octets of {begin!r} were answered {reply}, a short line {short}"


def assert_one_error(server: Server, line: bytes) -> None:
    """Hold that a line, however long, is one command: it has one reply, and QUIT after it another."""
    session = server.connect(timeout=2.0)
    session.ehlo()

    replies = session.say_all(line + b"\r\n")

    seen = " ".join(map(str, replies))
    assert len(replies) == 2, f"one reply to the line and one to QUIT were due; there came {seen or 'none'}"
    assert replies[0].kind in {2, 5}, f"the line was answered {replies[0]}"
    assert replies[1].code == 221, f"QUIT was answered {replies[1]}"


@pytest.mark.parametrize("size", [600, 1100, 4200], ids=lambda size: f"{size}-octets")
@clause("rfc5321-4.5.3.1.4-command-line-too-long")
def test_long_command_lines_have_one_reply(server: Server, size: int) -> None:
    """A command line above the limit, whatever that is, has one reply, and its rest is no other command."""
    assert_one_error(server, b"NOOP ".ljust(size - 2, b"x"))


# so many octets cost time, and a cut shows nothing that it does not in shorter lines
@cuts("whole")
@clause("rfc5321-4.5.3.1.4-command-line-too-long")
def test_endless_command_lines_have_one_reply(server: Server) -> None:
    """A command line that fills every buffer has one reply, and its rest is no other command."""
    assert_one_error(server, b"NOOP ".ljust(200_000, b"x"))


@needs("delivery")
@pytest.mark.parametrize("line", TEXT_LINES.values(), ids=TEXT_LINES)
@clause("rfc5321-4.5.3.1.6-text-line-1000")
def test_text_lines_of_1000_octets(server: Server, line: bytes) -> None:
    """A text line of 1,000 octets arrives whole; a dot that is doubled on the way is not counted."""
    sent = message(b"before\r\n" + line + b"\r\nafter\r\n")
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, sent)

    assert reply.code == 250, f"the message was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"


# messages


# it is the size that counts, whatever the cut
@cuts("whole")
@needs("delivery")
@clause("rfc5321-4.5.3.1.7-message-64k")
def test_messages_of_64_kib(server: Server) -> None:
    """A message of 65,536 octets is accepted, and arrives whole."""
    sent = sized_message(MESSAGE, line=b"x" * 70)
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, sent)

    assert reply.code == 250, f"the message was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], (
        f"messages of {[len(octets) for octets in arrived]} octets arrived"
    )


@clause("rfc5321-4.5.3.1.7-size-offered")
def test_size_is_offered(server: Server) -> None:
    """A server that was given a limit for messages offers SIZE."""
    session = server.greeted()

    assert "SIZE" in session.extensions, f"EHLO lists {sorted(session.extensions)}"


# 50 kB, whatever the cut
@cuts("whole")
@needs("delivery")
@clause("rfc5321-4.5.3.1.8-header-recipients-not-limited")
def test_any_number_of_recipients_in_the_header(server: Server) -> None:
    """A message to one recipient is accepted though its header section names two thousand."""
    names = b",\r\n ".join(b"<name%d@elsewhere.example>" % number for number in range(2000))
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(headers=b"Cc: " + names + b"\r\n"))

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"


# recipients


# a hundred round trips, and on some servers as many deliveries
@cuts("whole")
@needs("delivery")
@clause("rfc5321-4.5.3.1.8-hundred-recipients")
def test_a_hundred_recipients(server: Server) -> None:
    """A hundred recipients are accepted, and each gets the message."""
    token, _ = server.recipient()
    recipients = [server.host.recipient(f"{token}n{number}") for number in range(RECIPIENTS)]
    session = server.greeted()
    session.mail()

    refused = [reply for name in recipients if (reply := session.command(f"RCPT TO:<{name}>")).code != 250]
    reply = session.data(message())

    assert refused == [], (
        f"{len(refused)} of {RECIPIENTS} recipients were refused, the first with {refused[0]}"
    )
    assert reply.code == 250, f"the message was answered {reply}"
    missing = set(recipients) - server.recipients(token, count=RECIPIENTS)
    assert missing == set(), f"{len(missing)} recipients got nothing"


def name_many(server: Server, session: SmtpSession) -> tuple[str, dict[str, Reply], list[Reply]]:
    """Name more recipients than a server may bear: the first, the last and some between them differ.

    Returns:
        The token that all of them hold, the reply to each of those that differ, and all replies.
    """
    token, again = server.recipient()
    told_apart: dict[str, Reply] = {}
    replies: list[Reply] = []
    session.mail()
    for number in range(MANY_RECIPIENTS):
        distinct = number % 50 == 0 or number == MANY_RECIPIENTS - 1
        recipient = server.host.recipient(f"{token}n{number}") if distinct else again
        replies.append(session.command(f"RCPT TO:<{recipient}>"))
        told_apart[recipient] = told_apart[again] if recipient == again and number > 1 else replies[-1]
    return token, told_apart, replies


# eleven hundred round trips
@cuts("whole")
@needs("delivery")
@clause("rfc5321-4.5.3.1.8-recipient-limit-orderly")
def test_recipients_above_a_limit_do_not_displace_others(server: Server) -> None:
    """However many recipients there are, the message arrives for those accepted, and for no other."""
    session = server.greeted()
    token, told_apart, _ = name_many(server, session)

    reply = session.data(message())

    accepted = {recipient for recipient, answer in told_apart.items() if answer.kind == 2}
    # a site may refuse a message for so many (section 4.5.3.1.10)
    assert reply.code in {250, 452, 503, 550, 552, 554}, f"the message was answered {reply}"
    if reply.code == 250:
        stored = server.recipients(token, count=len(accepted))
        assert stored == accepted, (
            f"accepted and without mail: {accepted - stored}; refused: {stored - accepted}"
        )


# eleven hundred round trips
@cuts("whole")
@clause("rfc5321-4.5.3.1.10-recipient-limit-452")
def test_recipients_above_a_limit_are_refused_with_452(server: Server) -> None:
    """A server that can hold no more recipients answers 452; 5yz is a site's policy."""
    _, _, replies = name_many(server, server.greeted())

    wrong = [reply for reply in replies if reply.code not in {250, 452} and reply.kind != 5]
    assert wrong == [], f"{len(wrong)} recipients were refused with another code, the first with {wrong[0]}"


# sessions


@needs("delivery")
@clause("rfc5321-4.5.4.2-several-sessions-at-once")
def test_several_sessions_at_once(server: Server) -> None:
    """While one client is within its data, others are served."""
    busy = server.greeted()
    token, recipient = server.recipient()
    busy.mail()
    busy.rcpt(recipient)
    busy.expect(354, "DATA")
    busy.send(b"Subject: slow\r\n")

    others = [server.recipient() for _ in range(2)]
    sessions = [server.greeted() for _ in others]
    replies = [session.deliver(name, message()) for session, (_, name) in zip(sessions, others, strict=True)]
    busy.send(b"\r\nat last\r\n.\r\n")

    codes = [reply.code for reply in [*replies, busy.reply()]]
    assert codes == [250, 250, 250], f"the messages were answered {codes}"
    arrived = [len(server.arrived(word)) for word in [token, *(other for other, _ in others)]]
    assert arrived == [1, 1, 1], f"{arrived} messages arrived"
