"""The scripted peer's answers: whose turn it is, and what a client finds that does not wait for the end of one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.wire.answers import (
    Answer,
    Held,
    Pieces,
    Table,
    close,
    give,
    reset,
    say_and_be_silent,
    say_and_close,
    say_late,
    silence,
)
from lab.wire.driver import connect
from lab.wire.script import ScriptedPeer
from lab.wire.stream import RecordedStream


@contextmanager
def client_of(answer: Answer) -> Iterator[RecordedStream]:
    """A client that has asked, of a peer that gives this answer to every line."""

    def dialogue(stream: RecordedStream) -> None:
        while True:
            stream.receive_line()
            give(answer, stream)

    with ScriptedPeer(dialogue) as peer, connect(peer.endpoint) as client:
        client.send(b"ask\r\n")
        yield client


def test_turns_are_counted_and_the_last_answer_stays() -> None:
    """Each time the next; what is the same every time, and what nobody wrote down, has no turns."""
    table = Table({"row": [b"1", None, b"3"], "one": b"always"})

    assert [table.next("row") for _ in range(4)] == [b"1", None, b"3", b"3"]
    assert [table.next("one"), table.next("one"), table.next("none")] == [b"always", b"always", None]


def test_one_row_under_two_names_is_one_row() -> None:
    """The second name goes on where the first stopped; an equal row of its own begins anew."""
    row = [b"1", b"2", b"3"]
    table = Table({"a": row, "b": row, "c": list(row)})

    assert [table.next(name) for name in "abc"] == [b"1", b"2", b"1"]


@pytest.mark.parametrize(
    ("answer", "said", "ended"),
    [
        (close, b"", "eof"),
        (reset, b"", "reset"),
        (say_and_close(b"half"), b"half", "eof"),
    ],
    ids=["close", "reset", "say-and-close"],
)
def test_an_answer_that_ends_the_connection(answer: Answer, said: bytes, ended: str) -> None:
    """The client gets what is said, and the end as it was made."""
    with client_of(answer) as client:
        assert client.receive_to_end() == said
        assert client.ended == ended


@pytest.mark.parametrize(
    ("answer", "said"),
    [(silence, b""), (say_and_be_silent(b"half"), b"half")],
    ids=["silence", "say-and-be-silent"],
)
def test_silence_ends_with_the_client(answer: Answer, said: bytes) -> None:
    """Nothing more comes, and the connection stays."""
    with client_of(answer) as client:
        assert client.receive_what_comes(0.2) == said
        assert client.ended is None


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (say_late(b"one two\r\n", 0.2), 0.2),
        (Held(b"one ", b"two\r\n", pause=0.1), 0.2),
        (Pieces(b"one ", b"two\r\n", pause=0.1), 0.1),
    ],
    ids=["late", "held", "pieces"],
)
def test_a_client_that_waits_is_told_all_in_time(answer: Answer, seconds: float) -> None:
    """All pauses are kept."""
    began = time.monotonic()
    with client_of(answer) as client:
        assert client.receive_line() == b"one two\r\n"

    assert time.monotonic() - began >= seconds


def test_pieces_begin_at_once() -> None:
    """The first piece comes before any pause."""
    pieces = Pieces(b"one ", b"two\r\n", pause=60)
    with client_of(pieces) as client:
        assert client.receive_until(b" ") == b"one "

    assert (pieces.octets, pieces.early) == (b"one two\r\n", b"")


@pytest.mark.parametrize("kind", [Held, Pieces])
def test_a_client_that_does_not_wait_finds_the_connection_closed(kind: type[Held]) -> None:
    """What it said too early is told; the next connection is served as the first."""
    answer = kind(b"one ", b"two\r\n", pause=0.2)

    with client_of(answer) as client:
        client.send(b"more\r\n")
        assert not client.receive_to_end().endswith(b"two\r\n")
    with client_of(answer) as client:
        assert client.receive_line() == b"one two\r\n"

    assert answer.early == b"more\r\n"
