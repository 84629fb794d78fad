"""Runs that meet trouble: a reference server killed in the middle, a full disk, nothing to judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.stack.faults import kill
from lab.stack.lifecycle import down
from lab.stack.project import Lab
from suites.lab.command_line import erle
from suites.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("lab", "suites", "implementations", "compose.yaml", "conftest.py", "pyproject.toml", "erle")


@pytest.fixture
def other_checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout of its own, so that its lab can be hurt without disturbing this one's."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, checkout / name)
    yield checkout
    down(Lab.here(checkout))


def start_run(checkout: Path, *words: str) -> subprocess.Popen[str]:
    """``erle run smtp`` in that checkout, its output kept together."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab", "run", "smtp", "--yes", *words],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def rows_of(checkout: Path) -> list[dict[str, object]]:
    """The verdicts written so far by the only run of that checkout."""
    files = list((checkout / "results").glob("*/verdicts.jsonl"))
    if not files:
        return []
    lines = files[0].read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.docker
@pytest.mark.timeout(240)
def test_server_killed_mid_run_blocks_the_rest_and_the_run_ends(other_checkout: Path) -> None:
    """After the kill every case that needs the server is *blocked*, what was judged before stands, the run ends."""
    # many cases against the reference server, one after the other
    process = start_run(other_checkout, "--implementation", "postfix", "--cut", "whole", "-j", "1")
    try:
        assert wait_until(lambda: len(rows_of(other_checkout)) >= 2, 150), process.communicate(timeout=5)[0]
        kill(Lab.here(other_checkout), "postfix")
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    rows = rows_of(other_checkout)
    verdicts = [row["verdict"] for row in rows]
    assert verdicts[0] in {"pass", "lenient", "disputed"}, printed
    assert verdicts.count("blocked") > 10, printed
    first = verdicts.index("blocked")
    assert set(verdicts[first:]) <= {"blocked", "unsupported"}, printed
    assert "postfix" in str(rows[first]["reason"])
    assert process.returncode == 3, printed
    assert "blocked" in printed


def test_nothing_to_judge_is_said() -> None:
    """A selection that matches no case is no green run."""
    done = erle("run", "smtp", "--peers", "embedded", "--case", "smtp.client.no-such-case")
    assert done.returncode == 2
    assert "nothing ran" in done.stderr


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few kilobytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small file system needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_one_message_and_exit_code_3(full_disk: Path) -> None:
    """Results that no longer fit end the run with one line and exit code 3; those so far are kept."""
    done = erle(
        *("run", "smtp", "--peers", "embedded", "--implementation", "smtplib"),
        *("--case", "smtp.client.leading-dots-are-doubled", "--results", str(full_disk)),
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    kept = next(full_disk.glob("*/verdicts.jsonl")).read_text(encoding="utf-8").splitlines()
    assert json.loads(kept[0])["verdict"] == "pass"


DEADLY = """
import os

def pytest_runtest_call(item):
    if "workerinput" in vars(item.config) and "octets" in item.nodeid:
        os._exit(3)
"""


def test_a_case_that_takes_its_worker_down_is_told_as_lost(tmp_path: Path) -> None:
    """It has no verdict, which no run with exit code 0 or 1 may hide; the others are judged."""
    (tmp_path / "deadly.py").write_text(DEADLY, encoding="utf-8")
    done = subprocess.run(
        [
            *[sys.executable, "-m", "lab", "run", "smtp", "--peers", "embedded", "-j", "2"],
            *["--implementation", "smtplib", "--case", "smtp.client.leading-dots-are-doubled"],
            *["--results", str(tmp_path / "results")],
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_PLUGINS": "deadly", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    (told,) = [line for line in done.stdout.splitlines() if line.startswith("No verdict, because a worker")]
    assert told.count("test_leading_dots_are_doubled[smtplib-octets-") == 4
    (verdicts,) = (tmp_path / "results").glob("*/verdicts.jsonl")
    rows = [json.loads(line) for line in verdicts.read_text(encoding="utf-8").splitlines()]
    assert rows
    assert {row["verdict"] for row in rows} == {"pass"}
    assert "octets" not in {row["cut"] for row in rows}
    record = json.loads((verdicts.parent / "run.json").read_text(encoding="utf-8"))
    assert len(record["lost"]) == 4
