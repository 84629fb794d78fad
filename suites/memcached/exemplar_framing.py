"""The exemplar server's framing: where lines and data blocks of a client begin and end.

Knows how the stream is cut into lines and blocks. Must not know a command, nor any socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from suites.memcached.exemplar_store import Item, Store

#: So many octets without a line end are no command any more, unless they begin as a retrieval does.
LINE_LIMIT: Final = 2048
#: Octets of answers after which the client has to take them first: what else it said waits.
OUTPUT_LIMIT: Final = 1 << 20
VERSION: Final = b"1.6.18"
BAD_FORMAT: Final = b"CLIENT_ERROR bad command line format"


@dataclass
class Pending:
    """A command whose data block has yet to come.

    Attributes:
        mode: the storage command that it amounts to.
        item: what is to be stored, its data missing.
        cas: the unique value that it must match; 0 for none.
    """

    mode: bytes
    item: Item
    cas: int = 0


class Framing:
    """One connection's conversation.

    Args:
        store: the server's items.

    Attributes:
        closed: the connection is to be closed, once what was given back is sent.
        held: answers had become too many: `feed` is to be called again, even without octets, once they are sent.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.closed = False
        self.held = False
        self.noreply = False
        self._input = bytearray()
        self._output: list[bytes] = []
        self._output_size = 0
        self._pieces: Iterator[bytes] = iter(())
        self._swallow = 0
        self._pending: Pending | None = None
        self._wanted = 0

    # octets

    def feed(self, octets: bytes) -> bytes:
        """Take octets of the client; what is to be sent back."""
        self._input += octets
        self._output_size = 0
        self.held = False
        while not self.closed and not self.held and self._step():
            self.held = self._output_size > OUTPUT_LIMIT
        answer = b"".join(self._output)
        self._output.clear()
        return answer

    def _step(self) -> bool:
        """Send the next piece of an answer, or take the next line or block; whether there was one."""
        piece = next(self._pieces, None)
        if piece is not None:
            self.send(piece)
            return True
        if self._swallow:
            taken = min(self._swallow, len(self._input))
            del self._input[:taken]
            self._swallow -= taken
            return taken > 0
        if self._pending is not None:
            return self._take_data()
        end = self._input.find(b"\n")
        if end < 0:
            self.check_line(bytes(self._input))
            return False
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        self.noreply = False
        self.on_line(self.without_cr(line))
        return True

    def without_cr(self, line: bytes) -> bytes:
        """A line without what ends it."""
        line = line[:-1] if len(line) > 1 and line.endswith(b"\r") else line
        return line.partition(b"\0")[0]

    def check_line(self, begun: bytes) -> None:
        """Close where what came cannot become a command."""
        if len(begun) > LINE_LIMIT and not begun[:100].lstrip(b" ").startswith((b"get ", b"gets ")):
            self.closed = True

    def _take_data(self) -> bool:
        if self._pending is None or len(self._input) < self._wanted + 2:
            return False
        pending, self._pending = self._pending, None
        data = bytes(self._input[: self._wanted])
        end = bytes(self._input[self._wanted : self._wanted + 2])
        del self._input[: self._wanted + 2]
        self.on_data(pending, data, end)
        return True

    def expect_data(self, pending: Pending, length: int) -> None:
        """The data block of a command comes next."""
        self._pending = pending
        self._wanted = length

    def swallow(self, length: int) -> None:
        """The next octets are of a command that was refused."""
        self._swallow = length

    def say(self, line: bytes) -> None:
        """Answer with a line, unless the command asked for no reply."""
        if not self.noreply:
            self.send(line + b"\r\n")

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._output.append(octets)
        self._output_size += len(octets)

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Send an answer whose pieces are made as they are sent, before the next command is carried out."""
        self._pieces = iter(pieces)

    def on_line(self, line: bytes) -> None:
        """Carry a command out."""
        raise NotImplementedError

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        """Take a data block with the two octets behind it."""
        raise NotImplementedError

    def words(self, line: bytes) -> list[bytes]:
        """The words of a line."""
        return [word for word in line.split(b" ") if word]

    def take_noreply(self, words: Sequence[bytes]) -> bool:
        """Heed a noreply at the end of a line; whether there is one."""
        self.noreply = words[-1] == b"noreply"
        return self.noreply
