"""Chooses the one port range that the kernel cannot choose: FTP's passive ports, published one to one.

Knows sockets. Two labs get two ranges, because a range is taken only where every port of it can be bound.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from lab.errors import LabError
from lab.stack.project import Lab, make_state

# Ten were too few for 20 transfers at once; each costs the engine a process and some 50 ms.
COUNT = 40
# Below the ephemeral ports of Linux (32768 up), so that no client's port falls into the range.
LOWEST, HIGHEST = 20000, 32000
ADDRESS = "127.0.0.1"


class NoPorts(LabError):
    """Every range has a port in use."""


def passive_ports(lab: Lab) -> tuple[int, int]:
    """Return the first and the last passive port of this lab; chosen once and kept in its state folder."""
    kept = lab.state / "passive-ports"
    try:
        first = int(kept.read_text(encoding="ascii"))
    except (OSError, ValueError):
        first = choose(lab, kept)
    return first, first + COUNT - 1


def choose(lab: Lab, kept: Path) -> int:
    """Choose a free range and remember it; return its first port."""
    for first in _ranges(lab.name):
        if is_free(first):
            make_state(lab)
            kept.write_text(str(first), encoding="ascii")
            return first
    raise NoPorts(f"no {COUNT} ports in a row are free between {LOWEST} and {HIGHEST}")


def rechoose(lab: Lab) -> tuple[int, int]:
    """Choose again, where the remembered range has been taken by another program."""
    (lab.state / "passive-ports").unlink(missing_ok=True)
    return passive_ports(lab)


def _ranges(name: str) -> Iterator[int]:
    """Yield the first ports of all ranges, beginning at one that depends on the lab's name."""
    count = (HIGHEST - LOWEST) // COUNT
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return (LOWEST + ((start + step) % count) * COUNT for step in range(count))


def is_free(first: int) -> bool:
    """Say whether all the ports of the range that begins at `first` can be bound."""
    with ExitStack() as held:
        for port in range(first, first + COUNT):
            listener = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((ADDRESS, port))
            except OSError:
                return False
    return True
