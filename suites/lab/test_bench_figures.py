"""Figures: ratios, intervals, and the refusal of a verdict, from numbers made up; and the file that keeps them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lab.bench.figures import Figure, figures_of
from lab.bench.record import find, merged, read, write
from lab.bench.statistics import histogram, middle, percentile, ratios, summarise
from lab.bench.target import Series
from lab.errors import UnknownName
from lab.judge.checked_json import RunError
from suites.lab.measured import record, series

STEADY = [100.0, 102.0, 99.0, 101.0, 98.0, 100.0, 103.0, 100.0, 99.0, 101.0]


def figure(one: Series, *others: Series) -> Figure:
    """The figure of the first series among all of them."""
    return figures_of([one, *others], "poll")[0]


def test_the_ratio_is_of_the_same_round() -> None:
    """A machine that slows down for both from round to round leaves the ratio as it is."""
    slowing = [100.0 / (1 + number / 5) for number in range(10)]
    found = figure(series("epoll", [1.2 * value for value in slowing]), series("poll", slowing))
    assert found.summary is not None
    assert found.ratio is not None
    assert found.summary.cv > 0.2
    assert found.ratio.median == pytest.approx(1.2)
    assert found.ratio.cv == pytest.approx(0, abs=1e-9)
    assert found.refused == ""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0], 1.5),
        ([900.0, 2.0, 1.0], 2.0),
        ([1.0, 900.0, 2.0, 3.0, -900.0], 2.0),
        ([9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 50.0], 5.6),
    ],
)
def test_the_middle_leaves_out_a_quarter_at_each_end(values: list[float], expected: float) -> None:
    """Of three and more values at least one at each end; there is none of no values."""
    assert middle(values) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no values"):
        middle([])


def test_a_noisy_ratio_gives_no_verdict() -> None:
    """Beyond a coefficient of variation of 5 % the figure says why it says nothing."""
    noisy = [value * (1.1 if number % 2 else 0.9) for number, value in enumerate(STEADY)]
    assert "coefficient of variation is 10." in figure(series("epoll", noisy), series("poll", STEADY)).refused
    assert figure(series("epoll", STEADY), series("poll", STEADY)).refused == ""


def test_one_round_gives_no_verdict() -> None:
    """Nothing is known of the variation."""
    assert "too few rounds" in figure(series("epoll", [1.0]), series("poll", [1.0])).refused


def test_no_reference_no_ratio() -> None:
    """Without the reference's figure in the same cell there is none, and so where the server was in trouble."""
    other = series("poll", STEADY, connections=100)
    assert "the reference was not measured" in figure(series("epoll", STEADY), other).refused
    assert figure(series("epoll", [], trouble="it died"), series("poll", STEADY)).refused == "it died"


def test_memory_is_not_compared() -> None:
    """A ratio of a few pages means nothing."""
    found = figure(series("epoll", [10.0, 40.0], "memory"), series("poll", [10.0, 12.0], "memory"))
    assert (found.ratio, found.refused) == (None, "")


def test_the_interval_holds_the_median_and_narrows() -> None:
    """More rounds of the same noise give a narrower interval; it repeats with its seed."""
    draw = np.random.default_rng(1)
    few, many = draw.normal(100, 5, 8), draw.normal(100, 5, 200)
    wide, narrow = summarise(list(few)), summarise(list(many))
    assert wide.low <= wide.median <= wide.high
    assert narrow.high - narrow.low < wide.high - wide.low
    assert summarise(list(few)) == wide


def test_variance_between_processes_is_told_from_noise() -> None:
    """Processes of which each is steady, but each at a level of its own."""
    levels = [value + noise for value in (90, 100, 110, 95, 105) for noise in (-0.5, 0.5)]
    processes = [number // 2 for number in range(10)]
    between = summarise(levels, processes).between
    assert between == pytest.approx(0.079, abs=0.01)
    same = summarise([100 + noise for _ in range(5) for noise in (-8, 8)], processes).between
    assert same == 0
    assert summarise(levels).between is None


def test_percentiles_of_a_histogram() -> None:
    """Within three digits of what the values say."""
    values = np.arange(1, 100_001, dtype=np.uint64) * 1000
    made = histogram(values)
    assert [percentile(made, percent) for percent in (50, 99, 99.9)] == [
        pytest.approx(wanted, rel=2e-3) for wanted in (50_000, 99_000, 99_900)
    ]
    assert made.get_total_count() == 100_000


def test_ratios_end_with_the_shorter() -> None:
    """A round that one of the two lacks gives no ratio."""
    assert ratios([2, 3, 4], [1, 2]) == (2.0, 1.5)


def test_the_file_is_read_back(tmp_path: Path) -> None:
    """What is written is what is read."""
    written = record(
        series("epoll", STEADY, load=0.5, quantity="latency-p99"),
        series("poll", [], trouble="it died"),
        left_out="3 cases say fail",
    )
    path = write(written, tmp_path / "20261126T120000Z-aaaaaa")
    assert path.name == "benchmarks.json"
    assert read(path.parent) == written
    assert find(tmp_path, "latest") == find(tmp_path, "20261126") == path.parent
    with pytest.raises(UnknownName, match="no run with benchmarks called '2027'"):
        find(tmp_path, "2027")


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    """File and field are named; where nothing was measured, the command that does it."""
    with pytest.raises(RunError) as none:
        find(tmp_path, "latest")
    assert none.value.remedy == "./erle bench"
    path = write(record(series("poll", STEADY)), tmp_path / "one")
    path.write_text(path.read_text("utf-8").replace('"quantity": "throughput"', '"quantity": 7'), "utf-8")
    with pytest.raises(RunError, match="'quantity' should be a string"):
        read(path.parent)


def test_pieces_make_one_record() -> None:
    """Another target is added; the same cell measured again replaces the one before; the rest stays."""
    before = record(series("epoll", STEADY), series("poll", STEADY), series("poll", STEADY, connections=100))
    again = record(series("epoll", [1.0, 2.0]))
    board = record(series("epoll", [9.0], "instructions"), target="erle")
    whole = merged(merged(before, again), board)
    targets = whole.protocols["chat"].targets
    assert set(targets) == {"native", "erle"}
    kept = {(one.server, one.connections): one.values for one in targets["native"].series}
    assert kept == {
        ("poll", 10): tuple(STEADY),
        ("poll", 100): tuple(STEADY),
        ("epoll", 10): (1.0, 2.0),
    }
    assert merged(before, replace(board, protocols={})) == before
