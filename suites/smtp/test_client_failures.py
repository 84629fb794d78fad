"""Clients: refusals, lost connections and silence at each stage of a session.

Knows what a client owes its caller then (RFC 5321, sections 2.1, 3.8, 4.5.3.1 and
4.5.3.2). Must not know any client.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.answers import Answer, Answers, Held, close, reset, say_and_close
from lab.wire.stream import RecordedStream
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, message, stuff
from suites.smtp.responder import EHLO_DEFAULT, Manners, ehlo_reply
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "END")
#: Seconds that a client is told to wait, where waiting is what is looked at.
PATIENCE = 0.4


@dataclass(frozen=True)
class Mishap:
    """What goes wrong, and when."""

    stage: str
    answer: Answer

    @property
    def manners(self) -> Manners:
        """A host to whom it happens; HELO fares as EHLO does."""
        if self.stage == "greeting":
            return Manners(greeting=self.answer)
        answers: dict[str, Answers] = {self.stage: self.answer}
        if self.stage == "EHLO":
            answers["HELO"] = self.answer
        return Manners(answers=answers)


def outcomes(exchange: Exchange) -> list[str]:
    """What the client says of the whole and of each message."""
    return [exchange.report["outcome"], *(part["outcome"] for part in exchange.report["transactions"])]


REFUSALS = {
    "greeting-554": Mishap("greeting", b"554 no mail here\r\n"),
    "hello-550": Mishap("EHLO", b"550 5.7.1 no\r\n"),
    "mail-550": Mishap("MAIL", b"550 5.7.1 no\r\n"),
    "mail-451": Mishap("MAIL", b"451 4.3.0 later\r\n"),
    "every-recipient-550": Mishap("RCPT", b"550 5.1.1 no\r\n"),
    "every-recipient-450": Mishap("RCPT", b"450 4.2.0 later\r\n"),
    "data-554": Mishap("DATA", b"554 5.5.1 no\r\n"),
    "data-250": Mishap("DATA", b"250 2.0.0 fine\r\n"),
    "message-554": Mishap("END", b"554 5.6.0 no\r\n"),
    "message-451": Mishap("END", b"451 4.3.0 later\r\n"),
}


@pytest.mark.parametrize("mishap", REFUSALS.values(), ids=REFUSALS)
@clause("rfc5321-2.1-failure-is-reported")
def test_refusals_reach_the_caller(client: Client, mishap: Mishap) -> None:
    """A message that the server did not take is never reported as sent."""
    exchange = client.submit_to_script(mishap.manners)

    assert outcomes(exchange)[0] != "done", f"nothing was taken; the client says {exchange.report}"
    assert "done" not in outcomes(exchange)[1:], f"nothing was taken; the client says {exchange.report}"


LOSSES = {
    f"{how}-{stage.lower()}": Mishap(stage, answer)
    for how, answer in (("closed-at", close), ("reset-at", reset))
    for stage in STAGES
}


@pytest.mark.parametrize("mishap", LOSSES.values(), ids=LOSSES)
@clause("rfc5321-3.8-lost-connection-is-temporary")
def test_lost_connection_is_a_temporary_failure(client: Client, mishap: Mishap) -> None:
    """A connection that is lost leaves the message unsent for now: neither sent nor refused for good."""
    exchange = client.submit_to_script(mishap.manners)

    assert "done" not in outcomes(exchange), f"the connection was lost; the client says {exchange.report}"
    assert exchange.report.get("code", 0) // 100 != 5, f"the client says {exchange.report}"


# a long message says the same however the replies are cut
@cuts("whole")
@pytest.mark.parametrize("how", ["closed", "reset"])
@clause("rfc5321-3.8-lost-connection-is-temporary")
def test_connection_lost_amid_the_message_is_a_temporary_failure(client: Client, how: str) -> None:
    """A connection that is lost within the data leaves the message unsent for now."""

    def break_off(stream: RecordedStream) -> None:
        stream.send(b"354 go on\r\n")
        stream.receive_exactly(1000)
        (close if how == "closed" else reset)(stream)

    large = message(b"line of text\r\n" * 80000)
    exchange = client.submit_to_script(Manners(answers={"DATA": break_off}), transaction(large, [RECIPIENT]))

    assert "done" not in outcomes(exchange), f"the connection was lost; the client says {exchange.report}"
    assert exchange.report.get("code", 0) // 100 != 5, f"the client says {exchange.report}"


GOODBYE = b"421 4.3.2 script.lab.example is going down\r\n"
FAREWELLS = {stage.lower(): Mishap(stage, say_and_close(GOODBYE)) for stage in STAGES}


@pytest.mark.parametrize("mishap", FAREWELLS.values(), ids=FAREWELLS)
@clause("rfc5321-3.8-421-ends-session")
def test_421_is_a_temporary_failure(client: Client, mishap: Mishap) -> None:
    """A server that says 421 and goes leaves the message unsent for now."""
    exchange = client.submit_to_script(mishap.manners)

    assert "done" not in outcomes(exchange), f"the server went down; the client says {exchange.report}"
    assert exchange.report.get("code", 0) // 100 != 5, f"the client says {exchange.report}"


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "END"])
@clause("rfc5321-3.8-421-ends-session")
def test_no_mail_is_started_after_421(client: Client, stage: str) -> None:
    """After a 421 the next message is not tried in the same session, even if the server has not closed yet."""
    answers: dict[str, Answers] = {stage: GOODBYE}
    both = [transaction(SMALL_MESSAGE, [RECIPIENT]), transaction(SMALL_MESSAGE, ["other@lab.example"])]

    exchange = client.submit_to_script(Manners(answers=answers), *both)

    for talk in exchange.conversations:
        assert talk.verbs.count("MAIL") <= 1, f"after 421 to {stage} the client went on: {talk.verbs}"


class _Silence:
    """An answer that never comes; notes whether the client gave up waiting: left, or said something else."""

    def __init__(self) -> None:
        self.given_up = False

    def __call__(self, stream: RecordedStream) -> None:
        said = stream.receive_what_comes(4 * PATIENCE)
        self.given_up = bool(said) or stream.ended is not None
        close(stream)


# the client's patience is waited for: once is enough
@cuts("whole")
@pytest.mark.parametrize("stage", STAGES)
@clause("rfc5321-4.5.3.2-timeouts-exist")
def test_silence_ends_in_a_failure(client: Client, stage: str) -> None:
    """A server that falls silent holds the client up for as long as it was told to wait, not for ever."""
    silence = _Silence()

    exchange = client.submit_to_script(Mishap(stage, silence).manners, timeout=PATIENCE)

    assert silence.given_up, f"told to wait {PATIENCE} s, the client still waited after {4 * PATIENCE} s"
    assert "done" not in outcomes(exchange), f"the server was silent; the client says {exchange.report}"


UNHURRIED = {
    "EHLO": ehlo_reply(["SIZE 1000000"]),
    "MAIL": b"250 fine\r\n",
    "RCPT": b"250 fine\r\n",
    "DATA": b"354 go on\r\n",
    "END": b"250 queued\r\n",
}


# slow replies are waited for: once is enough
@cuts("whole")
@clause("rfc5321-4.5.3.2-timeouts-per-command")
def test_patience_is_for_each_command(client: Client) -> None:
    """Replies that each come in time, and together take longer than one may, are no failure."""
    pause = 0.15
    answers: dict[str, Answers] = {verb: Held(reply, pause=pause) for verb, reply in UNHURRIED.items()}

    exchange = client.submit_to_script(Manners(answers=answers), timeout=PATIENCE)

    payloads = [payload for talk in exchange.conversations for payload in talk.payloads]
    assert payloads == [stuff(SMALL_MESSAGE)], f"the client gave up; it says {exchange.report}"
    assert exchange.done, f"each reply came within {pause} s; the client says {exchange.report}"


PATIENCES = {"short": (0.15, False), "long": (4.0, True)}


# slow replies are waited for: once is enough
@cuts("whole")
@pytest.mark.parametrize(("patience", "enough"), PATIENCES.values(), ids=PATIENCES)
@clause("rfc5321-4.5.3.2-timeouts-configurable")
def test_patience_can_be_chosen(client: Client, patience: float, enough: bool) -> None:  # noqa: FBT001 - a parameter
    """How long the client waits is what it was told."""
    answers: dict[str, Answers] = {"MAIL": Held(b"250 fine\r\n", pause=0.6)}
    # without PIPELINING, with which more may be under way already
    extensions = [word for word in EHLO_DEFAULT if word != "PIPELINING"]

    exchange = client.submit_to_script(Manners(extensions=extensions, answers=answers), timeout=patience)

    assert exchange.done == enough, f"told to wait {patience} s for 0.6 s, the client says {exchange.report}"


def _full_at_64k(stream: RecordedStream) -> None:
    """Take 64 KiB of the message, refuse more of it, and leave."""
    stream.send(b"354 go on\r\n")
    stream.receive_exactly(65536)
    stream.send(b"552 5.3.4 too much mail data\r\n")
    close(stream)


TOO_LARGE = {
    "command-line": (Mishap("RCPT", b"500 5.5.2 line too long\r\n"), f"{'u' * 300}@lab.example"),
    "path": (Mishap("RCPT", b"501 5.1.3 path too long\r\n"), f"user@{'d.' * 140}example"),
    "size": (Mishap("MAIL", b"552 5.3.4 too much mail data\r\n"), RECIPIENT),
    "message": (Mishap("END", b"552 5.3.4 too much mail data\r\n"), RECIPIENT),
    "amid-the-message": (Mishap("DATA", _full_at_64k), RECIPIENT),
}


# a long message says the same however the replies are cut
@cuts("whole")
@pytest.mark.parametrize(("mishap", "recipient"), TOO_LARGE.values(), ids=TOO_LARGE)
@clause("rfc5321-4.5.3.1-rejection-of-large-objects-handled")
def test_rejection_of_what_is_too_large_is_survived(client: Client, mishap: Mishap, recipient: str) -> None:
    """A server that takes no line, path or message of this size is understood: the caller learns of it."""
    large = message(b"line of text\r\n" * 80000)

    exchange = client.submit_to_script(mishap.manners, transaction(large, [recipient]))

    assert "done" not in outcomes(exchange), f"nothing was taken; the client says {exchange.report}"
