"""The items of a cache: how long each lives, which ones give way, what is counted.

Knows keys, values, times and sizes. Must not know commands, replies' words, or sockets.

What a `get` answers for an item is made once, when it is stored, and kept in the place of the value: `VALUE …`, the data
block and `END`. Items that are asked for again and again are found in `hot` by the octets of the command itself.

Items give way in the order in which they came, but one that was fetched twice since it was last considered is spared once
(a clock, as memcached's segmented LRU is in effect; nothing is moved by a fetch).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from implementations.memcached.slabs import item_size

#: Longest key, in octets (protocol, "Keys").
KEY_MAX = 250
#: Greatest relative expiration time in seconds: 30 days (protocol, "Expiration times").
RELATIVE_MAX = 60 * 60 * 24 * 30
#: The clock of a cache starts here, so that every time before the start is still above zero; zero means never.
EPOCH_OFFSET = 62
#: Seconds after which `hot` is emptied; an item that expires before that is not in it.
GENERATION = 60
#: Octets of a longest answer in `hot`: many of them are put together before any is sent.
HOT_MAX = 8 << 10
#: What an item costs beside its key, thrice, and its reply: the objects and their places in three tables.
ITEM_OVERHEAD = 420
#: Fetched once; twice, and so spared; to be fetched anew; its win was given away; its key is shown in base64.
FETCHED, ACTIVE, STALE, WON, BINARY = 1, 2, 4, 8, 16

END = b"END\r\n"
_TAIL = len(b"\r\nEND\r\n")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cache may hold: octets altogether, octets of one item with its header, connections."""

    memory: int = 64 << 20
    item: int = 1 << 20
    connections: int = 1024


class Item:
    """One item. `reply` is what a `get` answers for it alone; the data begin at `start` in that."""

    __slots__ = ("cas", "expires", "flags", "reply", "start", "state", "time")

    def __init__(self, key: bytes, data: bytes, flags: int, expires: int, state: int = 0) -> None:
        """An item that is not yet in a cache. `expires` is by the cache's clock."""
        self.cas = 0
        self.time = 0
        self.become(key, data, flags, expires, state)

    def become(self, key: bytes, data: bytes, flags: int, expires: int, state: int = 0) -> None:
        """Hold something else; only before it is in a cache."""
        head = b"VALUE %b %d %d\r\n" % (key, flags, len(data))
        self.reply = b"%b%b\r\nEND\r\n" % (head, data)
        self.start = len(head)
        self.flags = flags
        self.expires = expires
        self.state = state

    @property
    def data(self) -> bytes:
        """The value."""
        return self.reply[self.start : -_TAIL]

    def __len__(self) -> int:
        """Octets of the value."""
        return len(self.reply) - self.start - _TAIL


@dataclass(slots=True)
class Counters:
    """What happened since the start, or since `stats reset`."""

    cmd_get: int = 0
    cmd_set: int = 0
    cmd_flush: int = 0
    cmd_touch: int = 0
    cmd_meta: int = 0
    get_hits: int = 0
    get_misses: int = 0
    get_expired: int = 0
    get_flushed: int = 0
    delete_misses: int = 0
    delete_hits: int = 0
    incr_misses: int = 0
    incr_hits: int = 0
    decr_misses: int = 0
    decr_hits: int = 0
    cas_misses: int = 0
    cas_hits: int = 0
    cas_badval: int = 0
    touch_hits: int = 0
    touch_misses: int = 0
    store_too_large: int = 0
    store_no_memory: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    total_connections: int = 0
    rejected_connections: int = 0
    listen_disabled: int = 0
    total_items: int = 0
    evictions: int = 0


@dataclass(slots=True)
class Cache:
    """The items, the clock they live by, and what is counted.

    `clock` gives seconds that never go back; `started` is the Unix time at which it was made. `now` is read off the clock
    by `tick` alone, once for all that has come by then, as memcached's own does once a second.
    """

    clock: Callable[[], float]
    started: int
    limits: Limits = field(default_factory=Limits)
    items: OrderedDict[bytes, Item] = field(default_factory=OrderedDict)
    hot: dict[bytes, bytes] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    #: Hits in `hot` that are not yet among the counters.
    hot_hits: int = 0
    connections: int = 0
    #: Gives what `stats conns` shows of the open connections; whoever has them puts it here.
    peers: Callable[[], Iterable[tuple[str, object]]] = tuple
    verbosity: int = 0
    memory_limit: int = 0
    #: Octets that the items take.
    cost: int = 0
    now: int = EPOCH_OFFSET
    #: Items not newer than this are gone once it has come; 0 when there was no flush_all.
    oldest_live: int = 0
    _flush_pending: bool = False
    _begin: float = 0.0
    _generation_end: int = 0
    _cas: int = 0

    def __post_init__(self) -> None:
        self._begin = self.clock()
        self.memory_limit = self.limits.memory
        self._generation_end = self.now + GENERATION

    def tick(self) -> None:
        """Read the clock; do what has become due."""
        now = int(self.clock() - self._begin) + EPOCH_OFFSET
        if now == self.now:
            return
        self.now = now
        if self._flush_pending and self.oldest_live <= now:
            self._flush_pending = False
            self._forget_all()
        if now >= self._generation_end:
            self._generation_end = now + GENERATION
            self.hot.clear()

    @property
    def unix_time(self) -> int:
        """Now, in seconds since 1970."""
        return self.started - EPOCH_OFFSET + self.now

    def deadline(self, expiration: int) -> int:
        """When an expiration time of the protocol comes, by this cache's clock; 0 is never, a past one is 1.

        Protocol, "Expiration times": relative up to 30 days, then Unix time; negative is past.
        """
        if not expiration:
            return 0
        if expiration < 0:
            return 1
        if expiration > RELATIVE_MAX:
            return max(expiration - self.started + EPOCH_OFFSET, 1)
        return self.now + expiration

    def count_hot(self) -> None:
        """Bring the counters up to date."""
        self.counters.cmd_get += self.hot_hits
        self.counters.get_hits += self.hot_hits
        self.hot_hits = 0

    def next_cas(self) -> int:
        """A CAS unique that nobody has."""
        self._cas += 1
        return self._cas

    def find(self, key: bytes) -> Item | None:
        """The living item of this key, or None; says nothing of its use."""
        item = self.items.get(key)
        if item is None:
            return None
        if item.expires and item.expires <= self.now:
            self.unlink(key, item)
            self.counters.get_expired += 1
            return None
        return item

    def bump(self, key: bytes, item: Item) -> None:
        """Note that the item was fetched: the second time makes it one to be spared, and found at once.

        A key in which the command could not name it (in base64 it may hold anything) stays out of `hot`.
        """
        state = item.state
        if not state & FETCHED:
            item.state = state | FETCHED
            return
        if not state & ACTIVE:
            item.state = state | ACTIVE
            item.time = self.now
        if len(item.reply) <= HOT_MAX and (not item.expires or item.expires > self._generation_end):
            command = b"get %b\r\n" % key
            if len(command.splitlines()) == 1 and b" " not in key and b"\0" not in key:
                self.hot[command] = item.reply

    def link(self, key: bytes, item: Item) -> None:
        """Put an item into the cache in the place of the one that was there."""
        old = self.items.get(key)
        if old is not None:
            self.unlink(key, old)
        item.cas = self.next_cas()
        item.time = self.now
        self.counters.total_items += 1
        if self.now == self.oldest_live:
            return  # what is stored in the second of a flush falls to it, too
        self.items[key] = item
        self.cost += len(item.reply) + 3 * len(key) + ITEM_OVERHEAD
        if self.cost > self.memory_limit:
            self._make_room(item)

    def unlink(self, key: bytes, item: Item) -> None:
        """Take an item out of the cache."""
        del self.items[key]
        if item.state & ACTIVE:
            self.hot.pop(b"get %b\r\n" % key, None)
        self.cost -= len(item.reply) + 3 * len(key) + ITEM_OVERHEAD

    def rewrite(self, key: bytes, item: Item, data: bytes) -> None:
        """Put other data of the same length into an item that stays where it is; it gets a new CAS unique."""
        if item.state & ACTIVE:
            self.hot.pop(b"get %b\r\n" % key, None)
        item.reply = item.reply[: item.start] + data + item.reply[-_TAIL:]
        item.cas = self.next_cas()
        item.time = self.now

    def expire_at(self, key: bytes, item: Item, expires: int) -> None:
        """Give an item another time to go."""
        item.expires = expires
        if item.state & ACTIVE:
            self.hot.pop(b"get %b\r\n" % key, None)

    def too_large(self, key: bytes, flags: int, length: int) -> bool:
        """Whether a value of this length may not be stored at all."""
        return item_size(key, flags, length) > self.limits.item

    def flush(self, expiration: int) -> None:
        """Make every item that is here at a time invalid when that comes; not above zero is now."""
        self.oldest_live = (self.deadline(expiration) if expiration > 0 else self.now) - 1
        self._flush_pending = self.oldest_live > self.now
        if self._flush_pending:
            return
        self._cas += 1
        if self.oldest_live:  # a time before the start invalidates nothing
            self._forget_all()

    def set_memory_limit(self, octets: int) -> None:
        """Keep within another limit from now on."""
        self.memory_limit = octets
        self._make_room(None)

    def _forget_all(self) -> None:
        self.items.clear()
        self.hot.clear()
        self.cost = 0

    def _make_room(self, newest: Item | None) -> None:
        items = self.items
        while self.cost > self.memory_limit and items:
            key, item = next(iter(items.items()))
            if item is newest:
                if len(items) == 1:
                    return
                items.move_to_end(key)
            elif item.state & ACTIVE:
                item.state &= ~ACTIVE
                self.hot.pop(b"get %b\r\n" % key, None)
                items.move_to_end(key)
            else:
                self.unlink(key, item)
                self.counters.evictions += 1
