"""Controls: a known-good conversation opens and closes each run, and known-bad ones show that the oracle can say no."""

from __future__ import annotations

import pytest

from lab.judge.marks import control
from lab.wire.driver import connect
from lab.wire.transcript import Transcript
from suites.smtp.conversation import Conversation
from suites.smtp.mailbox import wait_for
from suites.smtp.mailhost import Mailhost
from suites.smtp.message import message, new_token, stuff
from suites.smtp.replies import parse_reply
from suites.smtp.session import SmtpSession


def known_good(peer: Mailhost) -> None:
    """The driver submits a message with dots in it; exactly its octets can be read back."""
    token = new_token()
    sent = message(b".\r\n.dot\r\nlast\r\n")
    with connect(peer.endpoint()) as stream:
        session = SmtpSession(stream)
        session.ehlo()
        accepted = session.deliver(peer.recipient(token), sent)
        session.quit()

    arrived = wait_for(peer.mailbox, token)

    assert accepted.code == 250, f"the message was answered {accepted}"
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"


@control("opening")
def test_known_good_conversation_opens_the_run(peer: Mailhost) -> None:
    """Before the first case the peer takes and keeps a message."""
    known_good(peer)


@control("closing")
def test_known_good_conversation_closes_the_run(peer: Mailhost) -> None:
    """After the last case the peer still does: no case has spoilt it for others."""
    known_good(peer)


@control("opening")
def test_oracle_sees_an_undoubled_dot() -> None:
    """A client that does not double a dot is told from one that does."""
    content = message(b"before\r\n.hidden\r\nafter\r\n")

    def payloads(octets: bytes) -> list[bytes]:
        transcript = Transcript()
        for side, data in (
            ("server", b"220 mx ESMTP\r\n"),
            ("client", b"DATA\r\n"),
            ("server", b"354 go on\r\n"),
            ("client", octets),
        ):
            transcript.record(side, "data", data)  # type: ignore[arg-type]  # the sides above are literals
        return Conversation(transcript).payloads

    assert payloads(stuff(content)) == [stuff(content)]
    assert payloads(content + b".\r\n") != [stuff(content)]


@control("opening")
@pytest.mark.parametrize(
    "octets",
    [b"25 no code\r\n", b"250ok\r\n", b"250-a\r\n251 b\r\n", b"250 caf\xe9\r\n"],
    ids=["code", "space", "mixed", "8-bit"],
)
def test_oracle_sees_a_malformed_reply(octets: bytes) -> None:
    """A reply that breaks the grammar is told from one that keeps it."""
    assert parse_reply([b"250 fine\r\n"]).problems == ()
    assert parse_reply(octets.splitlines(keepends=True)).problems
