"""Verdicts that say the same, told once: cuts of one case that agree are one line.

It knows verdicts; it must not know files or markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lab.judge.report import words
from lab.judge.report.model import Subject
from lab.judge.runs import VerdictRow


@dataclass(frozen=True, slots=True)
class Line:
    """Verdicts of one case on one implementation and peer that differ only in how the stream was cut.

    `seconds` is the longest of them; `transcripts` pairs a label with the transcript's path.
    """

    first: VerdictRow
    cuts: tuple[str, ...]
    seconds: float
    transcripts: tuple[tuple[str, str], ...]

    @property
    def subject(self) -> Subject:
        """The implementation."""
        return Subject(self.first.protocol, self.first.role, self.first.implementation)


def lines(verdicts: Iterable[VerdictRow]) -> list[Line]:
    """Gather verdicts, heaviest first, then by implementation, case and peer."""
    gathered: dict[tuple[object, ...], list[VerdictRow]] = {}
    for one in verdicts:
        key = (
            one.case,
            one.protocol,
            one.role,
            one.implementation,
            one.peer,
            one.verdict,
            one.reason,
            one.attempts,
            one.known,
            one.expected,
        )
        gathered.setdefault(key, []).append(one)
    found = [
        Line(
            first=rows[0],
            cuts=tuple(dict.fromkeys(row.cut for row in rows)),
            seconds=max(row.seconds for row in rows),
            transcripts=tuple(_labelled(rows)),
        )
        for rows in gathered.values()
    ]
    return sorted(found, key=lambda line: (words.weight(line.first.verdict), line.subject, line.first.key))


def _labelled(rows: Sequence[VerdictRow]) -> Iterator[tuple[str, str]]:
    for row in rows:
        label = row.cut if row.cut != "-" else "transcript"
        for number, name in enumerate(row.transcripts, start=1):
            yield (f"{label} {number}" if len(row.transcripts) > 1 else label), name
