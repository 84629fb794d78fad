"""How many processes judge side by side when nobody says.

Knows the machine's processors. Must not know what is judged.
"""

from __future__ import annotations

import os


def enough() -> int:
    """Two a CPU: cases wait for the other end more than they compute."""
    return 2 * (os.cpu_count() or 1)
