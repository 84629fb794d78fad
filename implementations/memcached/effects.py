"""What a command line may lead to where an answer is not all.

Knows shapes. Must not know any command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """Data are to follow: so many octets, CRLF among them; `finish` takes them and gives the answer."""

    length: int
    finish: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Swallow:
    """So many octets that follow are no commands either, but nobody wants them; the answer comes after them."""

    length: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """An answer that may be far longer than what asked for it, so that it is made as the peer takes it."""

    answers: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Close:
    """The conversation ends here."""


Effect = bytes | Block | Swallow | Parts | Close
