"""Properties: whatever the body and however the stream is cut, what arrives is what was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.judge.marks import clause, cuts, needs, role
from lab.judge.properties import in_profile
from lab.wire.segmentation import Segmentation
from lab.wire.transcript import Transcript
from suites.smtp.conversation import Conversation
from suites.smtp.message import message, stuff, unstuff
from suites.smtp.model import bodies, octets, segmentations
from suites.smtp.replies import parse_reply
from suites.smtp.subjects import Client, Server

# the cut is drawn by the property itself, so each runs once


@role("client")
@cuts("whole")
@clause("rfc5321-4.5.2-leading-dot-doubled")
def test_any_body_arrives_unchanged_from_client(client: Client, profile: str) -> None:
    """A property: any legal body is sent so that the receiver gets exactly its octets."""

    @in_profile(profile, quick=25, deep=2000)
    @given(body=bodies)
    def arrives(body: bytes) -> None:
        sent = message(body)
        exchange = client.submit_to_script_once(sent)
        assert exchange.conversation.payloads == [stuff(sent)], (
            f"{body!r} was sent as {exchange.conversation.payloads}"
        )

    arrives()


@role("server")
@needs("delivery")
@cuts("whole")
@clause("rfc5321-4.5.2-leading-dot-removed")
def test_any_body_arrives_unchanged_at_server(server: Server, profile: str) -> None:
    """A property: any legal body, cut anywhere, is stored octet for octet."""
    session = server.connect()
    session.ehlo()

    @in_profile(profile, quick=25, deep=2000)
    @given(body=bodies, cut=segmentations())
    def arrives(body: bytes, cut: Segmentation) -> None:
        sent = message(body)
        token, recipient = server.recipient()
        session.stream.segmentation = cut
        reply = session.deliver(recipient, sent)
        assert reply.code == 250, f"{body!r} was answered {reply}"
        arrived = server.arrived(token)
        assert [stored.endswith(sent) for stored in arrived] == [True], f"{body!r} was stored as {arrived}"

    arrives()


@given(body=bodies)
def test_stuffing_round_trip(body: bytes) -> None:
    """What is made transparent and undone is what it was, and holds no early end."""
    stuffed = stuff(body)

    assert stuffed.endswith(b".\r\n")
    assert b"\r\n.\r\n" not in stuffed[:-3] + b"x"
    assert unstuff(stuffed[:-3]) == body


@given(raw=st.lists(octets, min_size=1, max_size=5))
def test_reply_reader_takes_any_octets(raw: list[bytes]) -> None:
    """The reply reader gives an answer for any octets, and problems for what is no reply."""
    reply = parse_reply(raw)

    assert reply.octets == b"".join(raw)
    assert reply.problems or 200 <= reply.code <= 559


@given(turns=st.lists(st.tuples(st.sampled_from(["client", "server"]), octets), max_size=12))
def test_conversation_reader_loses_no_octets(turns: list[tuple[str, bytes]]) -> None:
    """Whatever both sides said, each of the client's octets is in a command, a payload or the rest."""
    transcript = Transcript()
    for side, data in turns:
        transcript.record(side, "data", data)  # type: ignore[arg-type]  # the strategy draws only these two

    talk = Conversation(transcript)

    said = b"".join(data for side, data in turns if side == "client")
    kept = sum(len(command.line) + len(command.ending) for command in talk.commands)
    kept += sum(map(len, talk.payloads)) + sum(map(len, talk.chunks)) + len(talk.unfinished)
    kept += talk.response_octets
    assert kept == len(said)
