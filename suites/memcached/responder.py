"""A scripted memcached: polite unless told otherwise.

Knows the server's side of the text protocol as far as a client can see it, so that a case only says where this server
differs. Stores nothing: what it gives is what a case put into its hands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.wire.answers import Answer, Answers, Table, give
from lab.wire.stream import RecordedStream
from suites.memcached.conversation import LENGTH_WORD

LINE_LIMIT = 65536
#: A client that goes round in circles finds the connection closed after so many commands.
COMMAND_LIMIT = 200
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
        self._answers = Table(manners.answers)

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
            give(self._answer(name, words), stream)

    def _answer(self, name: str, words: list[bytes]) -> Answer:
        special = self._answers.next(name)
        if special is not None:
            return special
        if words[-1:] == [b"noreply"]:
            return b""
        if name in {"get", "gets"}:
            return self._items(words[1:], with_cas=name == "gets")
        if name in {"gat", "gats"}:
            return self._items(words[2:], with_cas=name == "gats")
        return POLITE.get(name, b"ERROR\r\n")

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
