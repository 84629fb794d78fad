"""What can be measured of a server, with unit and direction.

Knows names, units and what they mean to a reader. Must not know how a quantity is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity.

    Attributes:
        title: as a heading says it.
        short: as the head of a narrow column says it.
        unit: of its values.
        more_is_better: whether the greater figure is the better one.
        compared: whether its ratio to the reference means something (a difference of a few pages does not).
    """

    name: str
    title: str
    short: str
    unit: str
    more_is_better: bool = False
    compared: bool = True

    @property
    def is_rate(self) -> bool:
        """Whether it is something for each second, and so goes up where time goes down."""
        return self.unit == "1/s"


_ALL: Final = (
    Quantity("throughput", "Requests answered per second", "requests", "1/s", more_is_better=True),
    Quantity("cpu", "CPU time of the server per request", "CPU/request", "µs"),
    Quantity("idle-cpu", "CPU time of the server per request, beside idle connections", "CPU/request", "µs"),
    Quantity(
        "pipelined",
        "Questions answered per CPU-second of the server",
        "requests/CPU-s",
        "1/s",
        more_is_better=True,
    ),
    Quantity("latency-p50", "Latency, median", "p50", "µs"),
    Quantity("latency-p99", "Latency, 99th percentile", "p99", "µs"),
    Quantity("latency-p99.9", "Latency, 99.9th percentile", "p99.9", "µs"),
    Quantity("memory", "Memory (PSS)", "PSS", "KiB", compared=False),
    Quantity(
        "memory-per-connection", "Memory (PSS) of an idle connection", "PSS/connection", "KiB", compared=False
    ),
    Quantity("sessions", "Time until all of many sessions were served", "all sessions", "ms"),
    Quantity("session-p99", "Session time with queueing, 99th percentile", "p99 session", "ms"),
    Quantity("instructions", "Instructions in user mode per request", "instructions", "1"),
    Quantity("system-calls", "System calls per request", "system calls", "1"),
    Quantity("system-cpu", "CPU time per request in the full system", "CPU/request", "µs"),
)
QUANTITIES: Final = {quantity.name: quantity for quantity in _ALL}
