"""The exemplar server's door: a connection that asks for user name and password before anything else.

Knows the section Authentication. Must not know what is behind the door, nor any socket.
"""

from __future__ import annotations

import hmac

from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_framing import Framing, Pending
from suites.memcached.exemplar_store import Item, Store

#: Name, password and the space between.
LONGEST_CREDENTIALS = 2048


class Guard(Framing):
    """One connection's conversation up to the right password, and the session behind it.

    Args:
        store: the server's items.
        inner: the session that begins then.
        credentials: name and password, as a client has to send them.
    """

    def __init__(self, store: Store, inner: Framing, credentials: bytes) -> None:
        super().__init__(store)
        self._inner = inner
        self._credentials = credentials
        self.authenticated = False

    def feed(self, octets: bytes) -> bytes:
        """Take octets of the client; what is to be sent back."""
        if not self.authenticated:
            return super().feed(octets)
        answer = self._inner.feed(octets)
        self.closed, self.held = self._inner.closed, self._inner.held
        return answer

    def on_line(self, line: bytes) -> None:
        """Only a set may come."""
        words = self.words(line)
        length = numbers.unsigned(words[4]) if len(words) >= 5 and words[0] == b"set" else None
        if length is None or length > LONGEST_CREDENTIALS:
            self.refuse_line(line)
        else:
            self.expect_data(Pending(b"set", Item(words[1], 0, 0, b"")), length)

    def refuse_line(self, _line: bytes) -> None:
        """A command comes before its time."""
        self.say(b"CLIENT_ERROR unauthenticated")

    def on_data(self, _pending: Pending, data: bytes, end: bytes) -> None:
        """Name and password have come."""
        if end != b"\r\n":
            self.say(b"CLIENT_ERROR bad command line termination")
        elif not self.accepts(data):
            self.say(b"CLIENT_ERROR authentication failure")
        else:
            self.authenticated = True
            self.say(b"STORED")
            rest = bytes(self._input)
            self._input.clear()
            self.send(self.feed(rest))

    def accepts(self, data: bytes) -> bool:
        """Whether these are name and password."""
        return hmac.compare_digest(data, self._credentials)
