"""Which plots there are, and what each shows: one list for the page, the SVG files and the CSV files.

Knows quantities and figures. Must not know how a plot is drawn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from lab.bench.figures import Figure, figures_of
from lab.bench.quantities import QUANTITIES, Quantity
from lab.bench.record import Measurement, ProtocolRecord
from lab.bench.target import Cell
from lab.bench.words import cell_words

Form = Literal["dots", "lines"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A plot that is made wherever its quantities were measured.

    Attributes:
        along: what a line runs along (lines), with the words of the axis; for dots, None.
        panel: the words over the panel of a cell; figures with the same words share a panel.
        where: which cells of the quantities it shows.
    """

    slug: str
    title: str
    quantities: tuple[str, ...]
    form: Form
    note: str
    panel: Callable[[Cell], str] = cell_words
    along: Callable[[Cell], float] | None = None
    axis: str = ""
    logarithmic: bool = False
    where: Callable[[Cell], bool] = lambda _cell: True


def _busy(cell: Cell) -> bool:
    return cell[3] == 0


def _beside_idle(cell: Cell) -> bool:
    return cell[1] == 1


def _connections(cell: Cell) -> str:
    return f"{cell[1]} connection{'s' if cell[1] != 1 else ''}"


def _title(cell: Cell) -> str:
    return QUANTITIES[cell[0]].title


_KINDS: Final = (
    _Kind(
        "throughput",
        "Throughput",
        ("throughput",),
        "dots",
        "Requests a second, server and load generator on one core. More is better.",
        panel=_connections,
    ),
    _Kind(
        "cost",
        "Cost of a request",
        ("cpu",),
        "dots",
        "Processor time of the server and all its processes for each request, the kernel's work included.",
        panel=_connections,
    ),
    _Kind(
        "instructions",
        "Instructions of a request",
        ("instructions",),
        "dots",
        "Instructions in user mode on the emulated board; what the kernel does is not counted.",
        panel=_connections,
        logarithmic=True,
        where=_busy,
    ),
    _Kind(
        "instructions-idle",
        "Instructions beside idle connections",
        ("instructions",),
        "lines",
        "Instructions in user mode of a request on one connection, beside connections that are open and silent.",
        panel=_title,
        along=lambda cell: cell[3],
        axis="idle connections",
        logarithmic=True,
        where=_beside_idle,
    ),
    _Kind(
        "system-calls",
        "System calls of a request",
        ("system-calls",),
        "dots",
        "System calls on the emulated board.",
        panel=_connections,
        where=_busy,
    ),
    _Kind(
        "system-cost",
        "Cost of a request in the full system",
        ("system-cpu",),
        "dots",
        "Processor time in a whole emulated system whose clock counts instructions: user and kernel together.",
        panel=_connections,
    ),
    _Kind(
        "latency",
        "Latency against load",
        ("latency-p50", "latency-p99", "latency-p99.9"),
        "lines",
        "From the moment a question was meant to be sent (open loop), at shares of each server's own capacity.",
        panel=_title,
        along=lambda cell: 100 * (cell[4] or 0),
        axis="load, % of the server's capacity",
        logarithmic=True,
    ),
    _Kind(
        "idle",
        "Cost of idle connections",
        ("idle-cpu",),
        "lines",
        "Processor time of a request on one connection, beside connections that are open and silent.",
        panel=_title,
        along=lambda cell: cell[3],
        axis="idle connections",
        logarithmic=True,
    ),
    _Kind(
        "pipelining",
        "Pipelining",
        ("pipelined",),
        "lines",
        "Questions answered for each second of the server's processor time, by how many travel together.",
        panel=_title,
        along=lambda cell: cell[2],
        axis="questions in one segment",
        logarithmic=True,
    ),
    _Kind(
        "memory",
        "Memory",
        ("memory",),
        "lines",
        "Proportional set size of a fresh server with silent connections.",
        panel=_title,
        along=lambda cell: cell[3],
        axis="idle connections",
        logarithmic=True,
    ),
    _Kind(
        "sessions",
        "Sessions",
        ("sessions",),
        "dots",
        "Time until sessions that all begin at once are served to their end; those that wait for a worker included.",
        panel=_connections,
    ),
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot with its data.

    Attributes:
        panels: words over each panel, and the figures in it.
        footer: host, versions, method and interval, for below the plot.
    """

    slug: str
    title: str
    form: Form
    note: str
    panels: tuple[tuple[str, tuple[Figure, ...]], ...]
    quantity: Quantity
    architectures: dict[str, str]
    footer: tuple[str, ...]
    along: Callable[[Cell], float] | None
    axis: str
    logarithmic: bool

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All that it shows."""
        return tuple(figure for _, figures in self.panels for figure in figures)

    def order(self) -> list[str]:
        """The servers, best first by the panel in the middle."""
        panels = [figures for _, figures in self.panels]
        sign = -1 if self.quantity.more_is_better else 1
        for figures in (panels[len(panels) // 2 - (len(panels) % 2 == 0)], *panels):
            values = {
                figure.series.server: sign * figure.summary.median for figure in figures if figure.summary
            }
            if len(values) == max(len({f.series.server for f in other}) for other in panels):
                return sorted(values, key=values.__getitem__)
        return sorted({figure.series.server for figure in self.figures})


def charts(record: ProtocolRecord, measurement: Measurement, host: Sequence[str]) -> list[Chart]:
    """The plots of one target; `host` are the first words of each footer."""
    figures = figures_of(measurement.series, record.reference)
    target = measurement.method.target
    made = []
    for kind in _KINDS:
        panels: dict[str, list[Figure]] = {}
        for figure in figures:
            shown = figure.series.quantity in kind.quantities and kind.where(figure.series.cell)
            if shown and figure.summary is not None:
                panels.setdefault(kind.panel(figure.series.cell), []).append(figure)
        if panels and (kind.along is None or _vary(kind.along, panels)):
            made.append(
                Chart(
                    slug=f"{record.protocol}-{target}-{kind.slug}",
                    title=kind.title,
                    form=kind.form,
                    note=kind.note,
                    panels=_in_order(kind, panels),
                    quantity=QUANTITIES[kind.quantities[0]],
                    architectures={
                        server.name: "limit" if server.name == record.limit else server.architecture
                        for server in record.servers
                    },
                    footer=(*host, *_method(measurement)),
                    along=kind.along,
                    axis=kind.axis,
                    logarithmic=kind.logarithmic,
                )
            )
    return made


def _in_order(
    kind: _Kind, panels: Mapping[str, Sequence[Figure]]
) -> tuple[tuple[str, tuple[Figure, ...]], ...]:
    """Panels by quantity, then by what distinguishes their cells, however the pieces of a run were measured."""

    def place(item: tuple[str, Sequence[Figure]]) -> tuple[int, int, int, int]:
        quantity, connections, depth, idle, _ = item[1][0].series.cell
        return kind.quantities.index(quantity), connections, depth, idle

    return tuple((words, tuple(some)) for words, some in sorted(panels.items(), key=place))


def _vary(along: Callable[[Cell], float], panels: Mapping[str, Sequence[Figure]]) -> bool:
    """Whether a line would have more than one point."""
    return len({along(figure.series.cell) for figures in panels.values() for figure in figures}) > 1


def _method(measurement: Measurement) -> tuple[str, str]:
    facts = ", ".join(f"{name} {value}" for name, value in measurement.method.facts.items())
    rounds = {len(series.values) for series in measurement.series if series.values} or {0}
    interval = f"medians of {min(rounds)} to {max(rounds)} rounds, bars are 95 % bootstrap intervals"
    hollow = "hollow: the ratio to the reference is too noisy for a verdict"
    return f"{measurement.method.target}, {measurement.started}: {facts}", f"{interval}; {hollow}"


COLUMNS: Final = (
    *("server", "architecture", "quantity", "unit", "connections", "depth", "idle", "load"),
    *("median", "low", "high", "cv", "between_processes", "rounds"),
    *("ratio", "ratio_low", "ratio_high", "ratio_cv", "no_verdict"),
)


def as_csv(chart: Chart) -> str:
    """The chart's data; the first lines, each after a `#`, say what the plot's footer says."""
    out = io.StringIO()
    for line in (chart.title, chart.note, *chart.footer):
        out.write(f"# {line}\n")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for figure in chart.figures:
        table.writerow(_row(chart, figure))
    return out.getvalue()


def _row(chart: Chart, figure: Figure) -> list[object]:
    series, summary, ratio = figure.series, figure.summary, figure.ratio
    row: list[object] = [series.server, chart.architectures.get(series.server, ""), series.quantity]
    row += [QUANTITIES[series.quantity].unit, series.connections, series.depth, series.idle, series.load]
    if summary is not None:
        row += [summary.median, summary.low, summary.high, summary.cv, summary.between, summary.rounds]
    row += [None] * 4 if ratio is None else [ratio.median, ratio.low, ratio.high, ratio.cv]
    return [*row, figure.refused]
