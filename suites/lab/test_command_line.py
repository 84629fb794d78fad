"""The frame of the command line: ways in, suggestions, exit codes, and that it starts quickly.

Knows names of commands and exit codes. Must not know what a command does.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from lab.cli import app
from lab.errors import LabError, UnknownName
from suites.lab.command_line import erle

ROOT = Path(__file__).parents[2]
HEAVY = {"docker", "pytest", "testcontainers", "hypothesis", "numpy", "twisted", "jinja2"}


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Run the command line with one command of the test's own, and return its exit code."""

    def run(command: Callable[[], object]) -> int:
        frame = typer.Typer(pretty_exceptions_enable=False)
        frame.callback()(lambda: None)
        frame.command("own")(command)
        monkeypatch.setattr(app, "build", lambda _: frame)
        return app.main(["own"])

    return run


def fails_with(error: BaseException) -> Callable[[], object]:
    """Make a command that raises."""

    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            LabError("no engine answers", "erle doctor --fix"),
            3,
            "erle: no engine answers\n  do: erle doctor --fix\n",
        ),
        (UnknownName("server", "postfx", ["postfix"], []), 2, "did you mean postfix?"),
        (OSError(errno.ENOSPC, "No space left on device", "results/x"), 3, "the disk is full (results/x)"),
        (typer.BadParameter("no such profile"), 2, "no such profile"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(1), 1, ""),
    ],
)
def test_errors_end_with_their_code(
    ending: Callable[[Callable[[], object]], int],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    """What went wrong decides the exit code, and is told in a line without a traceback."""
    assert ending(fails_with(error)) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_a_programming_error_is_not_hidden(ending: Callable[[Callable[[], object]], int]) -> None:
    """An error that nobody foresaw keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        ending(fails_with(ZeroDivisionError()))


def test_a_command_returns_its_code(ending: Callable[[Callable[[], object]], int]) -> None:
    """A command's int is the exit code; without one it is 0."""
    assert ending(lambda: 1) == 1
    assert ending(lambda: None) == 0


def test_an_unknown_command_suggests_the_nearest() -> None:
    """A slip of the finger costs one look."""
    done = erle("statsu")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'status'" in done.stderr


def test_the_help_teaches() -> None:
    """The help lists every command, an example for each of the first steps, and the exit codes."""
    shown = erle("--help")
    assert shown.returncode == 0
    for names in app.COMMANDS.values():
        for name in names:
            assert f"│ {name} " in shown.stdout
    assert "erle run smtp" in shown.stdout
    assert "Exit codes" in shown.stdout


def test_the_installed_program_is_the_same() -> None:
    """`erle` on PATH and `python -m lab` are one command line."""
    program = Path(sys.executable).parent / "erle"
    installed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert installed.stdout == erle("--version").stdout


@pytest.mark.parametrize("arguments", [["--help"], ["status"], ["test", "--help"]])
def test_quick_commands_import_nothing_heavy(arguments: list[str]) -> None:
    """Help and status start without Docker, pytest and the like."""
    code = (
        f"import sys; from lab.cli.app import main; main({arguments!r}); "
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == "[]\n"


def test_a_reader_that_leaves_is_no_error() -> None:
    """`erle --help | head -1` ends quietly."""
    line = f"{sys.executable} -m lab --help"
    with subprocess.Popen(line.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_benchmarks_are_collected_without_workers() -> None:
    """Measurements run without xdist, and the judge's plugin does too."""
    words = ["-p", "no:xdist", "--collect-only", "-q", "suites/lab/test_benchmark_wire.py"]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
