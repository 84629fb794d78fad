"""What an implementation of Lancelot must offer to be judged.

Knows the lab's side of the agreement. Must not know any implementation.

A server is a command. It reads one line of JSON from standard input (`Configuration`), listens, prints one line
(`{"ready": {"plain": PORT}}`), and serves until SIGTERM or the end of its standard input. Its process, and the children it
makes, stay in one process group.

A client is a class with a constructor without arguments, or a command that speaks JSON lines (suites/README.md). It asks the
three questions of docs/lancelot.md, section 2, in the order of the table.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypedDict


class Configuration(TypedDict):
    """What a server is told.

    Attributes:
        host: the address to listen on.
        port: the port to listen on; 0 lets the kernel choose.
    """

    host: str
    port: int


class Report(TypedDict, total=False):
    """What a client says of its conversation: the whole `answers` as text, with their full stops; `cause` of a failure."""

    outcome: Literal["done", "failed"]
    answers: list[str]
    cause: str


class LancelotClient(Protocol):
    """A client under test."""

    def ask(self, *, host: str, port: int, timeout: float) -> Report:
        """Connect, ask each question when the answer to the one before is there, and hang up.

        `timeout` is the longest time in seconds to wait for the connection and for each answer.
        """

    def pipeline(self, *, host: str, port: int, timeout: float) -> Report:
        """The same, but all questions are asked before the first answer is there (feature `pipelining`)."""
