"""Programs run as a user runs them: what they leave is told, what does not fit is said, and none is waited for without end.

Knows a made-up package in a temporary folder. Must not know any program of the catalogue.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.judge.programs import Programs, Ran

ECHO = "import sys\nprint(sys.argv[1:], sys.stdin.read())\n"
FAIL = "import sys\nsys.stderr.write('python -m made_up.fail: no such place: x\\n')\nsys.exit(1)\n"
HANG = "import sys, threading\nprint('I begin', flush=True)\nthreading.Event().wait()\n"
NAME = "import os\nprint(os.environ.get('NAME'))\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which the package is found."""
    package = tmp_path / "made_up"
    package.mkdir()
    for name, source in (("__init__", ""), ("echo", ECHO), ("fail", FAIL), ("hang", HANG), ("name", NAME)):
        (package / f"{name}.py").write_text(source)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_words_input_and_output(environment: dict[str, str]) -> None:
    """The program gets its words and what is entered, and its output comes back."""
    programs = Programs("made_up")
    process = programs.start("echo", "a", "b c", stdin=subprocess.PIPE, environment=environment)

    assert programs.finish("echo", process, "entered").succeeded() == "['a', 'b c'] entered\n"


def test_without_an_environment_it_is_this_process_own(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is given is all of it; nothing given is what stands here."""
    programs = Programs("made_up")
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    monkeypatch.setenv("NAME", "ours")

    assert programs.run("name").succeeded() == "ours\n"
    assert programs.run("name", environment=environment).succeeded() == "None\n"


def test_a_failure_is_one_line_that_begins_as_the_command(environment: dict[str, str]) -> None:
    """Status, form and words are looked at."""
    ran = Programs("made_up").run("fail", environment=environment)

    ran.failed_with("no such place", "x")
    Ran("made_up.front", 1, "", ran.complaint).failed_with("x", told_by="fail")
    Ran("made_up.fail", 1, "", "python -m made_up.fail stop: x\n").failed_with("x")
    with pytest.raises(AssertionError, match="exit status 1, not 2"):
        ran.failed_with(status=2)
    with pytest.raises(AssertionError, match="'elsewhere'"):
        ran.failed_with("elsewhere")
    with pytest.raises(AssertionError):
        ran.succeeded()


@pytest.mark.parametrize(
    "complaint",
    [
        "",
        "python -m made_up.fail: a\nb\n",
        "python -m made_up.other: a\n",
        "python -m made_up.fail: \x1b[31ma\n",
        "Traceback: python -m made_up.fail: a\n",
    ],
)
def test_other_complaints_are_no_failure_of_good_manners(complaint: str) -> None:
    """Nothing, two lines, another program's name, control characters, a traceback."""
    with pytest.raises(AssertionError):
        Ran("made_up.fail", 1, "", complaint).failed_with()


def test_one_that_hangs_is_ended_and_what_it_had_said_is_told(environment: dict[str, str]) -> None:
    """The deadline holds for the whole program."""
    programs = Programs("made_up", deadline=1.0)
    process = programs.start("hang", environment=environment)

    with pytest.raises(AssertionError, match=r"hang hangs; it had said 'I begin\\n'"):
        programs.finish("hang", process)

    assert process.poll() is not None
