"""The Lancelot protocol: octets in, answers out.

A question is everything up to and including a `?`, octet for octet: nothing is stripped, no letter is folded. Three are
known; any other gets UNKNOWN. Answers end in `.` and come in the order of the questions, however the stream was cut. A
question has at most LONGEST_QUESTION octets, its `?` included: a peer that sends more without one gets the answers to what
it asked before, and then the end of the connection. What follows the last `?` at the end of the stream is no question.

Knows the words alone. Must not know a socket, a clock or a server.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from itertools import product
from operator import itemgetter
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

#: No segment that is longer is one known question.
LONGEST_KNOWN = max(map(len, ANSWERS))


def _by_size() -> list[tuple[bytes | None, bytes, int]]:
    table: list[tuple[bytes | None, bytes, int]] = [(None, b"", 0)] * (LONGEST_KNOWN + 1)
    for question, answer in ANSWERS.items():
        table[len(question)] = question, answer, len(answer)
    return table


#: For a segment of at most LONGEST_KNOWN octets, by its length: the one question that it can be, the answer, and the answer's
#: length. A comparison costs less than half of what the hash of new octets does. (None where no question has this length;
#: where several had the same, the others would take the general way.)
KNOWN_BY_SIZE = _by_size()

_KNOWN = {question[:-1]: answer for question, answer in ANSWERS.items()}
_join = b"".join
#: How many questions of a segment are looked up at once, and the array type of as many octets.
_GROUP, _GROUP_TYPE = 4, "I"


def _signs() -> dict[int, bytes]:
    """Each known question by an octet that occurs once in it and in no other: where that octet is, it may be asked."""
    everything = _join(ANSWERS)
    signs = {}
    for question in ANSWERS:
        sign = next(octet for octet in question if everything.count(octet) == 1)
        signs[sign] = question
    return signs


def _groups(texts: Mapping[int, bytes]) -> dict[int, bytes]:
    """The texts of all sequences of at most _GROUP signs, by the number that their octets are in memory, padded with NUL."""
    return {
        int.from_bytes(bytes(signs).ljust(_GROUP, b"\0"), sys.byteorder): _join(texts[sign] for sign in signs)
        for length in range(_GROUP + 1)
        for signs in product(texts, repeat=length)
    }


_NO_SIGNS = bytes({*_join(ANSWERS)} - _signs().keys())
_QUESTIONS_OF_GROUP = _groups(_signs())
_ANSWERS_OF_GROUP = _groups({sign: ANSWERS[question] for sign, question in _signs().items()})
#: To whole groups, and one group more, which stands for nothing: so there are always two.
_PADDING = [b"\0" * (_GROUP + -length % _GROUP) for length in range(_GROUP)]


def answers_to_known(octets: bytes) -> bytes | None:
    """Answer a segment that is known questions, whole, and nothing else; None for every other segment.

    The signs of the segment say what it would be if it were such a segment, and it is one if it is just that. So no question
    is cut out, hashed and looked up by itself, which takes longer than all the rest of a server that is written in Python.
    """
    signs = octets.translate(None, _NO_SIGNS)
    pick = itemgetter(*array(_GROUP_TYPE, signs + _PADDING[len(signs) % _GROUP]))
    try:
        questions: tuple[bytes, ...] = pick(_QUESTIONS_OF_GROUP)
    except KeyError:
        return None
    return _join(pick(_ANSWERS_OF_GROUP)) if _join(questions) == octets else None


def answer_all(octets: bytes) -> tuple[bytes, bytes | None]:
    """Answer every question in `octets`, which begin where a question begins.

    Returns the answers as they go on the wire, and the unfinished question that follows the last `?`. That is None once a
    question is too long: the answers are those up to there, and the connection is to be closed after them.
    """
    known = answers_to_known(octets)
    if known is not None:
        return known, b""
    questions = octets.split(b"?")
    unfinished = questions.pop()
    answers: list[bytes] = []
    for question in questions:
        if len(question) >= LONGEST_QUESTION:
            return _join(answers), None
        answers.append(_KNOWN.get(question, UNKNOWN))
    return _join(answers), unfinished if len(unfinished) < LONGEST_QUESTION else None


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
        elif len(octets) <= LONGEST_KNOWN:
            question, answer, _ = KNOWN_BY_SIZE[len(octets)]
            if octets == question:
                return answer
        answers, unfinished = answer_all(octets)
        if unfinished is None:
            self.over = True
        else:
            self._unfinished = unfinished
        return answers
