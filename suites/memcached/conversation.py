"""What a client said, read from a transcript: command lines and the data blocks behind them.

Knows where a command ends (sections Commands, Storage commands and Meta Set). Must not trust the client: it reads octets.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from lab.wire.transcript import Transcript

#: Command → which word of the line tells how long the data block is.
LENGTH_WORD = {b"set": 4, b"add": 4, b"replace": 4, b"append": 4, b"prepend": 4, b"cas": 4, b"ms": 2}


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a client.

    Attributes:
        line: its octets without the line end.
        ending: the line end as it came.
        data: the data block, or ``None`` where the command has none.
        data_ending: the two octets behind the data block; fewer where the client stopped.
        time: when its first octet came, in seconds since the transcript began.
    """

    line: bytes
    ending: bytes
    data: bytes | None
    data_ending: bytes
    time: float

    @property
    def words(self) -> list[bytes]:
        """The words between spaces."""
        return [word for word in self.line.split(b" ") if word]

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].decode("latin-1") if self.words else ""

    @property
    def key(self) -> bytes:
        """The second word; of ``gat`` and ``gats`` the third."""
        place = 2 if self.name in {"gat", "gats"} else 1
        return self.words[place] if len(self.words) > place else b""

    @property
    def noreply(self) -> bool:
        """Whether it asks for no reply."""
        return self.words[-1:] == [b"noreply"]


class Conversation:
    """One connection of a client under test, understood.

    Attributes:
        commands: in the order in which they were sent.
        unfinished: octets that end no line.
        replies: the octets of the server.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.commands: list[Command] = []
        starts: list[int] = []
        times: list[float] = []
        octets = b""
        for event in transcript.events():
            if event.side == "client" and event.kind == "data":
                starts.append(len(octets))
                times.append(event.time)
                octets += event.data
        self.octets = octets
        self.replies = transcript.octets("server")
        place = 0
        while (found := re.compile(rb"([^\n]*?)(\r?\n)", re.DOTALL).match(octets, place)) is not None:
            moment = times[bisect_right(starts, place) - 1]
            place = found.end()
            length = _data_length(found[1])
            data, ending = None, b""
            if length is not None:
                data = octets[place : place + length]
                ending = octets[place + length : place + length + 2]
                place += length + 2
            self.commands.append(Command(found[1], found[2], data, ending, moment))
        self.unfinished = octets[place:]

    @property
    def left(self) -> bool:
        """Whether the client closed the connection, or reset it."""
        return self.transcript.saw("client", "eof") or self.transcript.saw("client", "reset")


def _data_length(line: bytes) -> int | None:
    words = [word for word in line.split(b" ") if word]
    place = LENGTH_WORD.get(words[0] if words else b"")
    if place is None or len(words) <= place or not words[place].isdigit():
        return None
    return int(words[place])
