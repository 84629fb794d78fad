"""A measurement from its beginning to its record: which servers may be measured, where, and what came of it.

Knows the order of things. Must not know how a target measures, nor the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lab.bench.gate import Standing, standings
from lab.bench.plan import BenchPlan, BenchServer
from lab.bench.record import Benchmarks, Measurement, ProtocolRecord, ServerRecord
from lab.bench.target import Report, Series, Settings, Target
from lab.judge.results import host_facts


@dataclass
class Campaign:
    """Measures one protocol on one target.

    Attributes:
        unjudged: measure without asking what the suite says; the record says so.
        say: tells the user something that is not progress.
        series: what has been measured so far; what is there stays when the measurement is broken off.
    """

    root: Path
    results: Path
    plan: BenchPlan
    servers: Sequence[BenchServer]
    settings: Settings
    unjudged: bool
    say: Callable[[str], None]
    series: list[Series] = field(default_factory=list)
    _records: list[ServerRecord] = field(default_factory=list)
    _started: str = ""

    def run(self, target: Target, report: Report) -> None:
        """Judge where needed, then measure what may be measured. Raises LabError."""
        may = self._admitted()
        self._started = _now()
        if not may:
            self.say(f"{self.plan.protocol}: no server may be measured")
            return
        for series in target.measure(self.plan, may, self.settings, report):
            self.series.append(series)

    def _admitted(self) -> list[BenchServer]:
        if self.unjudged:
            found = {server.name: Standing("not asked for (--unjudged)") for server in self.servers}
        else:
            found = standings(self.root, self.results, self.plan, self.servers, self.say)
        may = []
        for server in self.servers:
            standing = found[server.name]
            missing = server.missing()
            left_out = standing.bad or (f"{missing} is not installed" if missing else "")
            if left_out:
                self.say(f"{server.name} is not measured: {left_out}")
            else:
                may.append(server)
            self._records.append(
                ServerRecord(
                    server.name, server.architecture, " ".join(server.command), standing.words, left_out
                )
            )
        return may

    def record(self, run: str, command: Sequence[str], target: Target) -> Benchmarks:
        """What has been measured."""
        measurement = Measurement(
            method=target.method(),
            started=self._started,
            finished=_now(),
            seed=self.settings.seed,
            settings=_words(self.settings),
            series=tuple(self.series),
        )
        protocol = ProtocolRecord(
            protocol=self.plan.protocol,
            reference=self.plan.reference,
            limit=self.plan.limit,
            servers=tuple(self._records),
            targets={measurement.method.target: measurement},
        )
        return Benchmarks(
            id=run,
            version=version("erle-lab"),
            command=tuple(command),
            host={key: str(value) for key, value in host_facts().items()},
            protocols={self.plan.protocol: protocol},
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _words(settings: Settings) -> dict[str, str]:
    return {
        "rounds": str(settings.rounds),
        "restarts": str(settings.restarts),
        "connections": ", ".join(map(str, settings.connections)),
        "idle": ", ".join(map(str, settings.idle)),
        "measures": ", ".join(settings.measures),
        "quick": "yes" if settings.quick else "no",
    }
