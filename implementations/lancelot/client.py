"""Ask a Lancelot server the three questions and print its answers: `client HOST [PORT] [--pipeline]`.

Knows a blocking socket, and that an answer ends in a full stop. Takes any answer: it is for people who look.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Iterator, Sequence

from implementations.lancelot.command_line import (
    Failure,
    Parser,
    explain,
    guarded,
    port_number,
    printable,
    seconds,
)
from implementations.lancelot.protocol import ANSWERS, PORT

#: Octets that an answer may have before its full stop.
LONGEST_ANSWER = 4096


class Session:
    """A connection that is asked one question after the other, with a deadline for each answer."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        """Connect. Raises Failure."""
        self._timeout = timeout
        self._surplus = b""
        try:
            self._connection = socket.create_connection((host, port), timeout)
        except (OSError, UnicodeError) as error:
            raise Failure(f"{host}:{port}: {reason(error)}") from error

    def ask(self, question: bytes) -> bytes:
        """Send a question, and return the answer with its full stop. Raises Failure."""
        return next(self.pipeline([question]))

    def pipeline(self, questions: Sequence[bytes]) -> Iterator[bytes]:
        """Send all questions at once; yield the answers, with their full stops, in the order of the questions. Raises Failure.

        They fit into what the kernel takes from a sender whose peer reads nothing: thousands of questions would be asked in
        several calls.
        """
        try:
            self._connection.settimeout(self._timeout)
            self._connection.sendall(b"".join(questions))
        except OSError as error:
            raise _no_answer(questions[0], error) from error
        for question in questions:
            try:
                yield self._answer()
            except OSError as error:
                raise _no_answer(question, error) from error

    def _answer(self) -> bytes:
        deadline = time.monotonic() + self._timeout
        octets = self._surplus
        while b"." not in octets:
            if len(octets) > LONGEST_ANSWER:
                raise Failure(f"no answer: {LONGEST_ANSWER} octets came without a full stop")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            more = self._connection.recv(4096)
            if not more:
                raise Failure(
                    f"the server closed the connection after {octets!r}, in the middle of an answer"
                )
            octets += more
        answer, stop, self._surplus = octets.partition(b".")
        return answer + stop

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _no_answer(question: bytes, error: OSError) -> Failure:
    return Failure(f"no answer to {question.decode('ascii')!r}: {reason(error)}")


def reason(error: Exception) -> str:
    """Say what went wrong with a connection."""
    if isinstance(error, socket.gaierror):
        return f"name not found: {error.strerror}"
    return "timed out" if isinstance(error, TimeoutError) else explain(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = Parser(
        prog="python -m implementations.lancelot.client",
        description="Ask a Lancelot server its three questions, and print the answers.",
        epilog="Exit status: 0 three answers came, 1 they did not, 2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument("host", metavar="HOST", help="name or address of the server")
    parser.add_argument(
        "port",
        metavar="PORT",
        nargs="?",
        type=_some_port,
        default=PORT,
        help="TCP port (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="longest wait for the connection and for each answer (default: %(default)s)",
    )
    parser.add_argument(
        "--pipeline",
        action="store_true",
        help="ask all three questions before the first answer is waited for",
    )
    words = parser.parse_args(argv)

    def work() -> None:
        session = Session(words.host, words.port, words.timeout)
        try:
            questions = [*ANSWERS]
            answers = session.pipeline(questions) if words.pipeline else map(session.ask, questions)
            for question, answer in zip(questions, answers, strict=True):
                print(question.decode("ascii"), printable(answer.decode("ascii", "backslashreplace")))
        finally:
            session.close()

    return guarded(parser.prog, work)


def _some_port(text: str) -> int:
    port = port_number(text)
    if port == 0:
        raise argparse.ArgumentTypeError("0 is no TCP port to connect to")
    return port


if __name__ == "__main__":
    sys.exit(main())
