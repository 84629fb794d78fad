"""The exemplar client: asks the three questions, and takes answers as docs/lancelot.md has them.

Knows the protocol from the client's side, and sockets. Each decision is a method of its own, for mutants to break.
"""

from __future__ import annotations

import socket
import time
from typing import Final

from suites.lancelot.contract import Report
from suites.lancelot.specification import ANSWERS

FEATURES: Final = ("pipelining",)


class Failed(Exception):
    """An answer does not come."""


class Client:
    """Asks over one connection; made anew for each conversation by `ask` and `pipeline`."""

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self.received = b""
        self.timeout = 0.0

    def ask(self, *, host: str, port: int, timeout: float) -> Report:
        """A question when the answer to the one before is there."""
        return self.converse(host, port, timeout, [[question] for question in ANSWERS])

    def pipeline(self, *, host: str, port: int, timeout: float) -> Report:
        """All questions, then the answers."""
        return self.converse(host, port, timeout, [[*ANSWERS]])

    def converse(self, host: str, port: int, timeout: float, rounds: list[list[bytes]]) -> Report:
        """Ask the questions of each round at once, and take their answers before the next."""
        self.received, self.timeout = b"", timeout
        answers: list[bytes] = []
        try:
            with socket.create_connection((host, port), timeout) as self._sock:
                for questions in rounds:
                    self._sock.sendall(b"".join(questions))
                    answers += self.in_order([self.answer() for _ in questions])
        except (OSError, Failed) as error:
            return {"outcome": "failed", "answers": _texts(answers), "cause": str(error) or "timed out"}
        return {"outcome": "done", "answers": _texts(answers)}

    def answer(self) -> bytes:
        """The next answer, with its full stop."""
        deadline = time.monotonic() + self.timeout
        while b"." not in self.received:
            octets = self.receive(deadline)
            if not octets:
                return self.end_of_stream()
            self.received += octets
        answer, stop, rest = self.received.partition(b".")
        self.received = self.surplus(rest)
        return answer + stop

    def receive(self, deadline: float) -> bytes:
        """What comes next; nothing at the end of the stream."""
        if self._sock is None:
            raise Failed("there is no connection")
        left = self.left(deadline)
        if left is not None and left <= 0:
            raise Failed("no answer in time")
        self._sock.settimeout(left)
        return self._sock.recv(4096)

    def left(self, deadline: float) -> float | None:
        """Seconds that may be waited yet."""
        return deadline - time.monotonic()

    def end_of_stream(self) -> bytes:
        """The connection has ended before the answer was there."""
        raise Failed(f"the server hung up after {self.received!r}")

    def surplus(self, octets: bytes) -> bytes:
        """What is kept of the octets behind an answer."""
        return octets

    def in_order(self, answers: list[bytes]) -> list[bytes]:
        """The answers in the order of the questions."""
        return answers


def _texts(answers: list[bytes]) -> list[str]:
    return [answer.decode("ascii", "backslashreplace") for answer in answers]
