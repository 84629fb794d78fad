"""Clients: the declared size of a message, and what is made of a refusal (RFC 1870)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from lab.wire.stream import RecordedStream
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, content, eight_bit_message, message
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

NO_ROOM = {"452": b"452 4.3.1 no room now\r\n", "552": b"552 5.3.4 too big\r\n"}
DOTTED = message(b".\r\n..two\r\n" * 40 + b"end\r\n")
UNEVEN = {
    "lf-line-ends": message(b"a line\n" * 50),
    "eight-bit": eight_bit_message("Grüße aus Köln\r\n".encode() * 50),
    "dots": DOTTED,
    "no-last-line-end": message(b"a line without its end"),
}


def declared(exchange: Exchange) -> list[str]:
    """The SIZE values on MAIL, over all transactions."""
    return [
        value for one in exchange.conversations for mail in one.all("MAIL") for value in mail.values("SIZE")
    ]


@clause("rfc1870-3-value-syntax")
def test_declared_size_is_a_number(client: Client) -> None:
    """The value of SIZE is a decimal number of at most twenty digits."""
    values = declared(client.submit_to_script(Manners()))

    for value in values:
        assert re.fullmatch(r"[0-9]{1,20}", value), f"the client declared SIZE={value}"


@clause("rfc1870-3-only-when-offered")
def test_no_size_where_it_is_not_offered(client: Client) -> None:
    """MAIL carries no SIZE to a host that does not list it."""
    extensions = [word for word in EHLO_DEFAULT if not word.startswith("SIZE")]

    exchange = client.submit_to_script(Manners(extensions=extensions))

    assert exchange.conversation.all("MAIL"), f"the client said {exchange.conversation.verbs}"
    assert declared(exchange) == [], f"the client sent {exchange.conversation.one('MAIL').line!r}"


@clause("rfc1870-6-counts-content")
def test_declared_size_is_that_of_the_content(client: Client) -> None:
    """Dots doubled on the way and the final dot do not count, CRLFs do."""
    exchange = client.submit_to_script(Manners(), transaction(DOTTED, [RECIPIENT]))

    came = [str(len(content(payload))) for payload in exchange.conversation.payloads]
    values = declared(exchange)
    assert values in ([], came), f"the client declared {values}; {came} octets came"


@pytest.mark.parametrize("octets", UNEVEN.values(), ids=UNEVEN)
@clause("rfc1870-6-estimate-not-too-small")
def test_declared_size_is_not_too_small(client: Client, octets: bytes) -> None:
    """What is declared is no less than what comes."""
    exchange = client.submit_to_script(Manners(), transaction(octets, [RECIPIENT]))

    for value, payload in zip(declared(exchange), exchange.conversation.payloads, strict=False):
        came = len(content(payload))
        assert int(value) >= came, f"the client declared {value}; {came} octets came"


@clause("rfc1870-6-one-size-parameter")
def test_size_stands_once_on_mail(client: Client) -> None:
    """A client that declares the size does so once."""
    exchange = client.submit_to_script(Manners())

    values = declared(exchange)
    assert len(values) <= 1, f"the client sent {exchange.conversation.one('MAIL').line!r}"


@needs("size", "dsn")  # the client takes parameters for MAIL from its caller
@clause("rfc1870-6-one-size-parameter")
def test_size_given_by_the_caller_is_not_repeated(client: Client) -> None:
    """A caller's own SIZE takes the place of the client's."""
    exchange = client.submit_to_script(
        Manners(), transaction(SMALL_MESSAGE, [RECIPIENT], mail_options=["SIZE=4000"])
    )

    for mail in exchange.conversation.all("MAIL"):
        assert len(mail.values("SIZE")) <= 1, f"the client sent {mail.line!r}"


def next_after_mail(client: Client, answer: bytes, count: int) -> list[str]:
    """What the client says right after this answer to its first MAIL, of so many transactions."""
    mail = [transaction(SMALL_MESSAGE, [RECIPIENT]) for _ in range(count)]
    # without PIPELINING, so that nothing is under way already
    exchange = client.submit_to_script(Manners(extensions=["SIZE"], answers={"MAIL": [answer, None]}), *mail)
    verbs = exchange.conversations[0].verbs
    assert "MAIL" in verbs, f"the client said {verbs}"
    return verbs[verbs.index("MAIL") + 1 :][:1]


@pytest.mark.parametrize("count", [1, 2], ids=["one-message", "two-messages"])
@clause("rfc1870-6.2-452-rset-or-quit")
def test_reset_or_quit_after_452(client: Client, count: int) -> None:
    """452 to MAIL is followed by RSET or QUIT."""
    following = next_after_mail(client, NO_ROOM["452"], count)

    assert following in (["RSET"], ["QUIT"]), f"after 452 to MAIL the client said {following}"


@pytest.mark.parametrize("count", [1, 2], ids=["one-message", "two-messages"])
@clause("rfc1870-6.2-552-rset-or-quit")
def test_reset_or_quit_after_552(client: Client, count: int) -> None:
    """552 to MAIL is followed by RSET or QUIT."""
    following = next_after_mail(client, NO_ROOM["552"], count)

    assert following in (["RSET"], ["QUIT"]), f"after 552 to MAIL the client said {following}"


def refuse_once(where: str, refusal: bytes) -> Manners:
    """A host that refuses at DATA, or at its END, once over all its connections."""
    waiting = [refusal]

    def answer(stream: RecordedStream) -> None:
        if waiting:
            stream.send(waiting.pop())
            return
        if where == "DATA":
            stream.send(b"354 end with a dot\r\n")
            stream.receive_until(b"\r\n.\r\n")
        stream.send(b"250 2.0.0 queued\r\n")

    return Manners(answers={where: answer})


@pytest.mark.parametrize("code", NO_ROOM)
@pytest.mark.parametrize("where", ["DATA", "END"], ids=["to-data", "to-the-message"])
@needs("reuse")
@clause("rfc1870-6.2-errors-after-mail-handled")
def test_late_refusal_for_size_is_handled(client: Client, where: str, code: str) -> None:
    """No room after all, at DATA or at its end: the user is told, and the next message goes through."""
    mail = [transaction(SMALL_MESSAGE, [RECIPIENT]) for _ in range(2)]

    exchange = client.submit_to_script(refuse_once(where, NO_ROOM[code]), *mail)

    first, *rest = exchange.report["transactions"] or [exchange.report]
    assert (first["outcome"], first.get("code")) == ("refused", int(code)), (
        f"of the first the client says {first}"
    )
    assert [one["outcome"] for one in rest] == ["done"], f"the client says {exchange.report}"
    accepted = sum(len(one.payloads) for one in exchange.conversations) - (where == "END")
    assert accepted == 1, f"{accepted} messages were accepted; the client says {exchange.report}"
