"""Transcripts: what is written of them, and what is not."""

from __future__ import annotations

import gc
import json
import tempfile
from pathlib import Path
from typing import IO

import pytest

from lab.wire import transcript as module
from lab.wire.transcript import Transcript


def rows(path: Path) -> list[dict[str, object]]:
    """The events written."""
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()[1:]]


def test_secret_cut_into_octets_is_masked(tmp_path: Path) -> None:
    """A password that came octet by octet, with pauses, is not in the file."""
    moments = iter(range(1000))
    talk = Transcript(clock=lambda: float(next(moments)))
    for octet in b"PASS hunter2\r\n":
        talk.record("client", "data", bytes([octet]))
        talk.record("server", "note", b"slow")

    talk.write(tmp_path / "t.jsonl", mask=[b"hunter2"])

    said = "".join(str(row["data"]) for row in rows(tmp_path / "t.jsonl") if row["kind"] == "data")
    assert said == "PASS *******\r\n"


def test_segments_sent_at_once_stand_as_one_event(tmp_path: Path) -> None:
    """Segments of one turn are one event that says how many they were; turns stay apart."""
    talk = Transcript(clock=lambda: 0.0)
    for octet in b"EHLO":
        talk.record("client", "data", bytes([octet]))
    talk.record("server", "data", b"250")
    talk.record("client", "data", b"QUIT")

    talk.write(tmp_path / "t.jsonl")

    shown = [(row["from"], row["data"], row.get("segments")) for row in rows(tmp_path / "t.jsonl")]
    assert shown == [("client", "EHLO", 4), ("server", "250", None), ("client", "QUIT", None)]


def test_octets_beyond_memory_are_kept_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit in memory is spooled, and comes back in order and whole."""
    monkeypatch.setattr(module, "MEMORY_LIMIT", 10)
    talk = Transcript()
    parts = [bytes([65 + number]) * 7 for number in range(6)]
    for part in parts:
        talk.record("client", "data", part)

    assert [event.data for event in talk.events()] == parts
    assert talk.octets("client") == b"".join(parts)
    talk.close()


def test_what_comes_after_the_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialogue that outlives its case opens no spool anew, which nobody would close."""
    monkeypatch.setattr(module, "MEMORY_LIMIT", 10)
    talk = Transcript()
    talk.record("client", "data", b"short")
    talk.close()

    talk.record("server", "data", b"more than ten octets")

    assert [event.data for event in talk.events()] == [b"short"]


def test_a_forgotten_transcript_closes_its_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcript that nobody closes leaves no open file behind, also where a cycle holds it."""
    monkeypatch.setattr(module, "MEMORY_LIMIT", 10)
    opened: list[IO[bytes]] = []
    make = tempfile.TemporaryFile

    def remember(*, prefix: str) -> IO[bytes]:
        opened.append(make(prefix=prefix))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", remember)
    cycle: list[object] = [Transcript()]
    cycle.append(cycle)
    assert isinstance(cycle[0], Transcript)
    cycle[0].record("client", "data", b"more than ten octets")
    assert [file.closed for file in opened] == [False]

    del cycle
    gc.collect()

    assert [file.closed for file in opened] == [True]


def test_long_data_is_folded_with_its_digest(tmp_path: Path) -> None:
    """Very long data keeps its beginning, how much was left out, and a digest of all of it."""
    talk = Transcript()
    talk.record("server", "data", b"x" * 100_000)

    talk.write(tmp_path / "t.jsonl")

    (row,) = rows(tmp_path / "t.jsonl")
    assert len(str(row["data"])) + int(str(row["omitted"])) == 100_000
    assert len(str(row["sha256"])) == 64
