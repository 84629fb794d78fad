"""The same commands said to several servers and to the model, and their answers compared octet for octet.

Knows how a server is asked for many things at once, how the unique values of servers are brought in step, and what may differ
(``exclusions.py``). Must not know a command: the model's answers are those of the exemplar's core, which has a clock of its own.

Commands go out in batches, each with a mark behind it, since a question and an answer at a time would be slower by an order of magnitude
than all that is asked here.
"""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lab.wire.endpoint import Endpoint
from suites.memcached.exclusions import SECONDS_APART
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store
from suites.memcached.hosts import AS_USUAL, AT_REST
from suites.memcached.model import Command
from suites.memcached.model_families import COMMANDS

ANSWER_TIMEOUT = 5.0
MARK = b"mg mark k O\r\n"
MARK_ANSWER = b"EN kmark O\r\n"
RECEIVE_SIZE = 1 << 16
#: Of these the seconds are counted by a clock.
_SECONDS = re.compile(rb"(?<= [tl])\d+")
#: Bringing two servers in step takes a command for each step.
MOST_STEPS = 5_000_000
_CHUNK = 5000


class OutOfStep(Exception):
    """A server's unique values do not count up by one for each change."""


class Player:
    """A server and the connection to it.

    Args:
        name: what it is called where it differs.
        endpoint: where it listens.
    """

    def __init__(self, name: str, endpoint: Endpoint) -> None:
        self.name = name
        self._endpoint = endpoint
        self._sock: socket.socket | None = None

    def say(self, octets: bytes) -> bytes:
        """Send octets and the mark; all that comes up to the mark's answer, or until the deadline, or the end."""
        if self._sock is None:
            self._sock = self._endpoint.connect(ANSWER_TIMEOUT)
        received = bytearray()
        try:
            self._sock.sendall(octets + MARK)
            while not received.endswith(MARK_ANSWER):
                data = self._sock.recv(RECEIVE_SIZE)
                if not data:
                    break
                received += data
        except (TimeoutError, ConnectionError):
            pass
        if received.endswith(MARK_ANSWER):
            del received[-len(MARK_ANSWER) :]
        else:
            # what comes later would be taken for the next answer
            self.close()
        return bytes(received)

    def latest_cas(self) -> int:
        """The unique value that the latest change of any item was given.

        Raises:
            OutOfStep: there is none.
        """
        answer = self.say(b"ms latest 0 c\r\n\r\n")
        match = re.fullmatch(rb"HD c(\d+)\r\n", answer)
        if match is None:
            raise OutOfStep(f"{self.name} answered ms with {answer!r}")
        return int(match[1])

    def advance(self, cas: int) -> None:
        """Change items until the latest unique value is this one.

        Raises:
            OutOfStep: it does not get there.
        """
        missing = cas - self.latest_cas()
        while 0 < missing <= MOST_STEPS:
            self.say(b"ms latest 0 q\r\n\r\n" * min(missing - 1, _CHUNK))
            missing = cas - self.latest_cas()
        if missing:
            raise OutOfStep(f"{self.name} is {missing} unique values away from {cas}")

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class Table:
    """Servers and the model, asked alike.

    Args:
        players: the servers.
        clock: the model's, in Unix seconds.

    Attributes:
        said: how many commands have been compared.
        difference: the first one found, in words.
    """

    def __init__(self, players: Sequence[Player], clock: Callable[[], int]) -> None:
        self.players = players
        self.store = Store(clock)
        self.session = Session(self.store)
        self.said = 0
        self.difference: str | None = None
        self._longest = 0.0
        # servers may hold items of earlier tables
        self._name = secrets.token_hex(2).encode()
        self._conversations = count()

    def begin(self) -> bytes:
        """Bring all in step, and give what the keys of a new conversation begin with.

        Raises:
            OutOfStep: a server does not get there.
        """
        for player in self.players:
            player.say(AT_REST)
        cas = max([self.store.cas, *(player.latest_cas() for player in self.players)]) + 1
        for player in self.players:
            player.advance(cas)
        self.store.cas = cas
        return b"%b%06d" % (self._name, next(self._conversations))

    def compare(self, octets: Sequence[bytes], expected: Sequence[bytes]) -> str | None:
        """Say it to all; how the first one that answers otherwise than is expected does, or ``None``."""
        sent, wanted = b"".join(octets), b"".join(expected)
        self.said += len(octets)
        began = time.monotonic()
        for player in self.players:
            got = player.say(sent)
            # what was stored or asked for late was so by as much
            self._longest = max(self._longest, time.monotonic() - began)
            apart = SECONDS_APART + int(self._longest)
            if not alike(wanted, got, apart):
                told = _difference(player.name, octets, expected, got, apart)
                self.difference = self.difference or told
                return told
        return None

    def close(self) -> None:
        """Close all connections."""
        for player in self.players:
            player.say(AS_USUAL)
            player.close()


def alike(one: bytes, other: bytes, apart: int = SECONDS_APART) -> bool:
    """Whether two answers are the same octets, but for seconds that are counted by clocks, which may differ by ``apart``."""
    if one == other:
        return True
    if _SECONDS.sub(b"", one) != _SECONDS.sub(b"", other):
        return False
    pairs = zip(_SECONDS.findall(one), _SECONDS.findall(other), strict=True)
    return all(abs(int(mine) - int(its)) <= apart for mine, its in pairs)


def _difference(name: str, octets: Sequence[bytes], expected: Sequence[bytes], got: bytes, apart: int) -> str:
    """The first command that a server answered otherwise, in words."""
    place = 0
    for said, wanted in zip(octets, expected, strict=True):
        piece = got[place : place + len(wanted)]
        if not alike(wanted, piece, apart):
            # more of it, where it is longer or cut
            piece = got[place : place + max(len(wanted), 80)]
            return f"{name} answered {_short(said)} with {_short(piece)}, and not with {_short(wanted)}"
        place += len(wanted)
    return f"{name} answered more than it was asked for: {_short(got[place:])}"


def _short(octets: bytes) -> str:
    return repr(octets) if len(octets) <= 200 else f"{octets[:150]!r}… ({len(octets)} octets)"


def machine(table: Table, family: str, size: int) -> type[RuleBasedStateMachine]:
    """A state machine that says commands of a family to all at the table, in batches of up to ``size``."""

    class Conversation(RuleBasedStateMachine):
        """One conversation; its state is what is stored, as the model has it."""

        def __init__(self) -> None:
            super().__init__()
            self.prefix = b""

        @initialize()
        def begin(self) -> None:
            """Everybody starts in step."""
            self.prefix = table.begin()

        @rule(batch=st.lists(COMMANDS[family], min_size=1, max_size=size))
        def say(self, batch: list[Command]) -> None:
            """All are asked the same, and answer the same."""
            octets: list[bytes] = []
            expected: list[bytes] = []
            for command in batch:
                if not command.comparable(self.prefix, table.store):
                    continue
                octets.append(command.said(self.prefix, table.store))
                expected.append(table.session.feed(octets[-1]))
            assert (told := table.compare(octets, expected)) is None, told

    return Conversation
