"""What repeated measurements say, and when they say nothing.

Knows medians, means of the middle, bootstrap intervals and coefficients of variation. Must not know what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

#: Beyond this coefficient of variation of the ratios, no verdict.
NOISIEST: Final = 0.05
RESAMPLES: Final = 5000
CONFIDENCE: Final = 0.95
#: A histogram of nanoseconds from 1 µs to 100 s with three significant digits.
LOWEST_NS: Final = 1_000
HIGHEST_NS: Final = 100_000_000_000
DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """Repeated measurements in short.

    Attributes:
        median: of the values.
        low, high: the 95 % interval of the median, by bootstrap; the median itself where there is one value.
        cv: standard deviation ÷ mean.
        between: the part of `cv` that lies between processes and not within them; None with fewer than two processes.
        rounds: how many values there are.
    """

    median: float
    low: float
    high: float
    cv: float
    between: float | None
    rounds: int

    @property
    def noisy(self) -> bool:
        """Whether the values vary too much for a verdict."""
        return self.cv > NOISIEST


def middle(values: Iterable[float]) -> float:
    """The mean of the middle half: a quarter at each end does not count, of three or more at least one.

    Outliers do as little to it as to a median, and it varies less. Raises ValueError when there is no value.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    left_out = (len(ordered) + 1) // 4
    return fmean(ordered[left_out : len(ordered) - left_out])


def summarise(values: Sequence[float], processes: Sequence[int] = (), seed: int = 0) -> Summary:
    """Summarise at least one value; `processes` numbers the process each was measured in."""
    array = np.asarray(values, dtype=float)
    low, high = _interval(array, seed)
    return Summary(
        median=float(np.median(array)),
        low=low,
        high=high,
        cv=variation(values),
        between=_between(array, np.asarray(processes)) if len(processes) == len(values) else None,
        rounds=len(values),
    )


def variation(values: Sequence[float]) -> float:
    """The coefficient of variation: standard deviation (of a sample) ÷ mean; 0 where there is one value."""
    if len(values) <= 1:
        return 0.0
    array = np.asarray(values, dtype=float)
    return float(array.std(ddof=1) / abs(array.mean())) if array.mean() else float("inf")


def _interval(array: NDArray[np.float64], seed: int) -> tuple[float, float]:
    if len(array) == 1:
        return float(array[0]), float(array[0])
    drawn = np.random.default_rng(seed).choice(array, size=(RESAMPLES, len(array)))
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.median(drawn, axis=1), [edge, 1 - edge])
    return float(low), float(high)


def _between(array: NDArray[np.float64], processes: NDArray[np.int64]) -> float | None:
    """The standard deviation of what the process adds ÷ mean: variance between means less what noise within explains."""
    groups = [array[processes == process] for process in np.unique(processes)]
    if len(groups) <= 1 or min(len(group) for group in groups) <= 1:
        return None
    means = np.array([group.mean() for group in groups])
    within = float(np.mean([group.var(ddof=1) / len(group) for group in groups]))
    return float(np.sqrt(max(means.var(ddof=1) - within, 0.0)) / abs(array.mean()))


def ratios(values: Sequence[float], reference: Sequence[float]) -> tuple[float, ...]:
    """Value ÷ reference of each round that both have."""
    return tuple(value / other for value, other in zip(values, reference, strict=False) if other)


def histogram(nanoseconds: NDArray[np.uint64]) -> HdrHistogram:
    """An HDR histogram of latencies."""
    made = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    # three digits are kept: values of one microsecond's tenth are the same to it, and cost one call
    rounded, counts = np.unique(np.clip(nanoseconds, LOWEST_NS, HIGHEST_NS) // 100 * 100, return_counts=True)
    for value, count in zip(rounded.tolist(), counts.tolist(), strict=True):
        made.record_value(value, count)
    return made


def percentile(made: HdrHistogram, percent: float) -> float:
    """The latency in microseconds that `percent` of the questions did not exceed."""
    return float(made.get_value_at_percentile(percent)) / 1000
