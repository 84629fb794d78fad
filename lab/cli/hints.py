"""Commands that a user is told to type next.

Knows where runs are kept unless somebody says otherwise. Must not know what a command does.
"""

from __future__ import annotations

import shlex
from pathlib import Path


def to_type(command: str, results: Path, root: Path) -> str:
    """The command as it has to be typed in the checkout for runs that are kept in this folder."""
    folder, root = results.resolve(), root.resolve()
    if folder == root / "results":
        return command
    shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return f"{command} --results {shlex.quote(str(shown))}"
