"""The items of the exemplar server: keys, expiration, unique values, and which one gives way.

Knows what an item is and when it is gone. Must not know a command, nor any socket; the clock is handed in.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: Section Expiration times: seconds from now up to here, a Unix time beyond.
LONGEST_RELATIVE: Final = 60 * 60 * 24 * 30
#: What memcached adds to key and data: the item's head and its unique value.
ITEM_OVERHEAD: Final = 48 + 8 + 1
#: An expiration time that has passed at any moment.
PAST: Final = 1


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        expires: the second in which it is gone; 0 for never.
        stored: the second of its last change.
        accessed: the second of its last retrieval.
        cas: its unique value.
        binary: its key came in base64.
        stale: marked by a delete with ``I``.
        token_sent: somebody has won the right to store it anew.
        fetched: it has been retrieved.
    """

    key: bytes
    flags: int
    expires: int
    data: bytes
    stored: int = 0
    accessed: int = 0
    cas: int = 0
    binary: bool = False
    stale: bool = False
    token_sent: bool = False
    fetched: bool = False

    @property
    def size(self) -> int:
        """What it takes of the memory, in octets."""
        return ITEM_OVERHEAD + len(self.key) + (4 if self.flags else 0) + len(self.data) + 2


class Store:
    """The items of one server.

    Args:
        clock: gives the Unix time in whole seconds.
        memory_limit: octets that items may take before those used longest ago give way.
        maximum_item: octets that one item may take.
    """

    def __init__(
        self, clock: Callable[[], int], *, memory_limit: int = 64 << 20, maximum_item: int = 8 << 20
    ) -> None:
        self.clock = clock
        self.started = clock()
        self.memory_limit = memory_limit
        self.maximum_item = maximum_item
        self.items: OrderedDict[bytes, Item] = OrderedDict()
        self.used = 0
        self.cas = 0
        #: Those that are open, and those that may be.
        self.connections = 0
        self.maximum_connections = 1024
        #: What has happened, by the names that ``stats`` gives it.
        self.counts: Counter[str] = Counter()
        self._flush_at = 0
        self._flushed_cas = 0

    def new_cas(self) -> int:
        """A unique value that no item has had."""
        self.cas += 1
        return self.cas

    def expiry(self, given: int) -> int:
        """The second in which something given this expiration time is gone; 0 for never."""
        if given == 0:
            return 0
        if given < 0:
            return PAST
        return given if given > LONGEST_RELATIVE else self.clock() + given

    def fits(self, item: Item) -> bool:
        """Whether one item may be as large."""
        return item.size <= self.maximum_item

    def gone(self, item: Item) -> bool:
        """Whether it has expired, or was flushed."""
        return self.expired(item) or self.flushed(item)

    def expired(self, item: Item) -> bool:
        """Whether its time has come."""
        return item.expires != 0 and item.expires <= self.clock()

    def flushed(self, item: Item) -> bool:
        """Whether a flush_all that has taken effect invalidates it."""
        if item.cas < self._flushed_cas:
            return True
        return 0 < self._flush_at <= self.clock() and item.stored < self._flush_at

    def find(self, key: bytes) -> Item | None:
        """The item of the key, if there is one that is not gone."""
        item = self.items.get(key)
        if item is None:
            return None
        if self.gone(item):
            self.counts["get_flushed" if self.flushed(item) else "get_expired"] += 1
            self.unlink(item)
            return None
        return item

    def bump(self, item: Item) -> None:
        """It was retrieved: of all items it gives way last."""
        item.fetched = True
        item.accessed = self.clock()
        self.items.move_to_end(item.key)

    def link(self, item: Item) -> None:
        """Take an item in the place of the one with its key, with a unique value of its own."""
        if item.key in self.items:
            self.unlink(self.items[item.key])
        item.cas = self.new_cas()
        item.stored = item.accessed = self.clock()
        self.items[item.key] = item
        self.used += item.size
        self.counts["total_items"] += 1
        while self.used > self.memory_limit and len(self.items) > 1:
            self.evict()

    def evict(self) -> None:
        """Let the item go that was used longest ago."""
        self.unlink(next(iter(self.items.values())))
        self.counts["evictions"] += 1

    def unlink(self, item: Item) -> None:
        """Forget an item."""
        if self.items.pop(item.key, None) is not None:
            self.used -= item.size

    def change(self, item: Item, data: bytes) -> None:
        """Give an item other data in its place; all else stays, but its unique value."""
        self.used += len(data) - len(item.data)
        item.data = data
        item.cas = self.new_cas()
        item.stored = self.clock()

    def flush(self, delay: int) -> None:
        """Invalidate what is there: now, or when the delay is over."""
        if delay > 0:
            self._flush_at = self.expiry(delay)
        else:
            self._flushed_cas = self.new_cas()
