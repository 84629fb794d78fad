"""What servers cost on the emulated board when that was last written down, and what has become worse since.

Knows `suites/<protocol>/baseline.json`, and how much a figure may differ. Must not know how figures are counted, nor a protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from lab.bench.board import QUANTITIES, Cell
from lab.bench.plan import BenchPlan
from lab.bench.quantities import QUANTITIES as KNOWN
from lab.bench.target import Series
from lab.errors import LabError
from lab.judge.checked_json import Fields, parse

FILE: Final = "baseline.json"
#: The load of the baseline, and in how many processes each server is counted.
CELL: Final = Cell(connections=10)
REPEATS: Final = 3
#: How much the system calls may differ: one call more for each question is a fifth or more, and one more for a few questions is
#: how an event loop found them.
CALLS_ALLOWED: Final = 0.05
#: Packages that decide how many instructions a question takes.
DECISIVE: Final = ("gcc-arm-linux-gnueabihf", "libc6", "python3-twisted", "python3.11", "qemu-user")
RENEW: Final = "./erle bench {protocol} --target erle --renew-baseline"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Figures by server and quantity, and the versions they were counted with."""

    versions: Mapping[str, str]
    servers: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Change:
    """A figure beside its baseline. `allowed` is the share of it that is not called a change."""

    server: str
    quantity: str
    before: float
    now: float
    allowed: float

    @property
    def share(self) -> float:
        """How much more it is now; negative for less."""
        return self.now / self.before - 1

    @property
    def worse(self) -> bool:
        """Whether it is more than allowed."""
        return self.share > self.allowed

    @property
    def better(self) -> bool:
        """Whether it is less by more than allowed."""
        return self.share < -self.allowed

    def __str__(self) -> str:
        return (
            f"{self.server}: {self.before:,.2f} → {self.now:,.2f} {KNOWN[self.quantity].short} per request "
            f"({self.share:+.2%}, allowed {self.allowed:.0%})"
        )


class Outdated(LabError):
    """The baseline says nothing of what was measured: other versions, other servers."""


def read(plan: BenchPlan) -> Baseline:
    """Read the baseline of a protocol. Raises LabError: there is none, or it cannot be read."""
    path = plan.directory / FILE
    try:
        row = Fields(str(path), parse(str(path), path.read_bytes()))
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}", RENEW.format(protocol=plan.protocol)) from error
    servers = row.child("servers")
    return Baseline(
        row.plain("versions"),
        {
            name: {quantity: servers.child(name).number(quantity) for quantity in QUANTITIES}
            for name in servers.names()
        },
    )


def write(plan: BenchPlan, series: Iterable[Series], versions: Mapping[str, str]) -> Path:
    """Write down the medians of these series as the protocol's baseline. Raises LabError: one could not be counted."""
    found = _medians(series)
    value = {
        "cell": asdict(CELL),
        "repeats": REPEATS,
        "versions": {name: versions[name] for name in DECISIVE},
        "servers": {
            name: {quantity: round(figure, 3) for quantity, figure in figures.items()}
            for name, figures in found.items()
        },
    }
    path = plan.directory / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def _medians(series: Iterable[Series]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for one in series:
        if one.trouble or not one.values:
            raise LabError(f"{one.server} could not be counted: {one.trouble or 'there is no figure'}")
        found.setdefault(one.server, {})[one.quantity] = median(one.values)
    return found


def changes(
    plan: BenchPlan, baseline: Baseline, series: Sequence[Series], versions: Mapping[str, str]
) -> list[Change]:
    """Each figure beside its baseline.

    Raises:
        Outdated: the figures were counted with other versions, or the baseline lacks a server that was counted.
        LabError: a server could not be counted.
    """
    remedy = RENEW.format(protocol=plan.protocol)
    other = [
        f"{name} {baseline.versions.get(name, 'unknown')} → {versions.get(name, 'none')}"
        for name in DECISIVE
        if baseline.versions.get(name) != versions.get(name)
    ]
    if other:
        raise Outdated(
            f"the baseline of {plan.protocol} was counted with other versions: {', '.join(other)}", remedy
        )
    found = _medians(series)
    missing = sorted(found.keys() - baseline.servers.keys())
    if missing:
        raise Outdated(f"the baseline of {plan.protocol} has no {', '.join(missing)}", remedy)
    return list(_compared(plan, baseline, found))


def _compared(
    plan: BenchPlan, baseline: Baseline, found: Mapping[str, Mapping[str, float]]
) -> Iterator[Change]:
    for name, figures in found.items():
        instructions = plan.server(name).varies / 100
        for quantity, now in figures.items():
            allowed = instructions if quantity == "instructions" else CALLS_ALLOWED
            yield Change(name, quantity, baseline.servers[name][quantity], now, allowed)


def forgotten(plan: BenchPlan, baseline: Baseline) -> list[str]:
    """Servers of the baseline that the plan no longer has."""
    return sorted(baseline.servers.keys() - {server.name for server in plan.servers})


def explain(changed: Sequence[Change], protocol: str) -> str:
    """What to look at, a line for each figure that changed; "" where none did."""
    worse = [str(change) for change in changed if change.worse]
    better = [str(change) for change in changed if change.better]
    said = []
    if worse:
        said.append("worse than the baseline:\n  " + "\n  ".join(worse))
    if better:
        remedy = RENEW.format(protocol=protocol)
        said.append(
            f"better than the baseline; keep it, or it may be lost unseen ({remedy}):\n  "
            + "\n  ".join(better)
        )
    return "\n".join(said)
