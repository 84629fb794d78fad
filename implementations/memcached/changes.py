"""What storage commands and arithmetic do to items, whichever protocol asks.

Knows the modes of storing and the rules of incr and decr. Must not know words of commands or of replies.
"""

from __future__ import annotations

from enum import Enum, auto

from implementations.memcached.numbers import unsigned64
from implementations.memcached.slabs import CHUNK_MAX, item_size
from implementations.memcached.storage import BINARY, STALE, WON, Cache, Item

_U64 = (1 << 64) - 1


class Mode(Enum):
    """On what condition a value is stored, and how."""

    SET = auto()
    ADD = auto()
    REPLACE = auto()
    APPEND = auto()
    PREPEND = auto()
    CAS = auto()


class Outcome(Enum):
    """How an attempt to change an item ended."""

    DONE = auto()
    NOT_STORED = auto()
    EXISTS = auto()
    NOT_FOUND = auto()
    NOT_A_NUMBER = auto()


#: What becomes of a value whose key has no item.
_ON_MISS = {
    Mode.SET: Outcome.DONE,
    Mode.ADD: Outcome.DONE,
    Mode.REPLACE: Outcome.NOT_STORED,
    Mode.APPEND: Outcome.NOT_STORED,
    Mode.PREPEND: Outcome.NOT_STORED,
    Mode.CAS: Outcome.NOT_FOUND,
}


def store(cache: Cache, mode: Mode, key: bytes, item: Item, cas: int, *, stale: bool = False) -> Outcome:
    """Store an item as `mode` has it; its new CAS unique is then in `item.cas`.

    Args:
        cache: where to.
        mode: on what condition.
        key: of the item.
        item: not yet in a cache.
        cas: the one that the item in the cache has to have; 0 asks for none, except in mode CAS, where it matches nothing.
        stale: in mode CAS, take an older CAS unique too, but leave the item marked as stale.
    """
    old = cache.find(key)
    if old is None:
        outcome = _ON_MISS[mode]
        if outcome is Outcome.NOT_FOUND:
            cache.counters.cas_misses += 1
    elif mode is Mode.ADD:
        old.time = cache.now
        outcome = Outcome.NOT_STORED
    elif mode is Mode.CAS:
        outcome = _compare(cache, item, old, cas, stale=stale)
    elif mode in {Mode.APPEND, Mode.PREPEND}:
        outcome = _extend(cache, mode, key, item, old) if cas in {0, old.cas} else Outcome.EXISTS
    else:
        outcome = Outcome.DONE
    if outcome is Outcome.DONE:
        cache.link(key, item)
    return outcome


def _compare(cache: Cache, item: Item, old: Item, cas: int, *, stale: bool) -> Outcome:
    """Whether an item may take the place of the old one; one that is stale remains so, and lives no longer."""
    if not cas or cas != old.cas:
        if not (stale and 0 < cas < old.cas):
            cache.counters.cas_badval += 1
            return Outcome.EXISTS
        item.expires = old.expires
        item.state |= STALE | old.state & WON
    cache.counters.cas_hits += 1
    return Outcome.DONE


def _extend(cache: Cache, mode: Mode, key: bytes, item: Item, old: Item) -> Outcome:
    """Have the item hold the old data as well; it is otherwise as the old one was."""
    data = old.data + item.data if mode is Mode.APPEND else item.data + old.data
    if cache.too_large(key, old.flags, len(data)):
        return Outcome.NOT_STORED
    item.become(key, data, old.flags, old.expires, old.state & BINARY)
    return Outcome.DONE


def add(
    cache: Cache, key: bytes, delta: int, *, decrease: bool, cas: int = 0
) -> tuple[Outcome, int, Item | None]:
    """Add to the number that an item holds, or take from it; gives the outcome, the new number, and the item.

    Protocol, "Increment/Decrement": up to 64 bits without a sign; incr wraps around, decr stops at 0, and a shorter number
    is filled up with spaces.
    """
    item = cache.find(key)
    if item is None:
        return Outcome.NOT_FOUND, 0, None
    length = len(item)
    if not length or item_size(key, item.flags, length) > CHUNK_MAX:
        return Outcome.NOT_A_NUMBER, 0, None
    if cas and cas != item.cas:
        return Outcome.EXISTS, 0, None
    number = unsigned64(item.data + b"\r\n")
    if number is None:
        return Outcome.NOT_A_NUMBER, 0, None
    if decrease:
        cache.counters.decr_hits += 1
        number = max(number - delta, 0)
    else:
        cache.counters.incr_hits += 1
        number = (number + delta) & _U64
    digits = b"%d" % number
    if len(digits) <= length:
        cache.rewrite(key, item, digits.ljust(length))
        return Outcome.DONE, number, item
    longer = Item(key, digits, item.flags, item.expires, item.state & BINARY)
    cache.link(key, longer)
    return Outcome.DONE, number, longer
