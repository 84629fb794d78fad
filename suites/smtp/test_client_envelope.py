"""Clients: senders and recipients: one transaction for many, refusals of some, what is kept apart.

Knows MAIL, RCPT and their refusals (RFC 5321, sections 4.1.1.2, 4.2.1, 4.5.3.1.8 and
4.5.4.1). Must not know any client.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answers
from lab.wire.stream import RecordedStream
from suites.smtp.conversation import Conversation
from suites.smtp.exchange import transaction
from suites.smtp.message import stuff
from suites.smtp.responder import Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

ONE, TWO, THREE = "one@lab.example", "two@lab.example", "three@lab.example"
PERMANENT: dict[str, dict[str, Answers]] = {
    "mail": {"MAIL": b"550 5.7.1 no\r\n"},
    "recipient": {"RCPT": b"550 5.1.1 no\r\n"},
    "data": {"DATA": b"554 5.5.1 no\r\n"},
    "hello": {"EHLO": b"550 5.7.1 no\r\n", "HELO": b"550 5.7.1 no\r\n"},
}


@clause("rfc5321-4.1.1.2-null-reverse-path-sent")
def test_empty_sender_is_sent_as_the_null_path(client: Client) -> None:
    """A message without a return address starts with MAIL FROM:<>."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [ONE], sender=""))

    line = exchange.conversation.one("MAIL").line.upper()
    assert line == b"MAIL FROM:<>" or line.startswith(b"MAIL FROM:<> "), f"the client said {line!r}"


@clause("rfc5321-4.5.4.1-one-copy-for-many-recipients")
def test_many_recipients_share_one_copy(client: Client) -> None:
    """A message for three recipients goes over once."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [ONE, TWO, THREE]))

    verbs = [
        verb for talk in exchange.conversations for verb in talk.verbs if verb in ("MAIL", "RCPT", "DATA")
    ]
    assert verbs == ["MAIL", "RCPT", "RCPT", "RCPT", "DATA"], f"the client said {verbs}"


@clause("rfc5321-4.5.4.1-mail-refusal-not-cached")
def test_refused_sender_is_tried_again_for_the_next_message(client: Client) -> None:
    """A refusal of MAIL holds for one message; the next one from the same sender is tried."""
    refusals = iter([b"550 5.7.1 no\r\n"])  # shared by all connections the client may open
    answers: dict[str, Answers] = {"MAIL": lambda stream: stream.send(next(refusals, b"250 fine\r\n"))}
    both = [transaction(SMALL_MESSAGE, [ONE]), transaction(SMALL_MESSAGE, [TWO])]

    # without PIPELINING, where DATA is under way before the sender is refused (RFC 2920, section 3.1)
    exchange = client.submit_to_script(Manners(extensions=["SIZE"], answers=answers), *both)

    payloads = [payload for talk in exchange.conversations for payload in talk.payloads]
    assert payloads == [stuff(SMALL_MESSAGE)], (
        f"{len(payloads)} messages came; the client says {exchange.report}"
    )


@pytest.mark.parametrize("answers", PERMANENT.values(), ids=PERMANENT)
@clause("rfc5321-4.2.1-permanent-not-repeated")
def test_permanent_refusal_is_not_asked_for_again(client: Client, answers: dict[str, Answers]) -> None:
    """A command that was refused for good does not come again as it was."""
    exchange = client.submit_to_script(Manners(answers=answers))

    lines = [command.line for talk in exchange.conversations for command in talk.commands]
    repeated = {
        line for line in lines if lines.count(line) > 1 and line.split()[0].decode().upper() in answers
    }
    assert not repeated, f"the client repeated {repeated}, {len(lines)} commands in all"


@needs("partial-recipients")
@clause("rfc5321-4.5.3.1.10-552-at-rcpt-survived")
def test_552_for_one_recipient_leaves_the_others_served(client: Client) -> None:
    """When 552 is said to the third recipient, the message goes to the first two, and the third is not forgotten."""
    answers: dict[str, Answers] = {"RCPT": [b"250 fine\r\n", b"250 fine\r\n", b"552 too many recipients\r\n"]}

    exchange = client.submit_to_script(
        Manners(answers=answers), transaction(SMALL_MESSAGE, [ONE, TWO, THREE])
    )

    first = exchange.conversations[0]
    assert first.payloads[:1] == [stuff(SMALL_MESSAGE)], (
        f"nothing was sent; the client says {exchange.report}"
    )
    refused = [
        address for part in exchange.report["transactions"] for address in part.get("refused_recipients", {})
    ]
    asked = [command.path for talk in exchange.conversations for command in talk.all("RCPT")]
    again = asked.count(THREE.encode()) > 1
    assert refused == [THREE] or again, f"the third was forgotten; the client says {exchange.report}"


class _Full:
    """A host that takes a hundred recipients for each message and says 452 to more."""

    def __init__(self) -> None:
        self._taken = 0

    def mail(self, stream: RecordedStream) -> None:
        """A new message: there is room again."""
        self._taken = 0
        stream.send(b"250 fine\r\n")

    def rcpt(self, stream: RecordedStream) -> None:
        """Room for a hundred."""
        self._taken += 1
        stream.send(b"250 fine\r\n" if self._taken <= 100 else b"452 too many recipients\r\n")


# 150 recipients say the same however the replies are cut
@cuts("whole")
@needs("partial-recipients")
@clause("rfc5321-4.5.3.1.8-hundred-at-a-time")
def test_recipients_over_a_hundred_follow_in_a_second_message(client: Client) -> None:
    """When the server takes a hundred recipients at a time, the rest is served by another transaction."""
    recipients = [f"user{number}@lab.example" for number in range(150)]
    full = _Full()

    exchange = client.submit_to_script(
        Manners(answers={"MAIL": full.mail, "RCPT": full.rcpt}), transaction(SMALL_MESSAGE, recipients)
    )

    served = [address for talk in exchange.conversations for address in _served(talk)]
    assert sorted(served) == sorted(recipients), f"{len(served)} of 150 recipients were served"


def _served(talk: Conversation) -> list[str]:
    """Recipients that were accepted in transactions which got as far as DATA."""
    served: list[str] = []
    waiting: list[str] = []
    replies = iter(talk.replies[1:])
    for command, reply in zip(talk.commands, replies, strict=False):
        if command.verb == "MAIL":
            waiting = []
        elif command.verb == "RCPT" and reply.code == 250:
            waiting.append(command.path.decode("latin-1"))
        elif command.verb == "DATA" and reply.code == 354:
            next(replies, None)
            served += waiting
    return served


@clause("rfc5321-7.2-client-keeps-blind-copies-blind")
def test_recipients_are_not_copied_into_the_message(client: Client) -> None:
    """Who is named in the envelope alone is not named in the message."""
    secret = "blind@lab.example"

    exchange = client.submit_to_script(
        Manners(), transaction(SMALL_MESSAGE, ["recipient@lab.example", secret])
    )

    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"
    head = exchange.conversation.payloads[0].partition(b"\r\n\r\n")[0].lower()
    assert secret.encode() not in head, f"the header names the blind recipient: {head!r}"
    assert b"\r\nbcc:" not in b"\r\n" + head, f"the header has a Bcc field: {head!r}"
