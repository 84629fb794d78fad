"""Every octet of a conversation, in both directions, with its time.

Knows events and their order. Must not know what the octets mean.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

Side = Literal["client", "server", "lab"]
SIDES: tuple[Side, ...] = ("client", "server", "lab")
Kind = Literal["open", "data", "eof", "reset", "tls", "fault", "note"]

#: Octets held in memory before the rest of a conversation goes to a temporary file.
MEMORY_LIMIT = 32 * 1024 * 1024
#: Longest stretch of data one event keeps in a written transcript; longer ones are folded.
WRITTEN_LIMIT = 16 * 1024
#: Seconds within which segments of one side are written as one event that says how many they were.
SEGMENT_GAP = 0.02


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: ``time`` in seconds since the transcript began."""

    time: float
    side: Side
    kind: Kind
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class _Spooled:
    """Where an event's data lies in the spool file."""

    offset: int
    length: int


class Transcript:
    """Events in the order they were seen; safe to record from several threads."""

    def __init__(
        self,
        client: str = "client",
        server: str = "server",
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.client = client
        self.server = server
        self.started = datetime.now(UTC)
        self._clock = clock
        self._origin = clock()
        self._lock = threading.Lock()
        self._events: list[tuple[float, Side, Kind, bytes | _Spooled]] = []
        self._in_memory = 0
        self._spool: IO[bytes] | None = None
        self._closed = False

    def record(self, side: Side, kind: Kind, data: bytes = b"") -> None:
        """Add an event that happens now; once the transcript is closed, it is lost."""
        moment = self._clock() - self._origin
        with self._lock:
            if self._closed:
                return
            self._events.append((moment, side, kind, self._keep(data)))

    def _keep(self, data: bytes) -> bytes | _Spooled:
        if not data or self._in_memory + len(data) <= MEMORY_LIMIT:
            self._in_memory += len(data)
            return data
        if self._spool is None:
            # the spool lives as long as the transcript: no block can own it
            self._spool = tempfile.TemporaryFile(prefix="erle-transcript-")  # noqa: SIM115
            weakref.finalize(self, self._spool.close)
        offset = self._spool.seek(0, 2)
        self._spool.write(data)
        return _Spooled(offset, len(data))

    def _restore(self, kept: _Spooled) -> bytes:
        with self._lock:
            if self._spool is None:
                message = "the transcript was closed; its spooled octets are gone"
                raise ValueError(message)
            self._spool.seek(kept.offset)
            return self._spool.read(kept.length)

    def events(self) -> Iterator[Event]:
        """All events so far, oldest first."""
        with self._lock:
            kept = list(self._events)
        for moment, side, kind, data in kept:
            yield Event(moment, side, kind, data if isinstance(data, bytes) else self._restore(data))

    def octets(self, side: Side) -> bytes:
        """Everything that side sent, joined."""
        return b"".join(event.data for event in self.events() if event.side == side and event.kind == "data")

    def saw(self, side: Side, kind: Kind) -> bool:
        """Whether such an event was recorded."""
        with self._lock:
            return any(entry[1] == side and entry[2] == kind for entry in self._events)

    def close(self) -> None:
        """Record nothing more, and let go of the spool; what it held can no longer be read."""
        with self._lock:
            self._closed = True
            if self._spool is not None:
                self._spool.close()
                self._spool = None

    def write(self, path: Path, mask: Iterable[bytes] = ()) -> None:
        """Write the transcript as JSON lines (format: docs/results.md).

        Args:
            path: the file to write; replaced whole.
            mask: octets (passwords) that are replaced by asterisks in what is written.
        """
        secrets = [secret for secret in mask if secret]
        partial = path.with_suffix(".partial")
        with partial.open("w", encoding="ascii") as out:
            head = {"client": self.client, "server": self.server, "started": self.started.isoformat()}
            out.write(json.dumps(head) + "\n")
            joined = list(_joined(self.events()))
            for event, segments in _masked(joined, secrets) if secrets else joined:
                row = _written(event)
                if segments > 1:
                    row["segments"] = segments
                out.write(json.dumps(row) + "\n")
        partial.replace(path)


def _joined(events: Iterable[Event]) -> Iterator[tuple[Event, int]]:
    """Data events of one side that follow each other at once as one event, with how many they were."""
    run: list[Event] = []
    for event in events:
        if run and (
            event.kind != "data" or event.side != run[0].side or event.time - run[-1].time > SEGMENT_GAP
        ):
            yield replace(run[0], data=b"".join(part.data for part in run)), len(run)
            run = []
        if event.kind == "data":
            run.append(event)
        else:
            yield event, 1
    if run:
        yield replace(run[0], data=b"".join(part.data for part in run)), len(run)


def _masked(events: list[tuple[Event, int]], secrets: list[bytes]) -> Iterator[tuple[Event, int]]:
    """The events with asterisks for each secret, however a side's segments cut it."""
    shown: dict[Side, bytes] = {}
    for side in SIDES:
        whole = b"".join(event.data for event, _ in events if event.side == side and event.kind == "data")
        for secret in secrets:
            whole = whole.replace(secret, b"*" * len(secret))
        shown[side] = whole
    position = dict.fromkeys(SIDES, 0)
    for event, segments in events:
        if event.kind != "data":
            yield event, segments
            continue
        start = position[event.side]
        position[event.side] = start + len(event.data)
        yield replace(event, data=shown[event.side][start : position[event.side]]), segments


def _written(event: Event) -> dict[str, object]:
    data = event.data
    row: dict[str, object] = {"t": round(event.time, 6), "from": event.side, "kind": event.kind}
    if len(data) > WRITTEN_LIMIT:
        row["omitted"] = len(data) - WRITTEN_LIMIT
        row["sha256"] = hashlib.sha256(data).hexdigest()
        data = data[:WRITTEN_LIMIT]
    row["data"] = data.decode("latin-1")
    return row
