"""The command line as a user types it, in a process of its own.

Knows how to start it in this checkout. Judges nothing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def erle(
    *words: str, timeout: float = 100, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `erle` with these words to its end; its environment is this one unless another is given.

    Raises:
        subprocess.TimeoutExpired: it took longer than so many seconds, and was killed.
    """
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
