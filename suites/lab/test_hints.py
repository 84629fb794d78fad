"""What a command tells its user to type next works when it is typed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli.hints import to_type

ROOT = Path(__file__).parents[2]
CASE = "lancelot.server.known-questions-are-answered"


@pytest.mark.parametrize(
    ("folder", "typed"),
    [
        (ROOT / "results", "./erle report"),
        (ROOT / "suites/../results", "./erle report"),
        (ROOT / "results/kept", "./erle report --results results/kept"),
        (Path("/elsewhere/my results"), "./erle report --results '/elsewhere/my results'"),
        (Path(f"{ROOT}-b/results"), f"./erle report --results {shlex.quote(f'{ROOT}-b/results')}"),
    ],
    ids=["default", "default-by-another-name", "inside", "elsewhere", "neighbour"],
)
def test_a_folder_of_results_is_told_unless_it_is_the_usual_one(folder: Path, typed: str) -> None:
    """Relative to the checkout where it lies inside, and quoted for the shell."""
    assert to_type("./erle report", folder, ROOT) == typed


def typed(words: str) -> str:
    """What a command prints that is typed into a shell in the checkout."""
    command = words.replace("./erle", f"{shlex.quote(sys.executable)} -m lab", 1)
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_the_last_line_of_a_run_makes_the_report_of_that_run(tmp_path: Path) -> None:
    """Also where the run was told to keep its results in a folder of its own."""
    folder = tmp_path / "my results"

    printed = typed(
        f"./erle run lancelot --implementation simple --case {CASE} --cut whole --results {shlex.quote(str(folder))}"
    )

    hint = re.search(r"\((\./erle .*) makes a page of them\)", printed)
    assert hint, printed
    assert str(folder) in typed(hint[1])
    (page,) = folder.glob("*/report/index.html")
    assert "lancelot" in page.read_text(encoding="utf-8")
