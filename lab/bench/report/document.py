"""Which server to take, as a Markdown page made from a run's results.

Knows Markdown and the answer. Must not know a protocol or a server by name.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from lab.bench.record import Benchmarks, ProtocolRecord
from lab.bench.report.verdict import answer

WIDTH = 120


def which_server(benchmarks: Benchmarks) -> str:
    """The page."""
    return "\n".join(_lines(benchmarks)) + "\n"


def _lines(benchmarks: Benchmarks) -> Iterator[str]:
    yield "# Which server"
    yield ""
    facts = ", ".join(f"{name} {value}" for name, value in benchmarks.host.items())
    yield from _wrapped(
        f"Made by `./erle bench --page` from run {benchmarks.id} of Erle Lab {benchmarks.version} ({facts}). Measure it yourself: "
        "`./erle bench`, then `./erle bench --report` for the plots."
    )
    for record in benchmarks.protocols.values():
        yield from _protocol(record)


def _protocol(record: ProtocolRecord) -> Iterator[str]:
    found = answer(record)
    yield ""
    yield f"## {record.protocol.capitalize()}"
    yield ""
    headings = [
        "server",
        "architecture",
        *(f"{column.heading}{f', {column.unit}' if column.unit else ''}" for column in found.columns),
    ]
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * 2}{'---:|' * len(found.columns)}"
    for row in found.rows:
        cells = [text if sure else f"{text} ~" for text, sure in row.cells]
        yield f"| {' | '.join((row.server.name, row.server.architecture, *cells))} |"
    yield ""
    yield from _wrapped(
        f"In brackets the ratio to {record.reference}: the median of the rounds' ratios; ~ where it varies by more than 5 %, which "
        "is too much for a verdict. – was not measured."
    )
    for number, sentence in enumerate(found.sentences, 1):
        yield ""
        yield from _wrapped(f"{number}. {sentence}", indent="   ")
    yield ""
    yield "How it was measured:"
    yield ""
    for name, measurement in record.targets.items():
        facts = ", ".join(f"{key} {value}" for key, value in measurement.method.facts.items())
        yield from _wrapped(
            f"- **{name}**, {measurement.started[:10]}, seed {measurement.seed}: {measurement.method.text} ({facts})",
            indent="  ",
        )
    left_out = [server for server in record.servers if server.left_out]
    for server in left_out:
        yield from _wrapped(f"- Not measured: {server.name}: {server.left_out}", indent="  ")


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
