"""What a scripted peer says in answer, and how: at once, in parts, too late, never.

Knows octets, pauses and closings, and which answer is next where several were written down. Must not know any protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from lab.wire.stream import Ended, RecordedStream

#: Octets to say, or a function that does as it likes with the stream.
Answer = bytes | Callable[[RecordedStream], None]
#: An answer for every time, or one for each time (the last one stays; ``None`` is the polite answer).
Answers = Answer | Sequence[Answer | None]

#: Seconds that a silent peer stays; longer than cases tell clients to wait.
SILENCE = 2.5
#: Ends a dialogue whose answer has closed the connection; no client is to blame for it.
CLOSED_BY_SCRIPT = "the script closed the connection"


class Table:
    """Answers by what is asked; one sequence under several names is one row, whichever of them comes."""

    def __init__(self, answers: Mapping[str, Answers]) -> None:
        self._answers = answers
        self._turns: dict[int, int] = {}

    def next(self, name: str) -> Answer | None:
        """The answer to this name, whose turn is over then; ``None`` where the peer is polite."""
        answers = self._answers.get(name)
        if answers is None or isinstance(answers, bytes) or callable(answers):
            return answers
        turn = self._turns.get(id(answers), 0)
        self._turns[id(answers)] = turn + 1
        return answers[min(turn, len(answers) - 1)]


def give(answer: Answer, stream: RecordedStream) -> None:
    """Say the octets, or have the function do it."""
    if isinstance(answer, bytes):
        stream.send(answer)
    else:
        answer(stream)


def close(stream: RecordedStream) -> None:
    """An answer that says nothing and closes the connection."""
    stream.close()
    raise Ended(CLOSED_BY_SCRIPT)


def reset(stream: RecordedStream) -> None:
    """An answer that says nothing and resets the connection."""
    stream.reset()
    raise Ended(CLOSED_BY_SCRIPT)


def silence(stream: RecordedStream) -> None:
    """An answer that never comes: what the client says is read until it leaves, or ``SILENCE`` seconds are over."""
    stream.receive_to_end(timeout=SILENCE)
    raise Ended(CLOSED_BY_SCRIPT)


def say_and_close(octets: bytes) -> Callable[[RecordedStream], None]:
    """An answer that is said, after which the connection is closed."""

    def answer(stream: RecordedStream) -> None:
        stream.send(octets)
        close(stream)

    return answer


def say_and_be_silent(octets: bytes) -> Callable[[RecordedStream], None]:
    """An answer that begins with these octets and never ends."""

    def answer(stream: RecordedStream) -> None:
        stream.send(octets)
        silence(stream)

    return answer


def say_late(octets: bytes, seconds: float) -> Callable[[RecordedStream], None]:
    """An answer that comes after so many seconds; what the client says meanwhile is answered behind it."""

    def answer(stream: RecordedStream) -> None:
        time.sleep(seconds)
        stream.send(octets)

    return answer


class Held:
    """An answer given in parts, each after a pause in which the client has nothing to say yet.

    Args:
        parts: the octets of the answer.
        pause: seconds before each part.

    Attributes:
        octets: the whole answer.
        early: what the client said in the pauses; it finds the connection closed then.
        left: whether the client left in a pause.
    """

    def __init__(self, *parts: bytes, pause: float = 0.06) -> None:
        self._parts = parts
        self.octets = b"".join(parts)
        self._pause = pause
        self.early = b""
        self.left = False

    def __call__(self, stream: RecordedStream) -> None:
        """Give the answer."""
        self._hold(stream, self._parts)

    def _hold(self, stream: RecordedStream, parts: Sequence[bytes]) -> None:
        for part in parts:
            early = stream.receive_what_comes(self._pause)
            self.early += early
            self.left = stream.ended is not None
            if early or self.left:
                # a client that takes a part for the whole is heard by nobody: its next command finds this
                close(stream)
            stream.send(part)


class Pieces(Held):
    """An answer whose first part is said at once, and each other after a pause in which the client reads what has come."""

    def __call__(self, stream: RecordedStream) -> None:
        """Give the answer."""
        stream.send(self._parts[0])
        self._hold(stream, self._parts[1:])
