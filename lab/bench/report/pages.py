"""The report: one self-contained page with all plots, and beside it each plot as SVG and CSV.

Knows what is on the page and where files go. Must not know how a plot is drawn, nor how anything was measured. The look is in
`templates/`; every value is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lab.bench.quantities import QUANTITIES
from lab.bench.record import Benchmarks, Measurement, ProtocolRecord
from lab.bench.report.charts import Chart, as_csv, charts
from lab.bench.report.drawing import as_file, custom_properties, draw
from lab.bench.report.verdict import Answer, answer
from lab.bench.words import cell_words, number
from lab.judge.report.output import replace_folder


@dataclass(frozen=True, slots=True)
class _Plot:
    chart: Chart
    svg: Markup


@dataclass(frozen=True, slots=True)
class _Section:
    """One target of one protocol."""

    measurement: Measurement
    plots: list[_Plot]


@dataclass(frozen=True, slots=True)
class _Subject:
    """One protocol."""

    record: ProtocolRecord
    answer: Answer
    sections: list[_Section]


def write_report(benchmarks: Benchmarks, target: Path) -> int:
    """Write the folder `target`; returns how many plots it has. Raises OutputError; then `target` is unchanged."""
    subjects = list(_subjects(benchmarks))
    plots = [plot for subject in subjects for section in subject.sections for plot in section.plots]

    def fill(folder: Path) -> None:
        for plot in plots:
            (folder / f"{plot.chart.slug}.svg").write_text(as_file(str(plot.svg)), "utf-8")
            (folder / f"{plot.chart.slug}.csv").write_text(as_csv(plot.chart), "utf-8")
        page = (
            _environment()
            .get_template("benchmarks.html")
            .render(
                benchmarks=benchmarks,
                subjects=subjects,
                plot_colours=Markup(custom_properties(":root")),  # noqa: S704 - our own style
            )
        )
        (folder / "index.html").write_text(page, "utf-8")

    replace_folder(target, "benchmarks", fill)
    return len(plots)


def _subjects(benchmarks: Benchmarks) -> Iterator[_Subject]:
    host = _host(benchmarks)
    for record in benchmarks.protocols.values():
        sections = [
            _Section(
                measurement,
                [
                    _Plot(chart, Markup(draw(chart)))  # noqa: S704 - drawn here, its texts escaped by the library that drew it
                    for chart in charts(record, measurement, host)
                ],
            )
            for measurement in record.targets.values()
        ]
        yield _Subject(record, answer(record), sections)


def _host(benchmarks: Benchmarks) -> tuple[str, ...]:
    facts = ", ".join(f"{name} {value}" for name, value in benchmarks.host.items())
    return (f"Erle Lab {benchmarks.version}, run {benchmarks.id}: {facts}",)


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("lab.bench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(number=number, cell_words=cell_words)
    made.globals.update(quantities=QUANTITIES)
    return made
