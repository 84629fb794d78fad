"""The pages made of benchmarks: from records made up, read back as a browser, an XML parser and a spreadsheet would."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.bench.record import Benchmarks, merged, write
from lab.bench.report.charts import charts
from lab.bench.report.document import which_server
from lab.bench.report.pages import write_report
from lab.bench.target import Series
from suites.lab.browser import MISSING, Browser, programs
from suites.lab.command_line import erle
from suites.lab.measured import record, series

ROOT = Path(__file__).parents[2]


def ten(value: float) -> list[float]:
    """Ten rounds around the value, within one per cent."""
    return [value * (1 + (number % 3 - 1) / 100) for number in range(10)]


def native() -> list[Series]:
    """Four servers: `poll`, `epoll` 5 % better and cheap beside idle connections, `workers`, and `c`."""
    made = []
    for name, factor in (("poll", 1.0), ("epoll", 1.05), ("workers", 0.8), ("c", 1.2)):
        made += [series(name, ten(80_000 * factor), connections=count) for count in (1, 10, 100)]
        made += [series(name, ten(10 / factor), "cpu", connections=count) for count in (1, 10, 100)]
        made += [
            series(name, ten(100 / factor * load), f"latency-{which}", load=load)
            for load in (0.25, 0.5, 0.75)
            for which in ("p50", "p99")
        ]
        grows = 20.0 if name == "poll" else 0.02
        made += [
            series(name, ten(9 + grows * count / 100), "idle-cpu", connections=1, idle=count)
            for count in (0, 100, 1000)
        ]
        made += [
            series(name, ten(9000 + 25 * count), "memory", connections=1, idle=count) for count in (0, 1000)
        ]
    made.append(series("workers", [24.0, 26.0], "memory-per-connection", connections=1, idle=1000))
    return made


def noisy() -> Series:
    """A server of which nothing can be said."""
    return series("noise", [50_000.0, 90_000.0] * 5)


@pytest.fixture(name="benchmarks")
def _benchmarks() -> Benchmarks:
    board = [
        series(name, [value] * 3, "instructions")
        for name, value in (("poll", 16000.0), ("epoll", 11000.0), ("workers", 6200.0))
    ]
    return merged(
        record(*native(), noisy(), left_out="3 cases say fail, <b>for instance</b>"),
        record(*board, target="erle"),
    )


def test_the_page_needs_nothing_but_itself(benchmarks: Benchmarks, tmp_path: Path) -> None:
    """One page with all plots in it; it loads nothing, and what servers are called or say is escaped."""
    plots = write_report(benchmarks, tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    assert page.count("<svg ") == plots == 6
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "default-src 'none'" in page
    assert "&lt;b&gt;for instance&lt;/b&gt;" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), "ids of one drawing collide with another's"


def test_each_plot_is_a_file_of_its_own(benchmarks: Benchmarks, tmp_path: Path) -> None:
    """SVG that parses, with host, versions, method and interval; CSV with the same figures."""
    write_report(benchmarks, tmp_path / "report")
    drawings = sorted((tmp_path / "report").glob("*.svg"))
    assert [path.stem for path in drawings] == [
        "chat-erle-instructions",
        *(f"chat-native-{name}" for name in ("cost", "idle", "latency", "memory", "throughput")),
    ]
    for path in drawings:
        text = " ".join("".join(ET.parse(path).getroot().itertext()).split())  # noqa: S314 - written by the line above
        assert "run 20261126T120000Z-aaaaaa: system Linux, python 3.11.7" in text
        assert "95 % bootstrap intervals" in text
        assert "processor a & b <c>" in text
        assert "prefers-color-scheme: dark" in text
    lines = (tmp_path / "report" / "chat-native-throughput.csv").read_text("utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = list(csv.DictReader(lines[len(comments) :]))
    assert any("python 3.11.7" in line for line in comments)
    (epoll,) = (row for row in rows if (row["server"], row["connections"]) == ("epoll", "10"))
    assert float(epoll["ratio"]) == pytest.approx(1.05)
    assert epoll["no_verdict"] == ""
    (noise,) = (row for row in rows if row["server"] == "noise")
    assert "too noisy" in noise["no_verdict"]


def test_the_same_results_give_the_same_drawings(benchmarks: Benchmarks, tmp_path: Path) -> None:
    """No clock and no random number is in a report."""
    for name in ("one", "two"):
        write_report(benchmarks, tmp_path / name)
    for path in sorted((tmp_path / "one").glob("*.*")):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_panels_stand_in_order_however_they_were_measured() -> None:
    """A run measured in pieces: few connections before many."""
    pieces = merged(
        record(*(series("poll", ten(5), connections=count) for count in (1, 1000))),
        record(*(series("poll", ten(5), connections=count) for count in (10, 100))),
    )
    protocol = pieces.protocols["chat"]
    (chart,) = charts(protocol, protocol.targets["native"], ())
    assert [words for words, _ in chart.panels] == [
        *("1 connection", "10 connections", "100 connections", "1000 connections"),
    ]


def test_the_answer_is_made_from_the_figures(benchmarks: Benchmarks) -> None:
    """Sentences name what is best, what idle connections cost, and what emulation distorts."""
    page = " ".join(which_server(benchmarks).split())
    assert "**epoll** answers most requests, 1.05 times what poll does" in page
    assert "88 % of what c does" in page
    assert "1000 idle connections make a request dearer with **poll** 23 times" in page
    assert "not by more than 5 % with epoll" in page
    assert "an idle connection takes workers 25.0 KiB of memory" in page
    assert (
        "workers costs 0.39 times poll where it is 1.25 natively" in page
        or "workers 0.39 where it is 1.25" in page
    )
    assert "Not measured: bad: 3 cases say fail" in page


def test_a_noisy_figure_leads_no_sentence() -> None:
    """The fastest of all does not win when its figure varies too much, and its cell says so."""
    wild = series("wild", [90_000.0, 300_000.0] * 5)
    page = which_server(record(*native(), wild))
    assert "**epoll** answers most requests" in page.replace("\n", " ")
    (row,) = (line for line in page.splitlines() if line.startswith("| wild"))
    assert "~" in row


def test_a_record_without_the_usual_cells_still_has_a_table() -> None:
    """Whoever measures 100 connections alone sees them."""
    page = which_server(
        record(series("poll", ten(5), connections=100), series("epoll", ten(6), connections=100))
    )
    assert "| server | architecture | requests, 100 connections |" in page


def test_a_report_does_not_replace_what_is_none(benchmarks: Benchmarks, tmp_path: Path) -> None:
    """A folder of the user's stays; the command says so in one line."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    write(benchmarks, tmp_path / "results" / benchmarks.id)
    done = erle(
        *("bench", "--report", "--results", str(tmp_path / "results")), *("-o", str(tmp_path / "mine"))
    )
    assert done.returncode == 3
    assert "is there and is no report" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.skipif(programs() is None, reason=MISSING)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it(benchmarks: Benchmarks, tmp_path: Path, width: int, scheme: str) -> None:
    """On a phone and on a desk, light and dark: nothing is wider than the window, plots have colours that are seen."""
    write_report(benchmarks, tmp_path / "report")
    with Browser() as browser:
        browser.emulate(width, 900, scheme)
        browser.go(tmp_path / "report" / "index.html")
        assert browser.complaints() == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        ink, ground = (
            str(browser.run(f"return getComputedStyle(document.querySelector('{where}')).{what}"))
            for where, what in (("figure svg text", "fill"), ("body", "backgroundColor"))
        )
        assert abs(brightness(ink) - brightness(ground)) > 100, f"{ink} on {ground}"
        assert (brightness(ground) < 100) == (scheme == "dark")


def brightness(colour: str) -> float:
    """The mean of the three parts of `rgb(r, g, b)`."""
    parts = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    return sum(parts) / 3
