"""Pieces of rounds: a machine that is slow for a while changes no figure, a server that is slow does."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from lab.bench.generator import Outcome
from lab.bench.pieces import Piece, Rounds
from lab.bench.statistics import variation

QUESTIONS = 1000
NOTHING = np.array([], dtype=np.uint64)


def piece(speed: float, server: float = 30e-6, generator: float = 10e-6) -> Piece:
    """A piece on a machine of this speed; the seconds that server and generator take for a question at speed 1."""
    used, cpu = generator * QUESTIONS / speed, server * QUESTIONS / speed
    outcome = Outcome(QUESTIONS, used + cpu, used, used / (used + cpu), NOTHING, NOTHING)
    figures = {"throughput": outcome.rate, "cpu": cpu / QUESTIONS * 1e6, "latency-p50": cpu / QUESTIONS * 1e6}
    return Piece.of(outcome, figures)


def rounds(*pieces: Sequence[Piece], paced: bool = True) -> Rounds:
    """Rounds of these pieces, all whole."""
    made = Rounds(paced=paced)
    for each in pieces:
        for one in each:
            made.add(one)
        made.end_round()
    return made


def test_the_pace_of_the_machine_is_taken_out() -> None:
    """A machine that wavers by a tenth and is at half its speed now and then: all figures are those of its usual speed."""
    luck = random.Random(1)
    speeds = [[luck.gauss(1, 0.1) / luck.choice((1, 1, 1, 2)) for _ in range(5)] for _ in range(10)]
    found = rounds(*([piece(speed) for speed in each] for each in speeds))
    usual = float(np.median(speeds))
    assert variation(found.paces()) > 0.2
    assert found.values("cpu") == pytest.approx([30.0 / usual] * 10)
    assert found.values("throughput") == pytest.approx([usual / 40e-6] * 10)


def test_a_latency_is_as_it_was_measured() -> None:
    """At a given rate it is a matter of waiting, too: no pace is taken out."""
    found = rounds([piece(0.5)], [piece(1.0)], paced=False)
    assert found.values("latency-p50") == pytest.approx((60.0, 30.0))


def test_a_server_that_becomes_slower_shows() -> None:
    """The generator took as long as before: it was the server, and not the machine."""
    found = rounds([piece(1.0)], [piece(1.0, server=60e-6)])
    assert found.values("cpu") == pytest.approx((30.0, 60.0))
    assert found.values("throughput")[0] > 1.5 * found.values("throughput")[1]


def test_what_comes_between_in_one_piece_of_a_round_does_not_count() -> None:
    """One piece of three in which the server took ten times as long."""
    found = rounds([piece(1.0), piece(1.0, server=300e-6), piece(1.0)])
    assert found.values("cpu") == pytest.approx([30.0])


def test_a_round_that_was_broken_off_has_no_value() -> None:
    """What was taken of it tells the machine's pace all the same; and a server that nothing was asked of has no value at all."""
    found = rounds([piece(1.0)])
    found.add(piece(0.5))
    assert len(found.values("cpu")) == 1
    assert len(found.paces()) == 2
    assert rounds([], []).values("cpu") == ()


def test_a_generator_that_is_busy_in_most_pieces_is_a_limit() -> None:
    """Nine tenths of the core in two of three pieces are too much, in one they are not."""
    busy, idle = piece(1.0, server=1e-6), piece(1.0)
    for pieces, limited in (([busy, idle, busy], True), ([idle, busy, idle], False)):
        found = Rounds()
        for one in pieces:
            found.add(one)
        assert found.limited() is limited
