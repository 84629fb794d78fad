"""The client as the judge asks it: its Session, and what it says of the answers.

Knows the client's way to fail. Adds nothing to what the client does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TypedDict

from implementations.lancelot.client import Session
from implementations.lancelot.command_line import Failure
from implementations.lancelot.protocol import ANSWERS


class Report(TypedDict, total=False):
    """What came of one conversation; answers that came before a failure are told, too."""

    outcome: Literal["done", "failed"]
    answers: list[str]
    cause: str


class SessionClient:
    """Asks the three questions over one connection."""

    def ask(self, *, host: str, port: int, timeout: float) -> Report:
        """Wait for each answer before the next question."""
        return _converse(host, port, timeout, lambda session: map(session.ask, ANSWERS))

    def pipeline(self, *, host: str, port: int, timeout: float) -> Report:
        """Ask everything, then wait for the answers."""
        return _converse(host, port, timeout, lambda session: session.pipeline([*ANSWERS]))


def _converse(
    host: str, port: int, timeout: float, answers_in: Callable[[Session], Iterable[bytes]]
) -> Report:
    answers: list[str] = []
    try:
        session = Session(host, port, timeout)
        try:
            # those before one that fails stay
            answers.extend(answer.decode("ascii", "backslashreplace") for answer in answers_in(session))
        finally:
            session.close()
    except Failure as failure:
        return {"outcome": "failed", "answers": answers, "cause": str(failure)}
    return {"outcome": "done", "answers": answers}
