"""Hands over to the command line in the checkout's virtual environment, once that holds what it must.

Knows where the environment is and how to tell that it is whole; runs on the standard library alone, before anything is
installed. Must not know what the lab does, and must stay quick to import: every start of `./erle` passes through here.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from lab.errors import LabError

EXIT_COULD_NOT_RUN = 3
EXIT_INTERRUPTED = 130
# The commands that need the tools of development as well.
DEVELOPMENT_COMMANDS = {"test"}


class Environment:
    """The virtual environment `.venv` of one checkout, and the stamp that says what is installed in it.

    The stamp is written last: an environment without a whole stamp is made anew, so an interrupted installation can
    not be mistaken for a good one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "erle-stamp"

    def digest(self, requirements: str) -> str:
        """Return a digest of all that decides what an installation of `requirements` puts into the environment."""
        found = hashlib.sha256(os.fsencode(self.root))
        for name in (f"requirements/{requirements}.txt", "pyproject.toml"):
            found.update((self.root / name).read_bytes())
        return f"{requirements} {found.hexdigest()}"

    def stamped(self) -> list[str]:
        """Return the lines of the stamp; [] if there is none."""
        try:
            return self.stamp.read_text(encoding="ascii").splitlines()
        except OSError:
            return []

    def is_ready(self, requirements: str) -> bool:
        """Say whether these requirements, as locked now, are installed."""
        return self.digest(requirements) in self.stamped() and self.python.exists()


def start(root: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by the lab's command line in the checkout's environment, which is made if need be."""
    environment = Environment(Path(root))
    command = next((word for word in arguments if not word.startswith("-")), None)
    requirements = "dev" if command in DEVELOPMENT_COMMANDS else "run"
    try:
        if not environment.is_ready(requirements):
            # Needed once in a long while, so not imported at every start.
            from lab.install import install

            install(environment, requirements, may_install=_may_install(arguments))
    except LabError as error:
        print(f"erle: {error}", file=sys.stderr)
        if error.remedy:
            print(f"  do: {error.remedy}", file=sys.stderr)
        sys.exit(EXIT_COULD_NOT_RUN)
    except KeyboardInterrupt:
        print("\nerle: interrupted; the next start makes .venv anew", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    python = str(environment.python)
    # -P: the folder the user stands in may hold a `lab` of its own.
    os.execve(python, [python, "-P", "-m", "lab", *arguments], _surroundings(environment))


def _surroundings(environment: Environment) -> dict[str, str]:
    """Return the variables for the command line and all that it starts.

    Who wants no compiled files in the source tree (PYTHONDONTWRITEBYTECODE) gets them in `.venv`: a run starts hundreds
    of interpreters, and each would compile the same modules again.
    """
    variables = dict(os.environ)
    if variables.pop("PYTHONDONTWRITEBYTECODE", ""):
        variables["PYTHONPYCACHEPREFIX"] = str(environment.folder / "pycache")
    return variables


def _may_install(arguments: Sequence[str]) -> bool:
    """Say whether the user has agreed to the installation of the system's packages."""
    return "--fix" in arguments or "--yes" in arguments or os.environ.get("CI", "").lower() in {"1", "true"}
