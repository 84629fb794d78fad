"""Servers: SIZE, declared and real sizes of messages (RFC 1870)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import SENDER, sized_message
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("size")]

#: A command line may have 512 octets (RFC 5321, section 4.5.3.1.4), and with SIZE 26 more.
LINE_LIMIT = 512
SIZE_PARAMETER = " SIZE=00000000000000000042"

TOO_LARGE = {"one-over": f"SIZE={MAXIMUM_SIZE + 1}", "twenty-digits": "SIZE=99999999999999999999"}


@clause("rfc1870-3-keyword-syntax")
def test_size_is_listed_once_with_a_number_or_none(server: Server) -> None:
    """EHLO lists SIZE once, alone or with the limit as a decimal number."""
    session = server.connect()
    lines = [line for line in session.ehlo().lines[1:] if line.upper().split(" ")[0] == "SIZE"]

    assert len(lines) == 1, f"SIZE is listed {len(lines)} times: {lines}"
    parameter = lines[0][4:]
    assert parameter in {"", " 0", f" {MAXIMUM_SIZE}"}, f"a limit of {MAXIMUM_SIZE} is listed as {lines[0]!r}"


@clause("rfc1870-3-mail-line-26-longer")
def test_the_size_parameter_makes_mail_26_longer(server: Server) -> None:
    """MAIL as long as a line may be, with SIZE in 26 octets more, is not too long."""
    session = server.greeted()
    line = f"MAIL FROM:<{SENDER}>{SIZE_PARAMETER}"
    # no path fills a line (section 4.5.3.1.3 ends them at 256), so white space at the end does (section 4.1.1)
    padded = line.ljust(LINE_LIMIT + len(SIZE_PARAMETER) - 2)

    reply = session.command(padded)

    assert reply.code != 500, f"MAIL of {len(padded) + 2} octets was answered {reply}"
    session.expect(250, "RSET")
    session.expect(250, line)


@pytest.mark.parametrize("parameter", TOO_LARGE.values(), ids=TOO_LARGE)
@clause("rfc1870-7-declared-too-large-552", "rfc1870-6.1-declared-size-checked")
def test_a_declared_size_over_the_limit_gets_552(server: Server, parameter: str) -> None:
    """MAIL that declares more than the limit gets 552."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<{SENDER}> {parameter}")

    assert reply.code == 552, f"MAIL with {parameter} was answered {reply}"


@pytest.mark.parametrize("size", [0, 1000, MAXIMUM_SIZE], ids=["nothing", "little", "limit"])
@clause("rfc1870-7-declared-too-large-552", "rfc1870-6.1-declared-size-checked")
def test_a_declared_size_within_the_limit_is_taken(server: Server, size: int) -> None:
    """MAIL that declares no more than the limit gets 250."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<{SENDER}> SIZE={size}")

    assert reply.code == 250, f"MAIL with SIZE={size} was answered {reply}"


@needs("delivery")
@cuts("whole")  # 20 MB: cutting costs time and the size stays the same
@clause("rfc1870-4-too-large-message-552")
def test_a_message_over_the_limit_gets_552(server: Server) -> None:
    """A message over the limit, its size not declared, gets 552 at its end and is not stored."""
    token, recipient = server.recipient()
    session = server.greeted()

    reply = session.deliver(recipient, sized_message(MAXIMUM_SIZE + 1000, line=b"x" * 990))

    assert reply.code == 552, f"a message of {MAXIMUM_SIZE + 1000} octets was answered {reply}"
    assert session.usable(), "the session did not go on"
    assert not server.stored_after_all(token), "a message over the limit was stored"


@needs("delivery")
@cuts("whole")  # 20 MB, as above
@clause("rfc1870-4-limit-is-accepted")
def test_a_message_as_large_as_the_limit_is_taken(server: Server) -> None:
    """A message of exactly the limit is accepted and stored whole."""
    token, recipient = server.recipient()
    sent = sized_message(MAXIMUM_SIZE, line=b"x" * 990)
    session = server.connect(timeout=20.0)
    session.ehlo()

    reply = session.deliver(recipient, sent)

    assert reply.code == 250, f"a message of {MAXIMUM_SIZE} octets was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], (
        f"messages of {[len(octets) for octets in arrived]} octets arrived"
    )


@cuts("whole")  # 20 MB, as above
@clause("rfc1870-6.3-no-552-after-promise")
def test_a_promised_size_is_taken_though_dots_are_doubled(server: Server) -> None:
    """A message of the declared size, under the limit, is accepted; doubled dots are not counted."""
    _, recipient = server.recipient()
    size = MAXIMUM_SIZE - 1000
    sent = sized_message(size, line=b"." + b"x" * 70)
    session = server.connect(timeout=20.0)
    session.ehlo()

    reply = session.deliver(recipient, sent, f"SIZE={size}")

    assert reply.code == 250, f"a message of {size} octets, as declared, was answered {reply}"


@needs("delivery")
@pytest.mark.parametrize(
    ("declared", "length"), [(10, 2000), (5000, 300)], ids=["more-than-declared", "less-than-declared"]
)
@clause("rfc1870-6-not-end-of-content")
def test_the_declared_size_does_not_end_the_message(server: Server, declared: int, length: int) -> None:
    """The dot ends the message, whatever was declared: all of it is stored, or it is refused whole."""
    token, recipient = server.recipient()
    sent = sized_message(length, line=b"x" * 70)
    session = server.greeted()

    reply = session.deliver(recipient, sent, f"SIZE={declared}")

    assert reply.code in {250, 552} if length > declared else reply.code == 250, f"it was answered {reply}"
    assert session.usable(), "the session did not go on"
    if reply.code == 250:
        (arrived,) = server.arrived(token)
        assert arrived.endswith(sent), f"of {length} octets {len(arrived)} arrived: {arrived!r}"
