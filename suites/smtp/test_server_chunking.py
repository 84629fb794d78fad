"""Servers: BDAT in place of DATA, and binary content (RFC 3030)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.message import SENDER, message
from suites.smtp.replies import Reply
from suites.smtp.session import SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

DOTTED = message(b"first\r\n.\r\n..two\r\nlast\r\n")
#: Where a chunk ends, by the octets that come next in ``DOTTED``.
BORDERS = {
    "inside-a-line": DOTTED.index(b"rst\r\n."),
    "inside-crlf": DOTTED.index(b"\n.\r\n"),
    "before-a-lone-dot": DOTTED.index(b".\r\n..two"),
    "after-a-lone-dot": DOTTED.index(b"..two"),
}

ALL_OCTETS = bytes(range(256))
BINARY = message(
    ALL_OCTETS + b"\r\rbare\nends\0without a line end",
    headers=(
        b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: binary\r\n"
    ),
)
#: As much as thirty octets of a chunk can look like commands.
LIKE_COMMANDS = b"NOOP\r\nXERLE\r\nQUIT\r\nXERLE\r\n".ljust(30, b"\n")


def bdat(chunk: bytes, *, last: bool = False) -> bytes:
    """BDAT with its chunk, as octets to send."""
    return b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if last else b"") + chunk


def begun(server: Server) -> tuple[SmtpSession, str]:
    """A session in a transaction with one recipient, and the token of that."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)
    return session, token


def codes_of(session: SmtpSession, octets: bytes, *, count: int) -> list[int]:
    """The codes of the replies to what is sent in one piece."""
    session.send(octets)
    return [reply.code for reply in session.replies(count)]


@needs("chunking")
@clause("rfc3030-2-keyword-without-parameter")
def test_chunking_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists CHUNKING and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("CHUNKING") == [], f"EHLO lists {session.extensions}"


@needs("chunking", "delivery")
@pytest.mark.parametrize("border", BORDERS.values(), ids=BORDERS)
@clause("rfc3030-2-chunks-joined")
def test_chunks_are_joined_without_a_trace(server: Server, border: int) -> None:
    """The message is what the chunks hold, wherever their border falls, dots included."""
    session, token = begun(server)

    codes = codes_of(session, bdat(DOTTED[:border]) + bdat(DOTTED[border:], last=True), count=2)

    assert codes == [250, 250], f"the two chunks were answered {codes}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(DOTTED), f"what arrived: {arrived!r}"


@needs("chunking", "delivery")
@pytest.mark.parametrize("bdat_first", [True, False], ids=["bdat-then-data", "data-then-bdat"])
@clause("rfc3030-2-data-still-works")
def test_data_and_bdat_serve_in_one_session(server: Server, *, bdat_first: bool) -> None:
    """One message by BDAT and one by DATA are taken in either order."""
    token, recipient = server.recipient()
    session = server.greeted()

    codes = []
    for by_bdat in (bdat_first, not bdat_first):
        session.mail()
        session.rcpt(recipient)
        if by_bdat:
            codes += codes_of(session, bdat(message(), last=True), count=1)
        else:
            codes.append(session.data(message()).code)

    assert codes == [250, 250], f"the two messages were answered {codes}"
    assert len(server.arrived(token, count=2)) == 2, "not both messages arrived"


@needs("chunking", "delivery")
@clause("rfc3030-2-zero-length-last")
def test_the_last_chunk_may_be_empty(server: Server) -> None:
    """BDAT 0 LAST ends the message."""
    session, token = begun(server)

    codes = codes_of(session, bdat(DOTTED) + bdat(b"", last=True), count=2)

    assert codes == [250, 250], f"a chunk and BDAT 0 LAST were answered {codes}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(DOTTED), f"what arrived: {arrived!r}"


@needs("chunking")
@clause("rfc3030-2-each-chunk-250")
def test_each_chunk_gets_250(server: Server) -> None:
    """Chunks sent one at a time are each answered with 250."""
    session, _ = begun(server)
    parts = [DOTTED[:50], DOTTED[50:60], DOTTED[60:]]

    codes = [code for part in parts for code in codes_of(session, bdat(part), count=1)]
    last = codes_of(session, bdat(b"", last=True), count=1)

    assert codes + last == [250] * 4, f"three chunks and the last were answered {codes + last}"


@needs("chunking")
@clause("rfc3030-2-bdat-after-last-503")
def test_bdat_after_the_last_chunk_gets_503(server: Server) -> None:
    """A chunk that follows the last one is read and gets 503."""
    session, _ = begun(server)

    codes = codes_of(session, bdat(DOTTED, last=True) + bdat(LIKE_COMMANDS), count=2)

    assert codes == [250, 503], f"the last chunk and one more were answered {codes}"
    assert session.usable(), "the session did not go on"


@needs("chunking")
@clause("rfc3030-2-failed-chunk-read-first")
def test_a_refused_chunk_is_not_read_as_commands(server: Server) -> None:
    """A chunk outside a transaction gets one refusal, and none of its octets is taken for a command."""
    session = server.greeted()

    codes = codes_of(session, bdat(LIKE_COMMANDS), count=1)

    assert codes[0] // 100 in {4, 5}, f"a chunk without MAIL was answered {codes}"
    assert session.usable(), "the octets of the chunk were taken for commands"


@needs("chunking")
@cuts("whole")  # waits for silence
@clause("rfc3030-2-failed-chunk-read-first")
def test_a_refusal_waits_for_the_end_of_its_chunk(server: Server) -> None:
    """The refusal of a chunk comes when the announced octets have come, not before."""
    session = server.greeted()
    octets = bdat(LIKE_COMMANDS)

    session.send(octets[:-10])
    early = session.stream.receive_what_comes(0.1)
    session.send(octets[-10:])

    assert early == b"", f"before the end of the chunk the server said {early!r}"
    reply = session.reply()
    assert reply.kind in {4, 5}, f"a chunk without MAIL was answered {reply}"


@needs("chunking", "pipelining")
@clause("rfc3030-2-pipelined-chunks-discarded")
def test_chunks_behind_a_failed_one_are_discarded(server: Server) -> None:
    """Chunks in flight behind a failed one are refused each in turn, and what follows them is read."""
    session = server.greeted()
    flight = bdat(LIKE_COMMANDS) + bdat(LIKE_COMMANDS) + bdat(b"", last=True) + b"RSET\r\n"

    codes = codes_of(session, flight, count=4)

    assert [code // 100 for code in codes[:3]] == [5, 5, 5], (
        f"three chunks without MAIL were answered {codes}"
    )
    assert codes[3] == 250, f"RSET behind the chunks was answered {codes[3]}"


@needs("chunking", "delivery")
@clause("rfc3030-2-rset-drops-chunks")
def test_rset_drops_the_chunks(server: Server) -> None:
    """Chunks before RSET are no part of the next message."""
    session, token = begun(server)
    first = codes_of(session, bdat(b"X-Dropped: this chunk\r\n") + b"RSET\r\n", count=2)
    session.mail()
    session.rcpt(server.host.recipient(token))

    last = codes_of(session, bdat(DOTTED, last=True), count=1)

    assert (first, last) == ([250, 250], [250]), f"chunk, RSET and last chunk were answered {first + last}"
    arrived = server.arrived(token)
    assert len(arrived) == 1, f"{len(arrived)} messages arrived"
    assert b"X-Dropped" not in arrived[0], f"what arrived: {arrived[0]!r}"


@needs("chunking")
@clause("rfc3030-2-data-after-bdat-503")
def test_data_after_bdat_gets_503(server: Server) -> None:
    """DATA in a transaction that has begun with BDAT gets 503."""
    session, _ = begun(server)
    session.send(bdat(DOTTED))
    assert session.reply().code == 250, "the first chunk was refused"

    reply = session.command("DATA")

    assert reply.code == 503, f"DATA after BDAT was answered {reply}"
    assert session.usable(), "the session did not go on after RSET"


# not octet by octet: a server that takes its leave resets what is still on its way, and its words with it
@cuts("whole")
@needs("chunking")
@clause("rfc3030-2-arbitrary-octets-survived")
def test_octets_behind_a_short_chunk_are_refused(server: Server) -> None:
    """Octets of all values where commands belong are read and refused, or the server takes its leave."""
    session, _ = begun(server)
    session.send(bdat(DOTTED, last=True) + ALL_OCTETS + b"\r\n" + ALL_OCTETS[::-1] + b"\r\nRSET\r\n")
    assert session.reply().code == 250, "the chunk was refused"

    refusals: list[Reply] = []
    while (reply := session.reply()).kind == 5 and len(refusals) < 20:
        refusals.append(reply)

    assert refusals, f"the octets behind the chunk were answered {reply}"
    # a server may end the session of a client that talks like that, if it says so
    assert reply.code in {250, 221, 421}, f"after {len(refusals)} refusals RSET was answered {reply}"
    assert server.greeted().usable(), "the server does not serve any more"


@needs("chunking")
@clause("rfc3030-3-undeclared-binary-accepted")
def test_undeclared_binary_content_is_accepted(server: Server) -> None:
    """A message whose own header says binary is taken though MAIL did not."""
    session, _ = begun(server)
    labelled = message(headers=b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n")

    codes = codes_of(session, bdat(labelled, last=True), count=1)

    assert codes == [250], f"the message was answered {codes}"


@clause("rfc3030-3-binarymime-needs-chunking")
def test_binarymime_comes_only_with_chunking(server: Server) -> None:
    """EHLO lists BINARYMIME only where it lists CHUNKING."""
    session = server.greeted()

    assert "BINARYMIME" not in session.extensions or "CHUNKING" in session.extensions, (
        f"EHLO lists {sorted(session.extensions)}"
    )


@needs("binarymime", "delivery")
@clause("rfc3030-3-binary-preserved")
def test_binary_content_arrives_as_it_was_sent(server: Server) -> None:
    """Octets of all values, bare CR and LF, NUL, and an end without CRLF arrive unchanged."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail(SENDER, "BODY=BINARYMIME")
    session.rcpt(recipient)

    codes = codes_of(session, bdat(BINARY, last=True), count=1)

    assert codes == [250], f"the message was answered {codes}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(BINARY), f"what arrived: {arrived!r}"


@needs("binarymime")
@clause("rfc3030-3-data-after-binarymime-503")
def test_data_for_binary_content_gets_503(server: Server) -> None:
    """DATA after MAIL with BODY=BINARYMIME gets 503."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail(SENDER, "BODY=BINARYMIME")
    session.rcpt(recipient)

    reply = session.command("DATA")

    assert reply.code == 503, f"DATA after BODY=BINARYMIME was answered {reply}"
