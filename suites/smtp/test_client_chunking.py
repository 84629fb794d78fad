"""Clients: messages in chunks, and binary ones (RFC 3030)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.judge.marks import clause, needs, role
from lab.wire.answers import Answers
from suites.smtp.conversation import Conversation
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, content, eight_bit_message
from suites.smtp.mime import Part, invalid, lost, nested, parse
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

CHUNKING = (*EHLO_DEFAULT, "CHUNKING")
BINARY = (*CHUNKING, "BINARYMIME")
#: The same without PIPELINING, so that nothing is under way when a chunk is refused.
ONE_BY_ONE = tuple(word for word in CHUNKING if word != "PIPELINING")
LARGE = eight_bit_message(b".\r\n..Gr\xc3\xbc\xc3\x9fe\r\n" * 14000)
REFUSALS = {"452": b"452 4.3.1 no room now\r\n", "554": b"554 5.3.0 failed\r\n"}

OCTETS = b"\0\r\n.\r\n\r\xff\n" + b"x" * 5000 + b"\r\0"
TEXT = b"one\r\ntwo\r\n"


def binary_message(line_end: bytes = b"\r\n") -> bytes:
    """Plain text, HTML and octets that are no text, each with its line ends as given; the octets as they are."""
    lines = (
        b"From: <sender@lab.example>\r\nTo: <recipient@lab.example>\r\nSubject: binary\r\n"
        b"Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <binary@lab.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=cut\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"--cut\r\nContent-Type: text/plain\r\n\r\n" + TEXT + b"\r\n"
        b"--cut\r\nContent-Type: text/html\r\n\r\n<p>\r\n" + TEXT + b"\r\n"
        b"--cut\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    )
    return lines.replace(b"\r\n", line_end) + OCTETS + b"\r\n--cut--\r\n".replace(b"\r\n", line_end)


def send(
    client: Client,
    *messages: bytes,
    extensions: Sequence[str] = CHUNKING,
    answers: dict[str, Answers] | None = None,
) -> Exchange:
    """Send these messages to a host with these extensions."""
    mail = [transaction(octets, [RECIPIENT]) for octets in messages]
    return client.submit_to_script(Manners(extensions=extensions, answers=answers or {}), *mail)


def chunks(exchange: Exchange) -> bytes:
    """All chunks joined; there has to be one."""
    assert exchange.conversation.chunks, (
        f"the client said {exchange.conversation.verbs}; it says {exchange.report}"
    )
    return b"".join(exchange.conversation.chunks)


def binary_parts(exchange: Exchange) -> tuple[Part, Part, Part]:
    """Plain text, HTML and octets, as they came in chunks."""
    leaves = parse(chunks(exchange)).leaves()
    assert len(leaves) == 3, f"{len(leaves)} parts came in {chunks(exchange)[:400]!r}…"
    return leaves[0], leaves[1], leaves[2]


def transactions(conversation: Conversation) -> list[list[str]]:
    """The verbs of each transaction, its MAIL first."""
    found: list[list[str]] = []
    for verb in conversation.verbs:
        if verb == "MAIL":
            found.append([])
        if found:
            found[-1].append(verb)
    return found


@clause("rfc3030-2-bdat-only-when-offered")
def test_no_chunks_where_they_are_not_offered(client: Client) -> None:
    """A host that does not list CHUNKING gets DATA."""
    exchange = send(client, SMALL_MESSAGE, extensions=EHLO_DEFAULT)

    assert "BDAT" not in exchange.handed_over, f"the client said {exchange.conversation.verbs}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("chunking")
@clause("rfc3030-2-chunk-size-exact")
def test_chunks_are_as_long_as_they_say(client: Client) -> None:
    """Behind each BDAT come as many octets as it says; together they are the message, undoubled dots and all."""
    exchange = send(client, LARGE)

    conversation = exchange.conversation
    assert chunks(exchange) == LARGE, (
        f"{len(chunks(exchange))} octets came instead of {len(LARGE)}, or others"
    )
    strange = set(conversation.verbs) - {"EHLO", "MAIL", "RCPT", "BDAT", "RSET", "NOOP", "QUIT"}
    assert strange == set(), f"between the chunks came {strange}"
    assert conversation.all("BDAT")[-1].argument.upper().endswith(b" LAST"), "the last chunk is not called so"


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
@needs("chunking", "reuse")
@clause("rfc3030-2-rset-after-failure")
def test_reset_after_a_refused_chunk(client: Client, answer: bytes) -> None:
    """After a chunk that was refused comes RSET before the next message, or QUIT."""
    exchange = send(client, LARGE, SMALL_MESSAGE, extensions=ONE_BY_ONE, answers={"BDAT": [answer, None]})

    verbs = exchange.conversations[0].verbs
    following = verbs[verbs.index("BDAT") + 1 :][:1]
    assert following in (["RSET"], ["QUIT"]), f"after the refused chunk the client said {following}"


@pytest.mark.parametrize("answer", REFUSALS.values(), ids=REFUSALS)
@needs("chunking")
@clause("rfc3030-2-no-chunk-after-failure")
def test_no_chunk_after_a_refused_one(client: Client, answer: bytes) -> None:
    """The first chunk of several refused: no further one comes, and the message is refused."""
    exchange = send(client, LARGE, extensions=ONE_BY_ONE, answers={"BDAT": answer})

    count = len(exchange.conversation.all("BDAT"))
    assert count == 1, f"{count} chunks came; the client says {exchange.report}"
    assert (exchange.report["outcome"], exchange.report.get("code")) == ("refused", int(answer[:3])), (
        f"the client says {exchange.report}"
    )


@needs("chunking")
@clause("rfc3030-2-data-and-bdat-not-mixed")
def test_data_and_chunks_are_not_mixed(client: Client) -> None:
    """No transaction has both DATA and BDAT."""
    exchange = send(client, SMALL_MESSAGE, LARGE, b"", extensions=CHUNKING)

    mixed = [verbs for verbs in transactions(exchange.conversation) if {"DATA", "BDAT"} <= set(verbs)]
    assert mixed == [], f"the client said {mixed}"


@needs("chunking")
@clause("rfc3030-2-text-lines-crlf")
def test_text_in_chunks_has_crlf(client: Client) -> None:
    """A text message given with LF comes with CRLF, and with nothing else changed."""
    exchange = send(client, SMALL_MESSAGE.replace(b"\r\n", b"\n"))

    assert chunks(exchange) == SMALL_MESSAGE, f"what came: {chunks(exchange)!r}"


@needs("binarymime")
@clause("rfc3030-3-body-binarymime-on-mail")
def test_binary_message_is_announced(client: Client) -> None:
    """A binary message goes behind MAIL with BODY=BINARYMIME."""
    exchange = send(client, binary_message(), extensions=BINARY)

    values = exchange.conversation.one("MAIL").values("BODY")
    assert values == ["BINARYMIME"], f"MAIL had BODY {values}; the client says {exchange.report}"


@needs("binarymime")
@clause("rfc3030-3-rset-after-binarymime-data")
def test_binary_message_is_not_sent_by_data(client: Client) -> None:
    """A binary message goes in chunks; should it be tried with DATA, RSET follows the 503."""
    exchange = send(client, binary_message(), extensions=BINARY, answers={"DATA": b"503 5.5.1 use BDAT\r\n"})

    verbs = exchange.conversation.verbs
    after = verbs[verbs.index("DATA") + 1 :][:1] if "DATA" in verbs else ["RSET"]
    assert after == ["RSET"], f"after 503 to DATA the client said {after}"
    assert {"DATA", "BDAT"} & set(verbs), f"the client said {verbs}; it says {exchange.report}"


@needs("binarymime")
@clause("rfc3030-3-local-newlines-reversed", "rfc3030-3-text-parts-crlf")
def test_text_parts_of_a_binary_message_have_crlf(client: Client) -> None:
    """Text parts given with LF come with CRLF."""
    exchange = send(client, binary_message(b"\n"), extensions=BINARY)

    plain, html, _ = binary_parts(exchange)
    assert plain.body.removesuffix(b"\r\n") == TEXT.removesuffix(b"\r\n"), f"the text came as {plain.body!r}"
    assert html.body.removesuffix(b"\r\n") == b"<p>\r\n" + TEXT.removesuffix(b"\r\n"), (
        f"the HTML came as {html.body!r}"
    )


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@needs("binarymime")
@clause("rfc3030-3-canonical-encoding")
def test_binary_parts_come_octet_for_octet(client: Client, line_end: bytes) -> None:
    """Fields and delimiters come with CRLF whatever they had, octets that are no text as they are."""
    exchange = send(client, binary_message(line_end), extensions=BINARY)

    *_, octets = binary_parts(exchange)
    assert octets.body == OCTETS, f"the octets came as {octets.body[:80]!r}… ({len(octets.body)})"


BINARY_MESSAGE = binary_message()


def arrived(exchange: Exchange) -> list[bytes]:
    """Each message that came by DATA or in chunks."""
    sent = [content(payload) for one in exchange.conversations for payload in one.payloads]
    joined = [b"".join(one.chunks) for one in exchange.conversations if one.chunks]
    return sent + joined


def conversions(exchange: Exchange) -> list[bytes]:
    """The messages that came with the octets in another encoding than binary; what stayed binary is no conversion."""
    return [
        came for came in arrived(exchange) if "binary" not in {part.encoding for part in parse(came).leaves()}
    ]


@clause("rfc3030-3-no-binary-without-binarymime")
def test_no_binary_message_where_it_is_not_offered(client: Client) -> None:
    """No NUL, no bare CR and no line of thousands of octets goes to a host that does not list BINARYMIME."""
    exchange = send(client, BINARY_MESSAGE, extensions=EHLO_DEFAULT)

    for came in arrived(exchange):
        bare = came.replace(b"\r\n", b"")
        longest = max(map(len, came.split(b"\r\n")))
        assert not {0, 13, 10} & set(bare), f"NUL, bare CR or bare LF came in {came[-200:]!r}"
        assert longest <= 998, f"a line of {longest} octets came"


@clause("rfc3030-3-binary-conversion-lossless")
def test_conversion_of_a_binary_message_loses_nothing(client: Client) -> None:
    """What a client sends in place of a binary message decodes to the same."""
    exchange = send(client, BINARY_MESSAGE, extensions=EHLO_DEFAULT)

    for came in conversions(exchange):
        problems = lost(parse(BINARY_MESSAGE), parse(came))
        assert problems == [], f"{problems}; {came[:800]!r} came"


@clause("rfc3030-3-binary-conversion-valid")
def test_conversion_of_a_binary_message_is_mime(client: Client) -> None:
    """What a client sends in place of a binary message is valid 7-bit or 8-bit MIME."""
    exchange = send(client, BINARY_MESSAGE, extensions=EHLO_DEFAULT)

    for came in conversions(exchange):
        problems = invalid(parse(came), eight_bit=True)
        assert problems == [], f"{problems}; {came[:800]!r} came"


@clause("rfc3030-3-binary-conversion-not-nested")
def test_conversion_of_a_binary_message_is_not_nested(client: Client) -> None:
    """What a client sends in place of a binary message has no encoding inside another."""
    exchange = send(client, BINARY_MESSAGE, extensions=EHLO_DEFAULT)

    for came in arrived(exchange):
        problems = nested(parse(came))
        assert problems == [], f"{problems}; {came[:800]!r} came"
