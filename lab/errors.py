"""The one family of errors that the lab reports to its user. Knows nothing of Docker, protocols or the command line.

A `LabError` says in one clear line why the lab could not do what it was asked; the command line prints that line and
ends with exit code 3. It never stands for a verdict: what an implementation or a peer did wrong is not a `LabError`.
"""

from __future__ import annotations


class LabError(Exception):
    """The lab could not run. `str(error)` is one clear message; `remedy`, if any, says what the user can do."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Misuse(LabError):
    """What the user asked for makes no sense as it was written; the command line ends with exit code 2."""


#: So many known names are told where none resembles the one that was given.
NAMES_TOLD = 24


class UnknownName(Misuse):
    """A name the user gave (a server, say) that the lab does not have; `nearest` holds what was perhaps meant."""

    def __init__(self, kind: str, name: str, nearest: list[str], known: list[str]) -> None:
        if nearest:
            meant = f"did you mean {' or '.join(nearest)}?"
        elif len(known) > NAMES_TOLD:
            meant = f"there are {len(known)}: {', '.join(known[:NAMES_TOLD])}, …"
        else:
            meant = f"there are: {', '.join(known)}"
        super().__init__(f"there is no {kind} called {name!r}; {meant}")
        self.kind = kind
        self.name = name
        self.nearest = nearest
