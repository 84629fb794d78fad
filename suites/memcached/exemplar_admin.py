"""The exemplar server's commands about the server itself: flush_all, stats, and what is set while it runs.

Knows their forms and answers. Must not know any socket.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from typing import Final

from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_framing import BAD_FORMAT, VERSION, Framing

COUNTED: Final = (
    *(
        "total_items",
        "total_connections",
        "cmd_get",
        "cmd_set",
        "cmd_flush",
        "cmd_touch",
        "get_hits",
        "get_misses",
    ),
    *("get_expired", "get_flushed", "delete_hits", "delete_misses", "incr_hits", "incr_misses", "decr_hits"),
    *("decr_misses", "cas_hits", "cas_misses", "cas_badval", "touch_hits", "touch_misses", "evictions"),
    *("bytes_read", "bytes_written"),
)


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
        if not words:
            return self.general_statistics()
        if words[0] == b"settings":
            return {
                "maxbytes": self.store.memory_limit,
                "maxconns": self.store.maximum_connections,
                "item_size_max": self.store.maximum_item,
            }
        return {} if words[0] in {b"items", b"slabs", b"sizes"} else None

    def general_statistics(self) -> dict[str, object]:
        """Those of ``stats`` alone."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        now = self.store.clock()
        return {
            "pid": os.getpid(),
            "uptime": now - self.store.started,
            "time": now,
            "version": VERSION.decode(),
            "pointer_size": 64,
            "rusage_user": f"{used.ru_utime:.6f}",
            "rusage_system": f"{used.ru_stime:.6f}",
            "threads": 1,
            "curr_items": len(self.store.items),
            "bytes": self.store.used,
            "limit_maxbytes": self.store.memory_limit,
            "curr_connections": self.store.connections,
            **{name: self.store.counts[name] for name in COUNTED},
        }
