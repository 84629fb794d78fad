"""Clients: how replies are read: codes, texts, several lines, and what is no reply at all.

Knows sections 4.2 and 4.5.3.1.5 of RFC 5321. Must not know any client.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.answers import Answers
from suites.smtp.exchange import Exchange
from suites.smtp.message import stuff
from suites.smtp.responder import Manners, ehlo_reply
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

CODES = {"EHLO": 250, "MAIL": 250, "RCPT": 250, "DATA": 354, "END": 250, "RSET": 250, "QUIT": 221}


def sent_whole(exchange: Exchange) -> bool:
    """Whether the small message went over, once, and the client says so."""
    payloads = [payload for talk in exchange.conversations for payload in talk.payloads]
    return exchange.done and payloads == [stuff(SMALL_MESSAGE)]


def everywhere(form: str) -> Manners:
    """A host that gives every reply in this form; ``{code}`` stands for the code that is due."""
    answers: dict[str, Answers] = {verb: form.format(code=code).encode() for verb, code in CODES.items()}
    return Manners(greeting=form.format(code=220).encode(), answers=answers)


def body_was_sent(exchange: Exchange) -> bool:
    """Whether any of the message came over."""
    return any(b"Subject:" in talk.transcript.octets("client") for talk in exchange.conversations)


BARE = {"no-space": "{code}\r\n", "space": "{code} \r\n"}


@pytest.mark.parametrize("form", BARE.values(), ids=BARE)
@clause("rfc5321-4.2-bare-code-understood")
def test_bare_codes_are_understood(client: Client, form: str) -> None:
    """A server that gives codes without text is served like any other."""
    exchange = client.submit_to_script(everywhere(form))

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"


MISLEADING_YES: dict[str, dict[str, Answers]] = {
    "mail": {"MAIL": b"250 550 failed, no such sender\r\n"},
    "recipient": {"RCPT": b"250 5.1.1 550 no such user\r\n"},
    "data": {"DATA": b"354 250 done already\r\n"},
    "message": {"END": b"250 554 transaction failed\r\n"},
}
MISLEADING_NO: dict[str, dict[str, Answers]] = {
    "mail": {"MAIL": b"550 250 OK, accepted\r\n"},
    "recipient": {"RCPT": b"550 2.1.5 250 OK\r\n"},
    "data": {"DATA": b"554 354 go ahead\r\n"},
}


@pytest.mark.parametrize("answers", MISLEADING_YES.values(), ids=MISLEADING_YES)
@clause("rfc5321-4.2-acts-by-code-only")
def test_text_of_refusal_does_not_stop_an_acceptance(client: Client, answers: dict[str, Answers]) -> None:
    """A reply that accepts by its code is an acceptance, whatever its text says."""
    exchange = client.submit_to_script(Manners(answers=answers))

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"


@pytest.mark.parametrize("answers", MISLEADING_NO.values(), ids=MISLEADING_NO)
@clause("rfc5321-4.2-acts-by-code-only")
def test_text_of_acceptance_does_not_undo_a_refusal(client: Client, answers: dict[str, Answers]) -> None:
    """A reply that refuses by its code is a refusal, whatever its text says."""
    exchange = client.submit_to_script(Manners(answers=answers))

    assert not body_was_sent(exchange), "the message was sent in spite of the refusal"
    assert not exchange.done, f"the client says {exchange.report}"


UNKNOWN_YES: dict[str, dict[str, Answers]] = {
    "mail-259": {"MAIL": b"259 fine\r\n"},
    "recipient-243": {"RCPT": b"243 fine\r\n"},
    "message-222": {"END": b"222 fine\r\n"},
    "ehlo-259": {"EHLO": ehlo_reply(["SIZE 1000"]).replace(b"250", b"259")},
}
UNKNOWN_NO: dict[str, dict[str, Answers]] = {
    "mail-459": {"MAIL": b"459 not now\r\n"},
    "recipient-459": {"RCPT": b"459 not now\r\n"},
    "recipient-559": {"RCPT": b"559 never\r\n"},
    "data-459": {"DATA": b"459 not now\r\n"},
    "data-559": {"DATA": b"559 never\r\n"},
}


@pytest.mark.parametrize("answers", UNKNOWN_YES.values(), ids=UNKNOWN_YES)
@clause("rfc5321-4.2-unknown-codes-by-first-digit")
def test_unknown_codes_beginning_with_2_accept(client: Client, answers: dict[str, Answers]) -> None:
    """A code that RFC 5321 does not know is taken for an acceptance if its first digit is 2."""
    exchange = client.submit_to_script(Manners(answers=answers))

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"


@pytest.mark.parametrize("answers", UNKNOWN_NO.values(), ids=UNKNOWN_NO)
@clause("rfc5321-4.2-unknown-codes-by-first-digit")
def test_unknown_codes_beginning_with_4_or_5_refuse(client: Client, answers: dict[str, Answers]) -> None:
    """A code that RFC 5321 does not know is taken for a refusal if its first digit is 4 or 5."""
    exchange = client.submit_to_script(Manners(answers=answers))

    assert not body_was_sent(exchange), "the message was sent in spite of the refusal"
    assert not exchange.done, f"the client says {exchange.report}"


OUT_OF_RANGE: dict[str, dict[str, Answers]] = {
    "mail-150": {"MAIL": b"150 wait\r\n"},
    "recipient-650": {"RCPT": b"650 what\r\n"},
    "data-750": {"DATA": b"750 what\r\n"},
    "message-950": {"END": b"950 what\r\n"},
}


# a client may go on waiting for a reply in range: once is enough
@cuts("whole")
@pytest.mark.parametrize("answers", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE)
@clause("rfc5321-4.2-out-of-range-code-fatal")
def test_codes_out_of_range_end_the_transaction(client: Client, answers: dict[str, Answers]) -> None:
    """A code that begins with another digit than 2 to 5 ends the transaction without success."""
    exchange = client.submit_to_script(Manners(answers=answers), timeout=0.4)

    assert "END" in answers or not body_was_sent(exchange), "the message was sent all the same"
    assert not exchange.done, f"the client says {exchange.report}"


GARBAGE = {
    "word": b"hello\r\n",
    "two-digits": b"25\r\n",
    "empty-line": b"\r\n",
    "minus": b"-1 what\r\n",
    "nuls": b"\0\0\0 ok\r\n",
    "letters-in-code": b"2x0 ok\r\n",
    "endless": b"x" * (1 << 20),
}


# a client may go on waiting for a reply: once is enough
@cuts("whole")
@pytest.mark.parametrize("place", ["greeting", "MAIL"])
@pytest.mark.parametrize("octets", GARBAGE.values(), ids=GARBAGE)
@clause("rfc5321-4.2-garbage-reply-survived")
def test_what_is_no_reply_ends_the_session(client: Client, place: str, octets: bytes) -> None:
    """Octets that are no reply are taken for no success, and hold nobody up for ever."""
    manners = Manners(greeting=octets) if place == "greeting" else Manners(answers={place: octets})

    exchange = client.submit_to_script(manners, timeout=0.4)

    assert not exchange.done, f"the client says {exchange.report}"
    assert not body_was_sent(exchange), "the message was sent all the same"


UNSPACED = {
    "ehlo": ("EHLO", b"250-script.lab.example\r\n250-SIZE 1000000\r\n250\r\n"),
    "mail": ("MAIL", b"250-first\r\n250\r\n"),
    "message": ("END", b"250-first\r\n250-second\r\n250\r\n"),
}


@pytest.mark.parametrize(("verb", "reply"), UNSPACED.values(), ids=UNSPACED)
@clause("rfc5321-4.2.1-last-line-without-space")
def test_last_line_may_lack_its_space(client: Client, verb: str, reply: bytes) -> None:
    """A reply of several lines ends with a line that is the code alone."""
    exchange = client.submit_to_script(Manners(answers={verb: reply}))

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"


LINES = "{code}-first\r\n{code}-234 numbers first\r\n{code}-550 no\r\n{code}-\r\n{code} - last\r\n"


@pytest.mark.parametrize("place", ["greeting", "MAIL", "RCPT", "DATA", "END"])
@clause("rfc5321-4.2.1-multiline-anywhere")
def test_replies_of_several_lines_are_read_to_their_end(client: Client, place: str) -> None:
    """Any reply may have several lines, whose texts may look like anything."""
    reply = LINES.format(code=220 if place == "greeting" else CODES[place]).encode()
    manners = Manners(greeting=reply) if place == "greeting" else Manners(answers={place: reply})

    exchange = client.submit_to_script(manners)

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"
    verbs = [verb for verb in exchange.conversation.verbs if verb != "RSET"]
    assert verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"], f"the client said {exchange.conversation.verbs}"


LONGEST = {
    "every-reply": everywhere("{code} " + "x" * 506 + "\r\n"),
    "ehlo-of-ten-lines": Manners(extensions=["X" + "y" * 505] * 9),
}


@pytest.mark.parametrize("manners", LONGEST.values(), ids=LONGEST)
@clause("rfc5321-4.5.3.1.5-reply-line-512")
def test_reply_lines_of_512_octets_are_read(client: Client, manners: Manners) -> None:
    """Reply lines may have 512 octets with their CRLF."""
    exchange = client.submit_to_script(manners)

    assert sent_whole(exchange), f"the client said {exchange.conversation.verbs}, and says {exchange.report}"
