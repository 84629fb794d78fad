"""A scripted memcached: polite unless told otherwise.

Knows the server's side of the text protocol as far as a client can see it, so that a case only says where this server
differs. Stores nothing: what it gives is what a case put into its hands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.wire.stream import Ended, RecordedStream
from suites.memcached.conversation import LENGTH_WORD

Answer = bytes | Callable[[RecordedStream], None]
#: What is said to a command: every time the same, or one after the other (the last one stays; ``None`` is the polite one).
Answers = Answer | Sequence[Answer | None]

LINE_LIMIT = 65536
#: A client that goes round in circles finds the connection closed after so many commands.
COMMAND_LIMIT = 200
#: Seconds that a silent server stays; longer than cases tell clients to wait.
SILENCE = 2.5
CAS = 7
POLITE = {
    "set": b"STORED\r\n",
    "add": b"STORED\r\n",
    "replace": b"STORED\r\n",
    "append": b"STORED\r\n",
    "prepend": b"STORED\r\n",
    "cas": b"STORED\r\n",
    "delete": b"DELETED\r\n",
    "incr": b"1\r\n",
    "decr": b"1\r\n",
    "touch": b"TOUCHED\r\n",
    "flush_all": b"OK\r\n",
    "verbosity": b"OK\r\n",
    "version": b"VERSION 1.6.18\r\n",
    "stats": b"STAT pid 1\r\nSTAT version 1.6.18\r\nEND\r\n",
}
CLOSED_BY_SCRIPT = "the script closed the connection"


@dataclass
class Manners:
    """How the scripted server differs from a polite one.

    Attributes:
        answers: command → what is said instead.
        holds: the items it has: key → flags and data.
    """

    answers: Mapping[str, Answers] = field(default_factory=dict)
    holds: Mapping[bytes, tuple[int, bytes]] = field(default_factory=dict)


class Responder:
    """Answers one client after the other; a ``ScriptedPeer`` calls it for each connection.

    What is said one after the other is counted over all connections.
    """

    def __init__(self, manners: Manners) -> None:
        self._manners = manners
        self._times: dict[int, int] = {}

    def __call__(self, stream: RecordedStream) -> None:
        """Hold one conversation to its end."""
        for _ in range(COMMAND_LIMIT):
            words = stream.receive_line(limit=LINE_LIMIT).split()
            name = words[0].decode("latin-1") if words else ""
            if name == "quit":
                return
            place = LENGTH_WORD.get(name.encode("latin-1"))
            if place is not None:
                stream.receive_exactly(int(words[place]) + 2)
            answer = self._answer(name, words)
            if isinstance(answer, bytes):
                stream.send(answer)
            else:
                answer(stream)

    def _answer(self, name: str, words: list[bytes]) -> Answer:
        special = self._special(name)
        if special is not None:
            return special
        if words[-1:] == [b"noreply"]:
            return b""
        if name in {"get", "gets"}:
            return self._items(words[1:], with_cas=name == "gets")
        if name in {"gat", "gats"}:
            return self._items(words[2:], with_cas=name == "gats")
        return POLITE.get(name, b"ERROR\r\n")

    def _special(self, name: str) -> Answer | None:
        answers = self._manners.answers.get(name)
        if answers is None or isinstance(answers, bytes) or callable(answers):
            return answers
        # one list under several names is one row of answers, whichever of the commands comes
        turn = self._times.get(id(answers), 0)
        self._times[id(answers)] = turn + 1
        return answers[min(turn, len(answers) - 1)]

    def _items(self, keys: list[bytes], *, with_cas: bool) -> bytes:
        held = [(key, *self._manners.holds[key]) for key in keys if key in self._manners.holds]
        return (
            b"".join(item(key, data, flags, CAS if with_cas else None) for key, flags, data in held)
            + b"END\r\n"
        )


def item(key: bytes, data: bytes, flags: int = 0, cas: int | None = None) -> bytes:
    """One item of a retrieval's answer, as a server sends it."""
    token = b"" if cas is None else b" %d" % cas
    return b"VALUE %b %d %d%b\r\n%b\r\n" % (key, flags, len(data), token, data)


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


class Pieces:
    """An answer that is said piece by piece, each after a pause in which the client reads what has come.

    Args:
        pieces: the octets of the answer.
        pause: seconds before each piece but the first.
    """

    def __init__(self, *pieces: bytes, pause: float = 0.04) -> None:
        self._pieces = pieces
        self._pause = pause

    def __call__(self, stream: RecordedStream) -> None:
        """Give the answer."""
        for number, piece in enumerate(self._pieces):
            if number:
                early = stream.receive_what_comes(self._pause)
                if early or stream.ended:
                    # a client that takes a part for the whole is heard by nobody: its next command finds this
                    close(stream)
            stream.send(piece)
