"""The Lancelot protocol: octets in, answers out.

A question is everything up to and including a `?`, octet for octet: nothing is stripped, no letter is folded. Three are
known; any other gets UNKNOWN. Answers end in `.` and come in the order of the questions, however the stream was cut. A
question has at most LONGEST_QUESTION octets, its `?` included: a peer that sends more without one gets the answers to what
it asked before, and then the end of the connection. What follows the last `?` at the end of the stream is no question.

Knows the words alone. Must not know a socket, a clock or a server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PORT = 1060
LONGEST_QUESTION = 1024
UNKNOWN = b"I do not know that."

#: The answer to each known question, both whole.
ANSWERS: Mapping[bytes, bytes] = MappingProxyType(
    {
        b"What is your name?": b"My name is Sir Lancelot of Camelot.",
        b"What is your quest?": b"To seek the Holy Grail.",
        b"What is your favorite color?": b"Blue.",
    }
)

#: The one look-up that a server needs for a segment that is exactly one known question; None for every other segment.
#: (A dictionary's own method: a call through the read-only view costs twice as much.)
answer_to_known = dict(ANSWERS).get


class _Overlong(Exception):
    """A question is longer than LONGEST_QUESTION."""


class _Answers(dict[bytes, bytes]):
    """Answers by question without its `?`; whatever is not there is unknown, and is not remembered."""

    def __missing__(self, question: bytes) -> bytes:
        if len(question) >= LONGEST_QUESTION:
            raise _Overlong
        return UNKNOWN


_answer = _Answers({question[:-1]: answer for question, answer in ANSWERS.items()}).__getitem__


def answer_all(octets: bytes) -> tuple[bytes, bytes | None]:
    """Answer every question in `octets`, which begin where a question begins.

    Returns the answers as they go on the wire, and the unfinished question that follows the last `?`. That is None once a
    question is too long: the answers are those up to there, and the connection is to be closed after them.
    """
    questions = octets.split(b"?")
    unfinished = questions.pop()
    try:
        answers = b"".join(map(_answer, questions))
    except _Overlong:
        lengths = (len(question) for question in questions)
        first = next(number for number, length in enumerate(lengths) if length >= LONGEST_QUESTION)
        return b"".join(map(_answer, questions[:first])), None
    return answers, unfinished if len(unfinished) < LONGEST_QUESTION else None


class Conversation:
    """One connection: holds the unfinished question between two segments, so at most LONGEST_QUESTION octets."""

    __slots__ = ("_unfinished", "over")

    def __init__(self) -> None:
        self._unfinished = b""
        #: Whether the peer asked a question that is too long: close the connection, and hear nothing more.
        self.over = False

    def receive(self, octets: bytes) -> bytes:
        """Return the answers to the questions that `octets` complete; b"" when there are none, or it is over."""
        if self.over:
            return b""
        if self._unfinished:
            octets = self._unfinished + octets
        else:
            answer = answer_to_known(octets)
            if answer is not None:
                return answer
        answers, unfinished = answer_all(octets)
        if unfinished is None:
            self.over = True
        else:
            self._unfinished = unfinished
        return answers
