"""How many connections and how much time a place gives the cases: the one list of what is scaled.

The Erle board has 512 MB, one emulated processor and 200 processes. A thread costs 1.4 MB there and each connection of
a thread-per-connection server is a thread, so 1000 idle connections are 100 on the board; octets that cross it are
fewer because an emulated interpreter looks at each. What a case demands is the same: only numbers differ.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """What one place bears.

    Attributes:
        idle: connections that are open and ask nothing.
        endless: octets without a `?` that one client offers.
        unread: octets of questions that one client asks and reads no answers to.
        memory: octets by which a server may grow under either: far more than a connection costs it, far fewer than are offered.
        examples: conversations that a property makes up.
        patience: seconds to wait for what has to happen.
    """

    idle: int
    endless: int
    unread: int
    memory: int
    examples: int
    patience: float


#: Descriptors that each process of a server has where they are to run out, and connections that use them up.
FEW_DESCRIPTORS = 64
MANY_CONNECTIONS = 100

MIB = 1024 * 1024
HERE = Scale(idle=1000, endless=64 * MIB, unread=48 * MIB, memory=12 * MIB, examples=40, patience=5.0)
BOARD = Scale(idle=100, endless=64 * MIB, unread=48 * MIB, memory=12 * MIB, examples=15, patience=20.0)


def scale_of(place: str) -> Scale:
    """The scale of this machine (an empty word), or of a board."""
    return BOARD if place else HERE
