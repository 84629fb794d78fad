"""`stats`: what clients and operators read of a cache.

Protocol, "Statistics". Knows what the cache counts; leaves out what only memcached's own threads, slabs and logs have.
"""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields

from implementations.memcached.numbers import unsigned32
from implementations.memcached.slabs import CHUNK_SIZES, PAGE, class_of, item_size
from implementations.memcached.storage import END, EPOCH_OFFSET, Cache, Counters

Pairs = Iterable[tuple[str, object]]

_CLASSES_MAX = 64
#: `stats cachedump` gives no more than about so many octets.
_DUMP_MAX = 2 << 20
#: Counters that have a name of their own, or stand elsewhere in the list.
_ELSEWHERE = {
    "total_connections",
    "rejected_connections",
    "listen_disabled",
    "total_items",
    "evictions",
    "bytes_read",
    "bytes_written",
}


def stats(cache: Cache, words: Sequence[bytes]) -> bytes:
    """The answer to a `stats` command."""
    cache.count_hot()
    if len(words) == 1:
        return _lines(_general(cache))
    answer = _KINDS.get(words[1])
    return b"ERROR\r\n" if answer is None else answer(cache, words)


def _lines(pairs: Pairs) -> bytes:
    return b"".join(f"STAT {name} {value}\r\n".encode("ascii") for name, value in pairs) + END


def _general(cache: Cache) -> Pairs:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    counters = cache.counters
    yield "pid", os.getpid()
    yield "uptime", cache.now - EPOCH_OFFSET + 2
    yield "time", cache.unix_time
    yield "version", "1.6.18"
    yield "pointer_size", 8 * struct.calcsize("P")
    yield "rusage_user", f"{usage.ru_utime:.6f}"
    yield "rusage_system", f"{usage.ru_stime:.6f}"
    yield "max_connections", cache.limits.connections
    yield "curr_connections", cache.connections
    yield "total_connections", counters.total_connections
    yield "rejected_connections", counters.rejected_connections
    for counter in fields(Counters):
        if counter.name not in _ELSEWHERE:
            yield counter.name, getattr(counters, counter.name)
    yield "bytes_read", counters.bytes_read
    yield "bytes_written", counters.bytes_written
    yield "limit_maxbytes", cache.memory_limit
    yield "accepting_conns", int(cache.connections < cache.limits.connections)
    yield "listen_disabled_num", counters.listen_disabled
    yield "threads", 1
    yield "bytes", cache.cost
    yield "curr_items", len(cache.items)
    yield "total_items", counters.total_items
    yield "evictions", counters.evictions


def _settings(cache: Cache) -> Pairs:
    yield "maxbytes", cache.memory_limit
    yield "maxconns", cache.limits.connections
    yield "verbosity", cache.verbosity
    yield "oldest", cache.oldest_live
    yield "evictions", "on"
    yield "shutdown_command", "no"
    yield "num_threads", 1
    yield "stat_key_prefix", ":"
    yield "detail_enabled", "no"
    yield "cas_enabled", "yes"
    yield "auth_enabled_sasl", "no"
    yield "item_size_max", cache.limits.item
    yield "flush_enabled", "yes"
    yield "dump_enabled", "yes"


def _by_class(cache: Cache) -> dict[int, list[tuple[int, int]]]:
    """For each class that has any, the size and the age in seconds of its items."""
    found: dict[int, list[tuple[int, int]]] = {}
    for key, item in cache.items.items():
        size = item_size(key, item.flags, len(item))
        found.setdefault(class_of(size), []).append((size, cache.now - item.time))
    return dict(sorted(found.items()))


def _items(cache: Cache) -> Pairs:
    for number, items in _by_class(cache).items():
        yield f"items:{number}:number", len(items)
        yield f"items:{number}:age", max(age for _, age in items)
        yield f"items:{number}:mem_requested", sum(size for size, _ in items)


def _slabs(cache: Cache) -> Pairs:
    classes = _by_class(cache)
    pages = 0
    for number, items in classes.items():
        chunk = CHUNK_SIZES[number - 1]
        per_page = PAGE // chunk
        used = -(-len(items) // per_page)
        pages += used
        yield f"{number}:chunk_size", chunk
        yield f"{number}:chunks_per_page", per_page
        yield f"{number}:total_pages", used
        yield f"{number}:total_chunks", used * per_page
        yield f"{number}:used_chunks", len(items)
        yield f"{number}:free_chunks", used * per_page - len(items)
    yield "active_slabs", len(classes)
    yield "total_malloced", pages * PAGE


def _cachedump(cache: Cache, words: Sequence[bytes]) -> bytes:
    if len(words) < 4:
        return b"CLIENT_ERROR bad command line\r\n"
    number, limit = unsigned32(words[2]), unsigned32(words[3])
    if number is None or limit is None:
        return b"CLIENT_ERROR bad command line format\r\n"
    if number >= _CLASSES_MAX:
        return b"CLIENT_ERROR Illegal slab id\r\n"
    lines: list[bytes] = []
    octets = 0
    for key, item in reversed(cache.items.items()):
        if class_of(item_size(key, item.flags, len(item))) != number:
            continue
        if (limit and len(lines) == limit) or octets > _DUMP_MAX:
            break
        expires = cache.unix_time - cache.now + item.expires if item.expires else 0
        lines.append(b"ITEM %b [%d b; %d s]\r\n" % (key, len(item), expires))
        octets += len(lines[-1])
    return b"".join(lines) + END


def _detail(_cache: Cache, words: Sequence[bytes]) -> bytes:
    """Statistics by prefixes of keys are not kept here: they can be neither on nor dumped."""
    if words[2:3] == [b"off"]:
        return b"OK\r\n"
    if words[2:3] == [b"dump"]:
        return END
    return b"CLIENT_ERROR usage: stats detail on|off|dump\r\n"


def _reset(cache: Cache, _words: Sequence[bytes]) -> bytes:
    cache.counters = Counters()
    return b"RESET\r\n"


def _no_sizes(_cache: Cache, _words: Sequence[bytes]) -> bytes:
    """A histogram of sizes is not kept here."""
    return _lines([("sizes_status", "disabled")])


def _list(pairs: Callable[[Cache], Pairs]) -> Callable[[Cache, Sequence[bytes]], bytes]:
    return lambda cache, _: _lines(pairs(cache))


_KINDS: dict[bytes, Callable[[Cache, Sequence[bytes]], bytes]] = {
    b"reset": _reset,
    b"settings": _list(_settings),
    b"items": _list(_items),
    b"slabs": _list(_slabs),
    b"sizes": _no_sizes,
    b"sizes_disable": _no_sizes,
    b"conns": _list(lambda cache: cache.peers()),
    b"cachedump": _cachedump,
    b"detail": _detail,
}
