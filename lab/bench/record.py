"""`benchmarks.json`: what was measured, of what, where, and how, on the disk and back.

Knows the file's form (docs/results.md). Must not know how anything was measured or what is shown of it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from lab.bench.figures import figures_of
from lab.bench.target import Method, Series
from lab.errors import UnknownName
from lab.judge.checked_json import Fields, RunError, parse
from lab.judge.report.output import replace_file

SCHEMA: Final = 1
FILE: Final = "benchmarks.json"


@dataclass(frozen=True, slots=True)
class ServerRecord:
    """A server of the plan.

    Attributes:
        verdicts: what its protocol's suite says of it, in words.
        left_out: why it was not measured, or "".
    """

    name: str
    architecture: str
    command: str
    verdicts: str
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one target gave; `settings` are as asked for, `seed` the one that orders and times come from."""

    method: Method
    started: str
    finished: str
    seed: int
    settings: Mapping[str, str]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class ProtocolRecord:
    """The benchmark of one protocol; `targets` by their names."""

    protocol: str
    reference: str
    limit: str | None
    servers: tuple[ServerRecord, ...]
    targets: Mapping[str, Measurement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """Everything in `benchmarks.json`."""

    id: str
    version: str
    command: tuple[str, ...]
    host: Mapping[str, str]
    protocols: Mapping[str, ProtocolRecord] = field(default_factory=dict)


def merged(before: Benchmarks, after: Benchmarks) -> Benchmarks:
    """`before` with what `after` measured: a series that both have is the later one's, and so are method and servers."""
    protocols = dict(before.protocols)
    for name, new in after.protocols.items():
        old = protocols.get(name)
        protocols[name] = new if old is None else _merged_protocol(old, new)
    return replace(before, protocols=protocols, command=after.command)


def _merged_protocol(old: ProtocolRecord, new: ProtocolRecord) -> ProtocolRecord:
    targets = dict(old.targets)
    for name, measurement in new.targets.items():
        if name in targets:
            again = {(series.server, series.cell) for series in measurement.series}
            kept = [one for one in targets[name].series if (one.server, one.cell) not in again]
            earlier = targets[name].started
            measurement = replace(measurement, series=(*kept, *measurement.series), started=earlier)  # noqa: PLW2901 - what is kept of it
        targets[name] = measurement
    servers = {server.name: server for server in (*old.servers, *new.servers)}
    return replace(new, targets=targets, servers=tuple(servers.values()))


def write(benchmarks: Benchmarks, directory: Path) -> Path:
    """Write the file, whole or not at all. Raises OutputError."""
    document = {
        "schema": SCHEMA,
        "id": benchmarks.id,
        "version": benchmarks.version,
        "command": list(benchmarks.command),
        "host": dict(benchmarks.host),
        "protocols": {name: _as_json(record) for name, record in benchmarks.protocols.items()},
    }
    path = directory / FILE
    replace_file(path, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def _as_json(record: ProtocolRecord) -> dict[str, object]:
    return {
        "reference": record.reference,
        "limit": record.limit,
        "servers": [asdict(server) for server in record.servers],
        "targets": {
            name: {
                "method": measured.method.text,
                "facts": dict(measured.method.facts),
                "started": measured.started,
                "finished": measured.finished,
                "seed": measured.seed,
                "settings": dict(measured.settings),
                "series": [
                    asdict(figure.series) | figure.as_json()
                    for figure in figures_of(measured.series, record.reference)
                ],
            }
            for name, measured in record.targets.items()
        },
    }


def read(directory: Path) -> Benchmarks:
    """The benchmarks kept in a run's folder. Raises RunError when the file is missing, torn or of another schema."""
    path = directory / FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}", "./erle bench") from error
    top = Fields(str(path), parse(str(path), text))
    schema = top.integer_or_none("schema")
    if schema != SCHEMA:
        raise RunError(f"{path}: schema {schema} is not one this version reads ({SCHEMA})")
    protocols = top.child("protocols")
    return Benchmarks(
        id=top.text("id"),
        version=top.text("version"),
        command=top.texts("command"),
        host=top.plain("host"),
        protocols={name: _protocol(name, protocols.child(name)) for name in protocols.names()},
    )


def _protocol(name: str, row: Fields) -> ProtocolRecord:
    targets = row.child("targets")
    return ProtocolRecord(
        protocol=name,
        reference=row.text("reference"),
        limit=row.text_or_none("limit"),
        servers=tuple(
            ServerRecord(
                name=server.text("name"),
                architecture=server.text("architecture"),
                command=server.text("command"),
                verdicts=server.text("verdicts"),
                left_out=server.text("left_out"),
            )
            for server in row.children("servers")
        ),
        targets={target: _measurement(target, targets.child(target)) for target in targets.names()},
    )


def _measurement(target: str, row: Fields) -> Measurement:
    return Measurement(
        method=Method(target, row.text("method"), row.plain("facts")),
        started=row.text("started"),
        finished=row.text("finished"),
        seed=row.integer_or_none("seed") or 0,
        settings=row.plain("settings"),
        series=tuple(_series(one) for one in row.children("series")),
    )


def _series(row: Fields) -> Series:
    return Series(
        quantity=row.text("quantity"),
        server=row.text("server"),
        values=row.numbers("values"),
        beside=row.numbers("beside"),
        restarts=tuple(int(number) for number in row.numbers("restarts")),
        connections=row.integer_or_none("connections") or 0,
        depth=row.integer_or_none("depth") or 0,
        idle=row.integer_or_none("idle") or 0,
        load=row.number_or_none("load"),
        trouble=row.text("trouble"),
    )


def find(results: Path, name: str) -> Path:
    """The folder of a run with benchmarks: by its id, the beginning of it, its folder, or `latest`.

    Raises UnknownName, or RunError where there is none at all.
    """
    if (Path(name) / FILE).is_file():
        return Path(name)
    known = sorted((path.parent.name for path in results.glob(f"*/{FILE}")), reverse=True)
    if not known:
        raise RunError(f"there are no benchmarks in {results}", "./erle bench")
    if name == "latest":
        return results / known[0]
    matches = [one for one in known if name and one.startswith(name)]
    if len(matches) == 1:
        return results / matches[0]
    nearest = matches or difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    raise UnknownName("run with benchmarks", name, nearest[:3], ["latest", *known[:5]])
