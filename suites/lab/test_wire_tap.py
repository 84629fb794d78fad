"""The tap: it records every octet, cuts as it is told, and breaks a connection the way it says."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.wire.authority import Authority
from lab.wire.contexts import client_context, server_context
from lab.wire.driver import connect
from lab.wire.faults import Corruption, Cut, Treatment
from lab.wire.interception import Interception
from lab.wire.script import ScriptedPeer
from lab.wire.segmentation import lines, octets
from lab.wire.stream import Ended, Overdue, RecordedStream, StreamError
from lab.wire.tap import Tap
from suites.waiting import wait_until


def echo(stream: RecordedStream) -> None:
    """Send back each line in capitals until the client ends."""
    while True:
        stream.send(stream.receive_until(b"\n").upper())


@pytest.fixture
def peer() -> Iterator[ScriptedPeer]:
    """A peer that answers lines."""
    with ScriptedPeer(echo) as running:
        yield running


def test_both_directions_are_recorded_in_order(peer: ScriptedPeer) -> None:
    """The transcript holds what each side said, in the order in which it passed."""
    with Tap(peer.endpoint) as tap:
        with connect(tap.endpoint) as stream:
            for word in (b"one\n", b"two\n"):
                stream.send(word)
                assert stream.receive_until(b"\n") == word.upper()
        transcript = tap.transcripts[0]
        assert wait_until(lambda: transcript.saw("client", "eof"))

    said = [(event.side, event.data) for event in transcript.events() if event.kind == "data"]
    assert said == [("client", b"one\n"), ("server", b"ONE\n"), ("client", b"two\n"), ("server", b"TWO\n")]
    times = [event.time for event in transcript.events()]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("treatment", "pieces"),
    [(Treatment(segmentation=octets), 9), (Treatment(segmentation=lines), 2)],
    ids=["octets", "lines"],
)
def test_segmentation_cuts_what_the_client_receives(treatment: Treatment, pieces: int) -> None:
    """The peer's octets reach the client in as many segments as the treatment makes."""
    release = threading.Event()

    def greet(stream: RecordedStream) -> None:
        stream.send(b"hello\nyou")
        release.wait(5)

    received: list[bytes] = []
    with ScriptedPeer(greet) as peer, Tap(peer.endpoint, from_server=treatment) as tap:
        relay_sends = _count_sends(tap)
        sock = socket.create_connection((tap.endpoint.host, tap.endpoint.port), 5)
        with sock:
            while sum(map(len, received)) < 9:
                received.append(sock.recv(100))
            release.set()
    assert b"".join(received) == b"hello\nyou"
    assert relay_sends() == pieces


def _count_sends(tap: Tap) -> Callable[[], int]:
    """How many segments the treatment of the server's octets has made."""
    treatment = tap.from_server
    counted: list[bytes] = []
    cut = treatment.segmentation

    def counting(data: bytes) -> Iterator[bytes]:
        for piece in cut(data):
            counted.append(piece)
            yield piece

    tap.from_server = Treatment(segmentation=counting)
    return lambda: len(counted)


def test_delay_holds_octets_back(peer: ScriptedPeer) -> None:
    """An answer is held for the seconds asked for, and arrives whole."""
    with Tap(peer.endpoint, from_server=Treatment(delay=0.2)) as tap, connect(tap.endpoint) as stream:
        begun = time.monotonic()
        stream.send(b"late\n")
        assert stream.receive_until(b"\n") == b"LATE\n"
        assert time.monotonic() - begun >= 0.2


def test_coalescing_joins_segments() -> None:
    """Octets sent one by one arrive in one segment when they are held together."""
    gathered: list[bytes] = []

    def gather(stream: RecordedStream) -> None:
        gathered.append(stream.receive_what_comes(0.5))

    holding = Treatment(coalesce=0.1)
    with (
        ScriptedPeer(gather) as peer,
        Tap(peer.endpoint, from_client=holding) as tap,
        connect(tap.endpoint) as stream,
    ):
        stream.segmentation = octets
        stream.send(b"hello")
        assert wait_until(lambda: bool(peer.transcripts) and peer.transcripts[0].octets("client") == b"hello")
        arrived = [event.data for event in peer.transcripts[0].events() if event.kind == "data"]
    assert arrived == [b"hello"]


def test_corruption_changes_one_octet(peer: ScriptedPeer) -> None:
    """The octet at the offset changes on its way; the transcript keeps what was said."""
    with Tap(peer.endpoint, from_client=Treatment(corruption=Corruption(at=1, mask=0x03))) as tap:
        with connect(tap.endpoint) as stream:
            stream.send(b"abcd\n")
            assert stream.receive_until(b"\n") == b"AACD\n"
        assert tap.transcripts[0].octets("client") == b"abcd\n"


@pytest.mark.parametrize("kind", ["fin", "rst"])
def test_cut_breaks_after_the_octets(peer: ScriptedPeer, kind: str) -> None:
    """After so many octets of the server's the client sees the end, in order or by reset."""
    cut = Cut(after=3, kind="fin" if kind == "fin" else "rst")
    with Tap(peer.endpoint, from_server=Treatment(cut=cut)) as tap, connect(tap.endpoint) as stream:
        stream.send(b"hello\n")
        with pytest.raises(Ended):
            stream.receive_until(b"\n")
        assert stream.ended == ("eof" if kind == "fin" else "reset")
        assert tap.transcripts[0].saw("lab", "fault")


def test_silence_keeps_the_connection_open(peer: ScriptedPeer) -> None:
    """After the cut nothing more comes, and nothing ends."""
    falling_silent = Treatment(cut=Cut(after=2, kind="silence"))
    with Tap(peer.endpoint, from_server=falling_silent) as tap, connect(tap.endpoint, timeout=0.3) as stream:
        stream.send(b"hello\n")
        assert stream.receive_exactly(2) == b"HE"
        with pytest.raises(Overdue):
            stream.receive_exactly(1)
        assert stream.ended is None


def test_half_close_passes_through() -> None:
    """A client that ends its direction still gets the answer to all of it."""

    def answer_at_the_end(stream: RecordedStream) -> None:
        stream.send(b"%d octets" % len(stream.receive_to_end()))

    with ScriptedPeer(answer_at_the_end) as peer, Tap(peer.endpoint) as tap, connect(tap.endpoint) as stream:
        stream.send(b"x" * 100_000)
        stream.half_close()
        assert stream.receive_to_end() == b"100000 octets"


def test_unreachable_peer_is_noted_and_the_client_is_reset(peer: ScriptedPeer) -> None:
    """The tap says that it was the peer who could not be reached."""
    peer.close()
    with Tap(peer.endpoint) as tap:
        with connect(tap.endpoint) as stream, pytest.raises(Ended, match="reset"):
            stream.receive_exactly(1)
        assert wait_until(lambda: bool(tap.unreachable))


def test_starttls_is_intercepted_and_recorded_in_clear(tmp_path: Path) -> None:
    """When the words are said both sides turn to TLS, and the transcript goes on in clear."""
    authority = Authority.create(tmp_path)
    leaf = authority.issue("leaf", ["localhost"])

    def upgrade(stream: RecordedStream) -> None:
        assert stream.receive_until(b"\n") == b"STARTTLS\r\n"
        stream.send(b"220 go\r\n")
        stream.start_tls(server_context(leaf))
        stream.send(b"secret " + stream.receive_until(b"\n"))

    interception = Interception(
        server_context(leaf),
        client_context(authority.certificate),
        "localhost",
        request=re.compile(rb"STARTTLS\r\n\Z"),
        reply=re.compile(rb"220[^\n]*\n"),
    )
    with ScriptedPeer(upgrade) as peer, Tap(peer.endpoint, interception=interception) as tap:
        with connect(tap.endpoint) as stream:
            stream.send(b"STARTTLS\r\n")
            assert stream.receive_until(b"\n") == b"220 go\r\n"
            stream.start_tls(client_context(authority.certificate), server_name="localhost")
            stream.send(b"word\n")
            assert stream.receive_until(b"\n") == b"secret word\n"
        transcript = tap.transcripts[0]
    assert transcript.octets("client") == b"STARTTLS\r\nword\n"
    assert transcript.octets("server") == b"220 go\r\nsecret word\n"
    assert transcript.saw("lab", "tls")


def test_large_streams_pass_both_ways_at_once() -> None:
    """Ten megabytes each way, sent before anything is read, pass: the tap adds no deadlock of its own."""
    size = 10_000_000

    def both_ways(stream: RecordedStream) -> None:
        writer = threading.Thread(target=stream.send, args=(b"s" * size,))
        writer.start()
        stream.receive_exactly(size)
        writer.join()

    with (
        ScriptedPeer(both_ways, timeout=20) as peer,
        Tap(peer.endpoint) as tap,
        connect(tap.endpoint, timeout=20) as stream,
    ):
        writer = threading.Thread(target=stream.send, args=(b"c" * size,))
        writer.start()
        try:
            received = stream.receive_exactly(size)
        except StreamError as error:
            pytest.fail(f"{error}; the peer left because of {peer.departures}")
        assert received == b"s" * size
        writer.join()
    assert peer.departures == []
