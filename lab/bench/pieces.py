"""What the pieces of a server's load say of a round, whatever the machine did meanwhile.

Knows outcomes of load and the figures they give. Must not know servers, nor in which order pieces are taken.

A machine is now faster and now slower: its clock changes, and whoever shares its cores and caches comes and goes. The load
generator does the same work for every question, on the same core and in the same milliseconds as the server. So its own processor
time for a question tells how fast the machine was in a piece; figures are put as they would have been at its usual pace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from lab.bench import generator
from lab.bench.generator import Outcome
from lab.bench.quantities import QUANTITIES
from lab.bench.statistics import middle


@dataclass(frozen=True, slots=True)
class Piece:
    """One run of load.

    Attributes:
        figures: the value of each quantity, as measured.
        busy: the generator's share of its core.
        pace: questions for each second of the generator's processor time.
    """

    figures: dict[str, float]
    busy: float
    pace: float

    @classmethod
    def of(cls, outcome: Outcome, figures: dict[str, float]) -> Piece:
        """The piece that a run was; `figures` are what it says of the server."""
        return cls(figures, outcome.busy, outcome.answered / outcome.cpu_seconds)


@dataclass(slots=True)
class Rounds:
    """The pieces of one load of one server, round by round.

    `paced` where figures are a matter of how fast things are done; a latency at a given rate is one of waiting, too.
    """

    paced: bool = True
    _rounds: list[list[Piece]] = field(default_factory=lambda: [[]], init=False)

    def add(self, piece: Piece) -> None:
        """Take a piece into the round."""
        self._rounds[-1].append(piece)

    def end_round(self) -> None:
        """The round is whole."""
        self._rounds.append([])

    def busy(self) -> float:
        """The generator's share of its core in the round."""
        return median(piece.busy for piece in self._rounds[-1])

    def limited(self) -> bool:
        """Whether the generator itself may have been the limit of the round."""
        return self.busy() > generator.BUSIEST

    def paces(self) -> list[float]:
        """How fast the machine was in each piece: 1 at its usual pace."""
        found = [piece.pace for pieces in self._rounds for piece in pieces]
        usual = median(found) if found else 1.0
        return [pace / usual for pace in found]

    def values(self, quantity: str) -> tuple[float, ...]:
        """The quantity in each whole round: the middle of its pieces, so that what comes between in one does not count."""
        paces = iter(self.paces())
        return tuple(
            middle(self._at_usual_pace(quantity, piece.figures[quantity], next(paces)) for piece in pieces)
            for pieces in self._rounds[:-1]
            if pieces
        )

    def _at_usual_pace(self, quantity: str, value: float, pace: float) -> float:
        if not self.paced:
            return value
        return value / pace if QUANTITIES[quantity].is_rate else value * pace
