"""`erle test`: the lab tests itself.

Knows how nox is started, and from which folder. Must not know what a session does; that stands in noxfile.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lab.errors import LabError

ROOT = Path(__file__).resolve().parents[2]
# The tests come last: their closing line is what a reader looks for.
SESSIONS = ["lint", "types", "tests"]
# Programs that tests drive, and the package of each.
TOOLS = {"curl": "curl", "chromium": "chromium", "chromedriver": "chromium-driver"}


def register(app: typer.Typer) -> None:
    """Add `test`."""
    app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
        run_sessions
    )


def _install_tools(*, unasked: bool) -> None:
    """Install the programs that some tests drive, or say which tests will be left out without them."""
    missing = {program: package for program, package in TOOLS.items() if shutil.which(program) is None}
    if not missing:
        return
    from lab.stack import apt
    from lab.stack.progress import Lines

    packages = list(missing.values())
    if unasked and apt.is_available():
        try:
            apt.update(Lines())
            apt.install(packages, Lines())
            return
        except LabError as error:
            print(f"erle: {error}", file=sys.stderr)
    print(
        f"without {', '.join(missing)} what needs them is left out; to have it: apt-get install {' '.join(packages)}",
        file=sys.stderr,
    )


def run_sessions(
    context: typer.Context,
    session: Annotated[
        list[str] | None, typer.Option("--session", "-s", help="Run this nox session only; may be repeated.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Install and start the container engine first if need be.")
    ] = False,
) -> int:
    """Test the lab itself: lint, types, then all tests, in the environment that ./erle made.

    Without a container engine the tests that need one are skipped, with the reason; --yes or CI=true sets one up.

    Words that are no option of this command go to the sessions, and then only the tests run:

      erle test                                all of it

      erle test -s lint                        one session

      erle test suites/lab/test_launcher.py    some of the tests

      erle test -- -k ready -x                 pytest's own options

    Exit codes: 0 all passed, 1 something failed, 2 usage, 3 the lab could not run.
    """
    if not (ROOT / "noxfile.py").is_file():
        raise LabError(f"{ROOT} is no checkout of Erle Lab, and only a checkout holds its tests")
    if find_spec("nox") is None:
        locked = ROOT / "requirements" / "dev.txt"
        raise LabError(
            "the tools that the tests need are not installed here",
            remedy=f"./erle test, or {sys.executable} -m pip install --require-hashes -r {locked}",
        )
    if (
        yes
        and subprocess.run([sys.executable, "-m", "lab", "doctor", "--fix"], cwd=ROOT, check=False).returncode
    ):
        raise LabError("the machine could not be made ready", remedy="erle doctor")
    _install_tools(unasked=yes or bool(os.environ.get("CI")))
    words = list(context.args)
    sessions = session or (["tests"] if words else SESSIONS)
    command = [sys.executable, "-m", "nox", "--no-venv", "--sessions", *sessions]
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        [*command, *(["--", *words] if words else [])],
        cwd=ROOT,
        env={**os.environ, "PATH": programs},
        check=False,
    )
    if done.returncode < 0:
        return 128 - done.returncode
    return 1 if done.returncode else 0
