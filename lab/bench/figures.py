"""Figures: a series in short, beside the reference, with a verdict on whether it says anything.

Knows series and their statistics. Must not know where they come from, nor how they look on a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final

from lab.bench.quantities import QUANTITIES
from lab.bench.statistics import NOISIEST, Summary, ratios, summarise
from lab.bench.target import Series
from lab.bench.words import percent

#: Rounds without which nothing is known of the variation.
FEWEST: Final = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A series with its summary, None where there is no value.

    Attributes:
        ratio: of value ÷ reference of the same round; None where the reference has no such series, or where it would mean
            nothing.
        refused: why the ratio gives no verdict, or "".
    """

    series: Series
    summary: Summary | None
    ratio: Summary | None
    refused: str

    def as_json(self) -> dict[str, object]:
        """What is written beside the values."""
        return {
            "summary": asdict(self.summary) if self.summary else None,
            "ratio": asdict(self.ratio) if self.ratio else None,
            "refused": self.refused,
        }


def figures_of(series: Iterable[Series], reference: str) -> list[Figure]:
    """Each series with its figures, in the same order."""
    every = list(series)
    references = {one.cell: one for one in every if one.server == reference}
    return [_figure(one, references.get(one.cell)) for one in every]


def _figure(series: Series, reference: Series | None) -> Figure:
    if not series.values:
        return Figure(series, None, None, series.trouble or "it was not measured")
    if not QUANTITIES[series.quantity].compared:
        return Figure(series, summarise(series.values, series.restarts), None, "")
    beside = series.beside or (reference.values if reference is not None else ())
    ratio = summarise(ratios(series.values, beside), series.restarts) if beside else None
    return Figure(series, summarise(series.values, series.restarts), ratio, _refusal(ratio))


def _refusal(ratio: Summary | None) -> str:
    if ratio is None:
        return "the reference was not measured"
    if ratio.rounds < FEWEST:
        return "too few rounds to know how much it varies"
    if ratio.noisy:
        return f"too noisy: the ratio's coefficient of variation is {percent(ratio.cv, 1)} (at most {percent(NOISIEST)})"
    return ""
