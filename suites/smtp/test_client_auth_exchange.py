"""Clients: challenges and responses of a SASL exchange on the wire (RFC 4954, section 4)."""

from __future__ import annotations

import base64

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answer
from lab.wire.stream import RecordedStream
from suites.smtp.exchange import Exchange
from suites.smtp.mailhost import ACCOUNT, Account
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.sasl import cram_response, plain_responses
from suites.smtp.subjects import Client

pytestmark = [role("client"), needs("starttls")]

#: Its PLAIN response does not fit on a command line (RFC 4954, section 4, item 3).
LONG_ACCOUNT = Account("lab-user", "s" * 600)
COMMAND_LIMIT = 512
CANCELLED = b"501 5.7.0 cancelled\r\n"
WELCOME = b"235 2.7.0 welcome\r\n"

#: Texts behind 334 that are no base64, or not quite.
UNDECODABLE = {
    "other-characters": b"!!!",
    "asterisk-inside": b"PDEy*MzQ+",
    "pad-in-front": b"=AAA",
    "pad-inside": b"AAA=BBB",
}


def challenge(text: bytes) -> Answer:
    """Answer AUTH with this challenge; a lone asterisk is answered 501, all else with success."""

    def answer(stream: RecordedStream) -> None:
        stream.send(b"334 " + text + b"\r\n")
        response = stream.receive_until(b"\n", limit=65536)
        stream.send(CANCELLED if response.strip() == b"*" else WELCOME)

    return answer


def log_in(
    client: Client, mechanism: str, answer: Answer | None = None, account: Account = ACCOUNT
) -> Exchange:
    """Send one message, logged in, to a scripted host that offers this mechanism inside TLS."""
    manners = Manners(
        secure_extensions=(*EHLO_DEFAULT, f"AUTH {mechanism}"),
        answers={"AUTH": answer} if answer is not None else {},
        tls=client.tls,
    )
    return client.submit_to_script(manners, security="starttls", account=account)


@needs("auth-plain")
@clause("rfc4954-4-no-initial-response-on-long-line")
def test_long_initial_response_waits_for_the_challenge(client: Client) -> None:
    """A response too long for the AUTH line is left out there and sent after the empty challenge."""
    exchange = log_in(client, "PLAIN", account=LONG_ACCOUNT)

    line = exchange.conversation.one("AUTH").line
    assert len(line) + 2 <= COMMAND_LIMIT, f"the AUTH line has {len(line) + 2} octets"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("auth-plain")
@clause("rfc4954-4-empty-challenge-answered")
def test_empty_challenge_gets_the_response(client: Client) -> None:
    """Where the AUTH line held no response, the empty challenge gets it."""
    exchange = log_in(client, "PLAIN", account=LONG_ACCOUNT)

    said = exchange.conversation.sasl_messages()
    assert said in plain_responses(LONG_ACCOUNT), f"the client's SASL messages were {said}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@pytest.mark.parametrize("text", UNDECODABLE.values(), ids=UNDECODABLE)
@needs("auth-cram-md5")
@clause("rfc4954-4-undecodable-challenge-cancelled", "rfc4954-4-strict-base64-client")
def test_undecodable_challenge_is_cancelled(client: Client, text: bytes) -> None:
    """A challenge that is no base64 is answered with a lone asterisk, and the login has failed."""
    exchange = log_in(client, "CRAM-MD5", challenge(text))

    assert "AUTH" in exchange.handed_over, f"the client began no AUTH; it says {exchange.report}"
    said = exchange.conversation.responses
    assert said == [b"*"], f"to 334 {text.decode()} the client said {said}; it says {exchange.report}"
    assert not exchange.done, f"the client says {exchange.report}"


@needs("auth-login")
@clause("rfc4954-4-undecodable-challenge-cancelled", "rfc4954-4-strict-base64-client")
def test_undecodable_prompt_is_cancelled(client: Client) -> None:
    """LOGIN's prompts are challenges too: one that is no base64 is answered with a lone asterisk."""
    exchange = log_in(client, "LOGIN", challenge(b"!!!"))

    assert "AUTH" in exchange.handed_over, f"the client began no AUTH; it says {exchange.report}"
    said = exchange.conversation.responses
    words = exchange.conversation.one("AUTH").line.count(b" ") + 1
    assert said == [b"*"], f"to 334 !!! (AUTH of {words} words) the client said {said}"


@needs("auth-cram-md5")
@clause("rfc4954-4-longest-challenge-client")
@cuts("whole", "lines")  # 8000 octets one by one cost much and show nothing new
def test_long_challenge_is_answered(client: Client) -> None:
    """A challenge of 8000 octets is taken whole."""
    text = b"<" + b"0123456789" * 599 + b"@lab.example>"

    exchange = log_in(client, "CRAM-MD5", challenge(base64.b64encode(text)))

    said = exchange.conversation.sasl_messages()
    assert said == [cram_response(ACCOUNT, text)], (
        f"the client's SASL messages were {said}; it says {exchange.report}"
    )


@needs("auth-plain")
@clause("rfc4954-4-longest-challenge-client")
def test_long_name_and_password_are_sent(client: Client) -> None:
    """Name and password of 255 octets each go through."""
    account = Account("n" * 255, "p" * 255)

    exchange = log_in(client, "PLAIN", account=account)

    said = [message for message in exchange.conversation.sasl_messages() if message]
    assert said in plain_responses(account), f"the client's SASL messages were {said}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"
