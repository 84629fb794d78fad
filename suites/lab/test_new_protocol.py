"""The page that tells how to add a protocol is followed to the letter: what it says has to work as it stands.

Knows the form of the page's blocks, and a checkout that has nothing but them. Must not know the protocol.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.judge.mutation import Trial
from lab.judge.suite import find_suites

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "a-new-protocol.md"
BLOCK = re.compile(r"^`([\w./-]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout made of the page's files alone; processes find them, and the lab, by PYTHONPATH."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["lab.judge.plugin", "lab.judge.fixtures"]\n')
    written = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for name, text in written:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for folder in {path.parent for path in tmp_path.rglob("*.py")} - {tmp_path}:
        (folder / "__init__.py").touch()
    for floor in ("suites", "implementations"):
        (tmp_path / floor / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert len(written) == 7
    return tmp_path


def test_the_pages_protocol_is_judged(checkout: Path) -> None:
    """Its implementation gets a verdict for each cut of the stream, and all of them are good."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "suites/daytime", "--only-cases", "--results=results"],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    (verdicts,) = checkout.glob("results/*/verdicts.jsonl")
    rows = [json.loads(line) for line in verdicts.read_text(encoding="utf-8").splitlines()]
    assert [(row["implementation"], row["verdict"]) for row in rows] == [("simple", "pass")] * 3


def test_the_pages_mutant_is_killed(checkout: Path) -> None:
    """The exemplar passes; its mutant is caught by the clause's case."""
    outcome = Trial(find_suites(checkout)["daytime"], checkout, processes=2, say=lambda _: None).run()

    assert outcome.good
    assert [(fate.candidate.name, fate.killed) for fate in outcome.mutants] == [("mute", True)]


def test_the_pages_files_are_as_the_house_wants_them(checkout: Path) -> None:
    """What is copied from the page passes lint."""
    for name in ("suites", "implementations"):
        for folder in (checkout / name).rglob("__init__.py"):
            folder.write_text('"""A folder."""\n')
    (checkout / "conftest.py").unlink()
    for command in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=checkout,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
