"""How long the report of a large run takes to write and to open; run by `nox -s bench`.

Knows the figure to reach: a report of 10,000 verdicts opens within 2 s.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.judge.report.html import Written, write_html
from lab.judge.runs import read_run
from suites.lab.browser import MISSING, Browser, programs
from suites.lab.synthetic_runs import write_run
from suites.lab.test_report_html import ten_thousand

pytestmark = pytest.mark.benchmark_lab


def test_writing_ten_thousand_verdicts(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """From the results folder to the HTML folder; its size is recorded beside the time."""
    directory = write_run(tmp_path, ten_thousand())
    # pytest-benchmark leaves this method without annotations
    written: Written = benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: write_html(read_run(directory), tmp_path / "html"), rounds=3
    )
    benchmark.extra_info |= {"pages": written.pages, "octets": written.octets}
    assert written.octets <= 15_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 10,000 verdicts."""
    base = tmp_path_factory.mktemp("large")
    write_html(read_run(write_run(base / "results", ten_thousand())), base / "html")
    return base / "html"


@pytest.mark.skipif(programs() is None, reason=MISSING)
@pytest.mark.parametrize("page", ["index.html", "matrix/smtp-client.html"])
def test_opening_ten_thousand_verdicts(benchmark: BenchmarkFixture, large: Path, page: str) -> None:
    """From the address to the end of the load event, as the browser itself has it in `load_seconds`."""
    seconds: list[float] = []
    with Browser() as browser:
        browser.emulate(1280, 900)

        def load() -> None:
            browser.go(large / page)
            seconds.append(browser.load_seconds())

        benchmark.pedantic(load, rounds=5)  # type: ignore[no-untyped-call]  # no annotations, as above
    benchmark.extra_info["load_seconds"] = seconds
    assert max(seconds) <= 2
