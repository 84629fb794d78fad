"""A transcript as a reader meets it: turns side by side, segments joined, long data folded.

It knows transcripts; it must not know pages or any protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.judge.report.visible import Piece, pieces
from lab.judge.runs import Event, Transcript

# Octets of one turn shown at once, and octets shown behind the fold; what lies beyond is only counted.
_OPEN: Final = 2_000
_FOLDED: Final = 40_000
# Turns with more segments than this show no seams: a stream cut at every octet would be nothing but seams.
_SEAMS: Final = 40
SEAM: Final = Piece("seam", "")


@dataclass(frozen=True, slots=True)
class Turn:
    """One row: who sent it, when it began and ended (seconds), and the octets in up to three parts.

    `opening` is shown, `folded` lies behind a fold, `beyond` counts the octets left out here, `omitted` those that the
    transcript left out. `segments` is the number of writes joined. For a turn that is no data, `kind` says what it is and `note` what came with it.
    """

    sender: str
    kind: str
    began: float
    ended: float
    segments: int
    octets: int
    opening: list[Piece]
    folded: list[Piece]
    folded_octets: int
    beyond: int
    omitted: int
    note: str


def turns(transcript: Transcript) -> list[Turn]:
    """The rows of a transcript: neighbouring data of one side is one turn."""
    return [_turn(events) for events in _joined(transcript.events)]


def _joined(events: Sequence[Event]) -> Iterator[list[Event]]:
    pending: list[Event] = []
    for event in events:
        if pending and not (event.kind == "data" == pending[-1].kind and event.sender == pending[-1].sender):
            yield pending
            pending = []
        pending.append(event)
    if pending:
        yield pending


def _turn(events: list[Event]) -> Turn:
    first, last = events[0], events[-1]
    data = b"".join(event.data for event in events)
    seams: list[int] = []
    if 1 < len(events) <= _SEAMS:
        at = 0
        for event in events[:-1]:
            at += len(event.data)
            seams.append(at)
    shut = _fold_at(data)
    end = min(len(data), shut + _FOLDED)
    return Turn(
        sender=first.sender,
        kind=first.kind,
        began=first.seconds,
        ended=last.seconds,
        segments=len(events),
        octets=len(data),
        opening=_with_seams(data, 0, shut, seams),
        folded=_with_seams(data, shut, end, seams),
        folded_octets=end - shut,
        beyond=len(data) - end,
        omitted=sum(event.omitted for event in events),
        note=first.note,
    )


def _fold_at(data: bytes) -> int:
    """Where to fold: after a line's end near the limit, if there is one in the second half of what is shown."""
    if len(data) <= _OPEN + _OPEN // 4:
        return len(data)
    line = data.rfind(b"\n", _OPEN // 2, _OPEN)
    return line + 1 if line >= 0 else _OPEN


def _with_seams(data: bytes, start: int, end: int, seams: list[int]) -> list[Piece]:
    found: list[Piece] = []
    at = start
    for seam in [one for one in seams if start < one < end]:
        found += [*pieces(data[at:seam]), SEAM]
        at = seam
    return found + pieces(data[at:end])
