"""Which server to take: a table and a few sentences, made from figures alone.

Knows figures, architectures and what a reader asks. Must not know a protocol or a server by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab.bench.figures import Figure, figures_of
from lab.bench.quantities import QUANTITIES
from lab.bench.record import ProtocolRecord, ServerRecord
from lab.bench.target import Cell
from lab.bench.words import cell_words, number, percent

#: Connections of the cells that the table is about.
USUAL: Final = 10
#: Columns of the table where none of the usual ones was measured.
MOST: Final = 6
#: A server costs as much as another when their ratio differs by no more.
EVEN: Final = 0.05
#: Silent connections cost something when they make a request so many times as dear.
DEAR: Final = 1.5


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: where the figure comes from, and its heading; `unit` is "" where the heading says it."""

    target: str
    cell: Cell
    heading: str
    unit: str


@dataclass(frozen=True, slots=True)
class Row:
    """A server in the table; a cell is a text and whether it gives a verdict."""

    server: ServerRecord
    cells: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The table and the sentences."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]


def _columns(figures: Mapping[tuple[str, str, Cell], Figure]) -> Iterator[Column]:
    present = {(target, cell) for target, _, cell in figures}
    most = max((cell[3] for _, cell in present if cell[0] == "idle-cpu"), default=0)
    wanted = (
        ("native", ("throughput", USUAL, 1, 0, None), f"requests a second, {USUAL} connections", ""),
        ("native", ("cpu", USUAL, 1, 0, None), f"CPU per request, {USUAL} connections", "µs"),
        ("native", ("idle-cpu", 1, 1, most, None), f"CPU per request beside {most} idle", "µs"),
        ("native", ("latency-p99", USUAL, 1, 0, 0.5), "p99 at half load", "µs"),
        ("native", ("pipelined", USUAL, 32, 0, None), "questions per CPU-second, 32 in a segment", ""),
        ("native", ("memory-per-connection", 1, 1, most, None), "memory of an idle connection", "KiB"),
        ("erle", ("instructions", USUAL, 1, 0, None), f"board: instructions, {USUAL} connections", ""),
        ("system", ("system-cpu", USUAL, 1, 0, None), f"full system: CPU, {USUAL} connections", "µs"),
    )
    chosen = [Column(*column) for column in wanted if column[:2] in present]
    if not chosen:
        others = sorted(present, key=lambda pair: (pair[0], pair[1][0], pair[1][1:4], pair[1][4] or 0))
        for target, cell in others[:MOST]:
            quantity = QUANTITIES[cell[0]]
            unit = "" if quantity.unit in {"1", "1/s"} else quantity.unit
            chosen.append(Column(target, cell, f"{quantity.short}, {cell_words(cell)}", unit))
    yield from chosen


def answer(record: ProtocolRecord) -> Answer:
    """The answer that the record gives; what was not measured has no column and no sentence."""
    figures = {
        (target, figure.series.server, figure.series.cell): figure
        for target, measurement in record.targets.items()
        for figure in figures_of(measurement.series, record.reference)
        if figure.summary is not None
    }
    columns = tuple(_columns(figures))
    names = {name for _, name, _ in figures}
    rows = [
        Row(
            server,
            tuple(_text(figures.get((column.target, server.name, column.cell))) for column in columns),
        )
        for server in record.servers
        if server.name in names
    ]
    if columns:
        first = columns[0]
        rows.sort(key=lambda row: -_ratio(figures.get((first.target, row.server.name, first.cell))))
    return Answer(columns, tuple(rows), tuple(_sentences(record, figures)))


def _text(figure: Figure | None) -> tuple[str, bool]:
    if figure is None or figure.summary is None:
        return "–", True
    if figure.ratio is None:
        return number(figure.summary.median), True
    return f"{number(figure.summary.median)} ({figure.ratio.median:.2f})", not figure.refused


def _ratio(figure: Figure | None) -> float:
    return figure.ratio.median if figure is not None and figure.ratio is not None else 0.0


_Figures = Mapping[tuple[str, str, Cell], Figure]


def _sentences(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    yield from _fastest(record, figures)
    yield from _idle(record, figures)
    yield from _workers(record, figures)
    yield from _dearest(record, figures)
    yield from _emulation(record, figures)


def _of(record: ProtocolRecord, figures: _Figures, target: str, cell: Cell) -> dict[str, Figure]:
    """The figures of a cell that give a verdict, by server, the limit left out."""
    return {
        name: figure
        for (where, name, which), figure in figures.items()
        if (where, which) == (target, cell) and not figure.refused and name != record.limit
    }


def _fastest(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    cell: Cell = ("throughput", USUAL, 1, 0, None)
    found = _of(record, figures, "native", cell)
    if not found:
        return
    best = max(found, key=lambda name: _ratio(found[name]))
    near = [
        name for name in found if name != best and _ratio(found[name]) >= (1 - EVEN) * _ratio(found[best])
    ]
    ratio = found[best].ratio
    text = f"With {USUAL} busy connections **{best}** answers most requests"
    if ratio is not None and best != record.reference:
        text += (
            f", {ratio.median:.2f} times what {record.reference} does ({ratio.low:.2f} to {ratio.high:.2f})"
        )
    limit = figures.get(("native", record.limit or "", cell))
    if limit is not None and not limit.refused:
        text += f", {percent(_ratio(found[best]) / _ratio(limit))} of what {record.limit} does"
    if near:
        text += f"; within {percent(EVEN)} of it {_list(near)}"
    yield text + "."


def _idle(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    counts = {cell[3] for target, _, cell in figures if target == "native" and cell[0] == "idle-cpu"}
    if len(counts) <= 1:
        return
    most = max(counts)
    growth = {
        name: _growth(figures, name, most)
        for name in sorted(
            {name for target, name, _ in figures if target == "native" and name != record.limit}
        )
    }
    growth = {name: factor for name, factor in growth.items() if factor}
    dear = {name: factor for name, factor in growth.items() if factor >= DEAR}
    cheap = [name for name, factor in growth.items() if factor <= 1 + EVEN]
    if dear:
        each = _list(
            [f"**{name}** {factor:.0f} times" for name, factor in sorted(dear.items(), key=lambda p: -p[1])]
        )
        text = f"{most} idle connections make a request dearer with {each}"
        yield text + (f", and not by more than {percent(EVEN)} with {_list(cheap)}." if cheap else ".")
    elif growth:
        yield f"{most} idle connections make a request at most {max(growth.values()):.2f} times as dear."


def _growth(figures: _Figures, name: str, most: int) -> float:
    """How many times a request is as dear beside `most` silent connections; 0 where it is not known."""
    beside = figures.get(("native", name, ("idle-cpu", 1, 1, most, None)))
    alone = figures.get(("native", name, ("idle-cpu", 1, 1, 0, None)))
    if beside is None or alone is None or beside.summary is None or alone.summary is None:
        return 0.0
    return beside.summary.median / alone.summary.median


def _workers(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    kinds = {server.name: server.architecture for server in record.servers}
    found = _of(record, figures, "native", ("cpu", USUAL, 1, 0, None))
    workers = {name: figure for name, figure in found.items() if kinds.get(name) in {"threads", "processes"}}
    if not workers:
        return
    each = _list(
        [f"{name} {_ratio(workers[name]):.2f}" for name in sorted(workers, key=lambda n: _ratio(workers[n]))]
    )
    text = f"Servers with a thread or a process for each client cost, per request and against {record.reference}: {each}"
    memory = [
        f"{name} {number(figure.summary.median)} KiB"
        for (target, name, cell), figure in figures.items()
        if target == "native" and cell[0] == "memory-per-connection" and name in workers and figure.summary
    ]
    yield text + (f"; an idle connection takes {_list(memory)} of memory." if memory else ".")


def _dearest(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    kinds = {server.name: server.architecture for server in record.servers}
    found = _of(record, figures, "native", ("cpu", USUAL, 1, 0, None))
    loops = {name: _ratio(figure) for name, figure in found.items() if kinds.get(name) == "loop"}
    if len(loops) <= 1:
        return
    order = sorted(loops, key=loops.__getitem__)
    each = _list([f"{name} {loops[name]:.2f}" for name in order])
    yield f"Among event loops a request costs, against {record.reference}: {each}."


def _emulation(record: ProtocolRecord, figures: _Figures) -> Iterator[str]:
    native = _of(record, figures, "native", ("cpu", USUAL, 1, 0, None))
    parts = []
    for target, quantity, words in (
        ("erle", "instructions", "counting the board's user instructions"),
        ("system", "system-cpu", "in the full system"),
    ):
        other = _of(record, figures, target, (quantity, USUAL, 1, 0, None))
        common = sorted(native.keys() & other.keys() - {record.reference})
        if not common:
            continue
        most = max(common, key=lambda name: _ratio(other[name]) / _ratio(native[name]))
        least = min(common, key=lambda name: _ratio(other[name]) / _ratio(native[name]))
        parts.append(
            f"{words} {most} costs {_ratio(other[most]):.2f} times {record.reference} where it is "
            f"{_ratio(native[most]):.2f} natively, and {least} {_ratio(other[least]):.2f} where it is {_ratio(native[least]):.2f}"
        )
    if parts:
        yield (
            f"Emulation distorts: {'; '.join(parts)}. It makes interpretation dear, and the network and the kernel look cheap, so "
            "that what saves Python code looks better there than it is, and what saves system calls worse."
        )
    else:
        yield "Nothing was measured on the emulated board in this run, so nothing is said of it."


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
