"""Charts as SVG, by matplotlib.

Knows how charts are drawn. Must not know what is drawn, nor where it comes from.

Text stays text, in the reader's own font. Colours are drawn in stand-ins and become the page's custom properties, so that one
drawing does for light and dark; a file of its own carries their values along.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from matplotlib.typing import RcKeyType

from lab.bench.figures import Figure
from lab.bench.report.charts import Chart
from lab.bench.words import number

#: Each custom property with its stand-in and its values on light and on dark ground. The hues keep apart for all kinds of
#: colour vision (Okabe and Ito's set); each architecture has a marker of its own besides.
COLOURS: Final = {
    "ink": ("#010203", "#1c2024", "#e4e7ea"),
    "dim": ("#010204", "#59616b", "#9ea7b1"),
    "rule": ("#010205", "#d5dae0", "#343b43"),
    "ground": ("#010206", "#ffffff", "#15181c"),
    "loop": ("#010207", "#0b6fb8", "#63b3ee"),
    "threads": ("#010208", "#b8480b", "#f0935a"),
    "processes": ("#010209", "#8a3f86", "#d79ad3"),
    "blocking": ("#01020a", "#6a5d00", "#d6c64a"),
    "limit": ("#01020b", "#4a4f55", "#b9c0c8"),
}
MARKERS: Final = {"loop": "o", "threads": "s", "processes": "D", "blocking": "^", "limit": "*"}
INCH: Final = 72.0
ROW: Final = 20.0  # points for each server
SMALL: Final = 8.5
USUAL: Final = 9.5


def _stand_in(name: str) -> str:
    return COLOURS.get(name, COLOURS["ink"])[0]


#: How matplotlib draws here; its keys are its own type.
SETTINGS: Final[dict[RcKeyType, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "erle",
    "font.family": "sans-serif",
    "font.size": USUAL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": "none",
    "axes.edgecolor": _stand_in("rule"),
    "axes.labelcolor": _stand_in("dim"),
    "grid.color": _stand_in("rule"),
    "text.color": _stand_in("ink"),
    "xtick.color": _stand_in("dim"),
    "ytick.color": _stand_in("dim"),
}


def draw(chart: Chart) -> str:
    """The chart as an SVG element, its colours custom properties of the page."""
    with mpl.rc_context(SETTINGS):
        drawing = _dots(chart) if chart.form == "dots" else _lines(chart)
        out = io.StringIO()
        drawing.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    for name, (stand_in, _, _) in COLOURS.items():
        svg = svg.replace(stand_in, f"var(--plot-{name})")
    # ids are made anew for each drawing, and many share one page
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{chart.slug}-", svg)
    label = f"{chart.title}. {chart.note}".replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def custom_properties(selector: str) -> str:
    """The colours' values as CSS, for light and dark ground."""
    light = "; ".join(f"--plot-{name}: {values[1]}" for name, values in COLOURS.items())
    dark = "; ".join(f"--plot-{name}: {values[2]}" for name, values in COLOURS.items())
    return f"{selector} {{ {light} }}\n@media (prefers-color-scheme: dark) {{ {selector} {{ {dark} }} }}\n"


def as_file(svg: str) -> str:
    """A drawing as a file of its own."""
    style = custom_properties("svg") + "svg { background: var(--plot-ground); font-family: sans-serif }"
    return '<?xml version="1.0" encoding="utf-8"?>\n' + svg.replace(">", f">\n<style>{style}</style>", 1)


def _dots(chart: Chart) -> Drawing:
    """Servers one below the other, a panel for each cell."""
    order = chart.order()
    width, height = 760.0, ROW * len(order) + 46
    drawing, axes = _panels(chart, width, height)
    for panel, (words, figures) in zip(axes, chart.panels, strict=True):
        for figure in figures:
            _dot(panel, chart, figure, order.index(figure.series.server))
        panel.set_title(words, fontsize=SMALL, color=_stand_in("dim"), loc="left")
        panel.set_ylim(len(order) - 0.5, -0.5)
        panel.set_yticks(range(len(order)), order)
        panel.tick_params(axis="y", length=0, labelcolor=_stand_in("ink"))
        panel.grid(axis="y", linewidth=0.6)
        panel.set_axisbelow(True)
        if chart.logarithmic:
            panel.set_xscale("log")
        else:
            panel.set_xlim(left=0)
            panel.locator_params(axis="x", nbins=3)
        panel.margins(x=0.12)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        panel.xaxis.set_minor_formatter(NullFormatter())
    return drawing


def _dot(panel: Axes, chart: Chart, figure: Figure, row: int) -> None:
    if figure.summary is None:
        return
    architecture = chart.architectures.get(figure.series.server, "")
    colour = _stand_in(architecture)
    panel.plot([figure.summary.low, figure.summary.high], [row, row], color=colour, linewidth=2.2)
    panel.plot(
        [figure.summary.median],
        [row],
        marker=MARKERS.get(architecture, "o"),
        markersize=6,
        color=colour,
        markerfacecolor=_stand_in("ground") if figure.refused else colour,
        clip_on=False,
    )


def _lines(chart: Chart) -> Drawing:
    """A line for each server along what varies, its name at its end."""
    names = chart.order()
    width = 760.0
    drawing, axes = _panels(chart, width, max(250.0, 15.0 * len(names) + 30), right=140)
    along = chart.along or (lambda cell: float(cell[1]))
    for panel, (words, figures) in zip(axes, chart.panels, strict=True):
        ends = {}
        for name in names:
            points = sorted(
                ((along(f.series.cell), f) for f in figures if f.series.server == name),
                key=lambda pair: pair[0],
            )
            if points:
                ends[name] = _line(panel, chart.architectures.get(name, ""), points)
        panel.set_title(words, fontsize=SMALL, color=_stand_in("dim"), loc="left")
        panel.set_xlabel(chart.axis, fontsize=SMALL)
        panel.grid(axis="y", linewidth=0.6)
        places = sorted({along(figure.series.cell) for figure in figures})
        if chart.logarithmic:
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            panel.yaxis.set_minor_locator(NullLocator())
        if chart.slug.endswith("pipelining"):
            panel.set_xscale("log")
        panel.set_xticks(places, [f"{place:g}" for place in places])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        panel.tick_params(axis="y", which="both", length=0, labelsize=SMALL)
        if panel is axes[-1]:
            _name_ends(drawing, panel, chart, ends)
    return drawing


def _line(panel: Axes, architecture: str, points: Sequence[tuple[float, Figure]]) -> tuple[float, float]:
    colour = _stand_in(architecture)
    known = [(place, figure, figure.summary) for place, figure in points if figure.summary is not None]
    panel.plot([place for place, _, _ in known], [s.median for _, _, s in known], color=colour, linewidth=1.1)
    for place, figure, summary in known:
        panel.plot([place, place], [summary.low, summary.high], color=colour, linewidth=1.8, alpha=0.6)
        panel.plot(
            [place],
            [summary.median],
            marker=MARKERS.get(architecture, "o"),
            markersize=4.5,
            color=colour,
            markerfacecolor=_stand_in("ground") if figure.refused else colour,
        )
    return known[-1][0], known[-1][2].median


def _name_ends(drawing: Drawing, panel: Axes, chart: Chart, ends: dict[str, tuple[float, float]]) -> None:
    """Write each server's name beside the end of its line, moved apart where they would cover each other."""
    drawing.draw_without_rendering()
    box = panel.get_window_extent()
    pixels = {name: float(panel.transData.transform(end)[1]) for name, end in ends.items()}
    need = 12.0
    placed: dict[str, float] = {}
    at = -1e9
    for name in sorted(pixels, key=pixels.__getitem__):
        at = max(pixels[name], at + need)
        placed[name] = at
    over = max(max(placed.values(), default=0) - box.y1 - 4, 0)
    previous = 1e9
    for name in sorted(placed, key=placed.__getitem__, reverse=True):
        previous = min(placed[name], previous - need) if over else placed[name]
        if over and previous > box.y1 + 4:
            previous = box.y1 + 4
        placed[name] = previous
    for name, pixel in placed.items():
        panel.annotate(
            name,
            xy=ends[name],
            xytext=(box.x1 + 12, pixel),
            textcoords="figure pixels",
            xycoords="data",
            fontsize=SMALL,
            color=_stand_in(chart.architectures.get(name, "")),
            verticalalignment="center",
            arrowprops={
                "arrowstyle": "-",
                "color": _stand_in("rule"),
                "linewidth": 0.6,
                "shrinkA": 0,
                "shrinkB": 4,
            },
            annotation_clip=False,
        )


def _panels(chart: Chart, width: float, height: float, *, right: float = 16) -> tuple[Drawing, list[Axes]]:
    """A drawing with its panels side by side, title above and footer below; sizes in points."""
    dots = chart.form == "dots"
    foot = 12.0 * len(chart.footer) + (44 if dots else 56)
    head = 44.0
    left = 150.0 if dots else 52.0
    total = height + head + foot
    drawing = Drawing(figsize=(width / INCH, total / INCH), dpi=INCH)
    axes = drawing.subplots(1, len(chart.panels), sharey=True, squeeze=False)
    drawing.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - (head + 14) / total,
        bottom=foot / total,
        wspace=0.14,
    )
    title = f"{chart.title}, {chart.quantity.unit}" if chart.quantity.unit != "1" else chart.title
    drawing.text(0.01, 1 - 6 / total, title, fontsize=12, fontweight="bold", verticalalignment="top")
    for index, line in enumerate(reversed(chart.footer)):
        drawing.text(0.01, (4 + 12.0 * index) / total, line, fontsize=7.5, color=_stand_in("dim"))
    _legend(drawing, chart, total)
    return drawing, list(axes[0])


def _legend(drawing: Drawing, chart: Chart, total: float) -> None:
    present = [
        name for name in MARKERS if name in {chart.architectures.get(f.series.server) for f in chart.figures}
    ]
    handles = [
        Line2D([], [], linestyle="none", marker=MARKERS[name], color=_stand_in(name), label=name)
        for name in present
    ]
    drawing.legend(
        handles=handles,
        loc="upper right",
        bbox_to_anchor=(0.995, 1 - 2 / total),
        ncols=len(handles),
        frameon=False,
        fontsize=SMALL,
        handletextpad=0.2,
        columnspacing=1.2,
        borderaxespad=0,
    )


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {unit}"
    return number(value) if value % 1 else f"{value:g}"
