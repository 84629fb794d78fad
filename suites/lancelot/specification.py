"""The protocol's words and the one right answer to any octets (docs/lancelot.md): the oracle of the cases.

Knows the specification. Must not know a socket, nor any implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LONGEST_QUESTION = 1024
UNKNOWN = b"I do not know that."
NAME = b"What is your name?"
QUEST = b"What is your quest?"
COLOR = b"What is your favorite color?"
ANSWERS = {
    NAME: b"My name is Sir Lancelot of Camelot.",
    QUEST: b"To seek the Holy Grail.",
    COLOR: b"Blue.",
}
#: Seconds in which a server that was asked to stop has to end.
SHUTDOWN = 10.0


def answer(question: bytes) -> bytes:
    """The answer to one question that keeps to the bounds."""
    return ANSWERS.get(question, UNKNOWN)


def answers(questions: Iterable[bytes]) -> bytes:
    """All answers, as they go on the wire."""
    return b"".join(map(answer, questions))


def conversation(octets: bytes) -> tuple[bytes, bool]:
    """What is answered to everything a client sent, and whether a question was too long, so that the server ends it."""
    said: list[bytes] = []
    start = 0
    while end := octets.find(b"?", start, start + LONGEST_QUESTION) + 1:
        said.append(answer(octets[start:end]))
        start = end
    return b"".join(said), len(octets) - start >= LONGEST_QUESTION


def at_question_ends(data: bytes) -> Iterator[bytes]:
    """A way of cutting what a client sends: a segment ends after each `?`, which is this protocol's end of a line."""
    return _after(b"?", data)


def at_answer_ends(data: bytes) -> Iterator[bytes]:
    """A way of cutting what a server sends: a segment ends after each full stop."""
    return _after(b".", data)


def _after(mark: bytes, data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(mark, start) + 1 or len(data)
        yield data[start:end]
        start = end
