"""The exemplar server's commands about the server itself: flush_all, stats, and what is set while it runs.

Knows their forms and answers. Must not know any socket.
"""

from __future__ import annotations

from collections.abc import Sequence

from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_framing import BAD_FORMAT, VERSION, Framing


class Administration(Framing):
    """The part of a session that asks about no item."""

    def on_flush(self, words: list[bytes]) -> None:
        """``flush_all``."""
        silent = self.take_noreply(words)
        self.store.counts["cmd_flush"] += 1
        delay: int | None = 0
        if len(words) != (2 if silent else 1):
            delay = numbers.signed(words[1])
        if delay is None:
            self.say(b"CLIENT_ERROR invalid exptime argument")
            return
        self.store.flush(delay)
        self.say(b"OK")

    def on_verbosity(self, words: list[bytes]) -> None:
        """``verbosity``: nothing is logged here."""
        self.take_noreply(words)
        self.say(BAD_FORMAT if numbers.flags(words[1]) is None else b"OK")

    def on_memory_limit(self, words: list[bytes]) -> None:
        """``cache_memlimit``, in megabytes."""
        self.take_noreply(words)
        megabytes = numbers.flags(words[1])
        if megabytes is None:
            self.say(b"ERROR")
        elif megabytes < 8:
            self.say(b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m")
        elif megabytes > 1000000000:
            self.say(b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes")
        else:
            self.store.memory_limit = megabytes << 20
            self.say(b"OK")

    def on_shutdown(self, _words: list[bytes]) -> None:
        """``shutdown``, which is not enabled."""
        self.say(b"ERROR: shutdown not enabled")

    def on_quit(self) -> None:
        """``quit``: what stands behind is not carried out."""
        self.closed = True

    def on_stats(self, words: list[bytes]) -> None:
        """``stats``."""
        if words[1:2] == [b"reset"]:
            self.store.counts.clear()
            self.say(b"RESET")
            return
        figures = self.statistics(words[1:])
        if figures is None:
            self.say(b"ERROR")
            return
        for name, value in figures.items():
            self.send(f"STAT {name} {value}\r\n".encode())
        self.send(b"END\r\n")

    def statistics(self, words: Sequence[bytes]) -> dict[str, object] | None:
        """Name to value, or ``None`` where nothing is known of it."""
        if words:
            return None
        return {"version": VERSION.decode(), **self.store.counts}
