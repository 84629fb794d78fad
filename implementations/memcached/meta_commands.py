"""The meta commands, one function each.

Protocol, "Meta Debug" to "Meta No-Op"; what is answered where that leaves a choice is what memcached 1.6.18 answers. Knows
the cache. Must not know how lines and blocks arrive.
"""

from __future__ import annotations

from collections.abc import Sequence

from implementations.memcached import base64_keys, changes, meta_flags
from implementations.memcached.changes import Mode, Outcome
from implementations.memcached.effects import Block, Effect, Swallow
from implementations.memcached.meta_flags import BAD_FORMAT, Flags, Refused
from implementations.memcached.numbers import signed32
from implementations.memcached.slabs import class_of, item_size
from implementations.memcached.storage import BINARY, FETCHED, KEY_MAX, STALE, WON, Cache, Item
from implementations.memcached.text_commands import BAD_CHUNK, ERROR, LENGTH_MAX, NOT_NUMERIC, TOO_LARGE

Words = Sequence[bytes]

#: Words of a line, the command's own among them.
WORDS_MAX = 19
_U32 = (1 << 32) - 1
_TOO_MANY = b"CLIENT_ERROR options flags too long\r\n"
_TOO_MANY_FOR_GET = b"CLIENT_ERROR options flags are too long\r\n"
_BAD_FLAG = b"CLIENT_ERROR invalid or duplicate flag\r\n"
_SET_MODES = {
    b"": Mode.SET,
    b"S": Mode.SET,
    b"E": Mode.ADD,
    b"A": Mode.APPEND,
    b"P": Mode.PREPEND,
    b"R": Mode.REPLACE,
}
_DECREASE = {b"": False, b"I": False, b"+": False, b"D": True, b"-": True}
_CODES = {
    Outcome.DONE: b"HD",
    Outcome.NOT_STORED: b"NS",
    Outcome.EXISTS: b"EX",
    Outcome.NOT_FOUND: b"NF",
}


def perform(cache: Cache, words: Words) -> Effect:
    """Do what a line asks for whose first word is `m` and another letter."""
    command = words[0]
    if command == b"mn":
        return b"MN\r\n"
    if command == b"me":
        return _debug(cache, words)
    run = {b"mg": _get, b"ms": _set, b"md": _delete, b"ma": _arithmetic}.get(command)
    if run is None or len(words) == 1:
        return ERROR
    try:
        if len(words[1]) > KEY_MAX:
            raise Refused(BAD_FORMAT)
        if len(words) > WORDS_MAX:
            raise Refused(_TOO_MANY_FOR_GET if command == b"mg" else _TOO_MANY)
        return run(cache, words)
    except Refused as error:
        return error.answer


def _debug(cache: Cache, words: Words) -> bytes:
    if len(words) == 1 or len(words[1]) > KEY_MAX:
        return BAD_FORMAT
    key: bytes | None = words[1]
    if words[2:3] == [b"b"]:
        key = base64_keys.decode(words[1])
    if key is None:
        return BAD_FORMAT
    cache.counters.cmd_meta += 1
    item = cache.find(key)
    if item is None:
        return b"EN\r\n"
    size = item_size(key, item.flags, len(item))
    return b"ME %b exp=%d la=%d cas=%d fetch=%b cls=%d size=%d\r\n" % (
        base64_keys.encode(key) if item.state & BINARY else key,
        cache.now - item.expires if item.expires else -1,
        cache.now - item.time,
        item.cas,
        b"yes" if item.state & FETCHED else b"no",
        class_of(size),
        size,
    )


def _get(cache: Cache, words: Words) -> bytes:
    flags = meta_flags.read(words[1], words[2:])
    key = flags.key
    item = cache.find(key)
    created = item is None and flags.vivify is not None
    if item is None and created:
        item = Item(key, b"", 0, 0, BINARY if flags.binary else 0)
        cache.link(key, item)
    counters = cache.counters
    if item is None:
        counters.cmd_get += 1
        counters.get_misses += 1
        echoes = flags.echoes()
        return b"" if flags.quiet else b"EN%b\r\n" % echoes
    later = flags.asks_before
    if not flags.no_bump and not later:
        cache.bump(key, item)
    answer = _shown(cache, flags, item, created=created)
    if not flags.no_bump and later:
        cache.bump(key, item)
    if flags.ttl is None:
        counters.cmd_get += 1
        counters.get_hits += 1
    else:
        counters.cmd_touch += 1
        counters.touch_hits += 1
    return answer


def _shown(  # noqa: C901, PLR0912 - one case for each flag
    cache: Cache, flags: Flags, item: Item, *, created: bool
) -> bytes:
    """What mg answers for an item: the flags one after the other, each as things are when it is its turn.

    Raises:
        Refused: at an opaque that is too long; what came before it is done.
    """
    now = cache.now
    won = False
    parts = [b"VA %d" % len(item) if flags.value else b"HD"]
    for word in flags.words:
        match word[:1]:
            case b"T":
                cache.expire_at(flags.key, item, cache.deadline(flags.ttl or 0))
            case b"N" if created:
                cache.expire_at(flags.key, item, cache.deadline(flags.vivify or 0))
                won = True
            case b"R":
                limit = cache.deadline(flags.recache or 0)
                if not item.state & WON and not created and item.expires and item.expires < limit:
                    won = True
            case b"s":
                parts.append(b" s%d" % len(item))
            case b"t":
                parts.append(_ttl(item, now))
            case b"c":
                parts.append(b" c%d" % item.cas)
            case b"f":
                parts.append(b" f%d" % item.flags)
            case b"l":
                parts.append(b" l%d" % (now - item.time))
            case b"h":
                parts.append(b" h1" if item.state & FETCHED else b" h0")
            case b"O" | b"k":
                parts.append(flags.echo(word, flags.key, binary=bool(item.state & BINARY)))
            case _:
                pass
    if item.state & WON:
        parts.append(b" Z")
    if item.state & STALE:
        parts.append(b" X")
        won = won or not item.state & WON
    if won:
        parts.append(b" W")
        item.state |= WON
    parts.append(b"\r\n%b\r\n" % item.data if flags.value else b"\r\n")
    return b"".join(parts)


def _ttl(item: Item, now: int) -> bytes:
    """Seconds that are left; those of what has just been made to expire wrap around, as memcached's do."""
    return b" t%d" % ((item.expires - now) & _U32) if item.expires else b" t-1"


def _set(cache: Cache, words: Words) -> Effect:
    length = signed32(words[2]) if len(words) > 2 else None
    if length is None or not 0 <= length <= LENGTH_MAX:
        return BAD_FORMAT
    try:
        flags = meta_flags.read(words[1], words[3:])
        mode = _set_mode(flags)
        flags.echoes()  # an opaque that is too long is refused before the block comes
        if cache.too_large(flags.key, flags.client_flags, length):
            cache.counters.store_too_large += 1
            old = cache.find(flags.key)
            if old is not None:
                cache.unlink(flags.key, old)
            raise Refused(TOO_LARGE)
    except Refused as error:
        return Swallow(length + 2, error.answer)
    expires = cache.deadline(flags.ttl or 0)

    def finish(block: bytes) -> bytes:
        cache.counters.cmd_set += 1
        if block[-2:] != b"\r\n":
            return BAD_CHUNK
        item = Item(flags.key, block[:-2], flags.client_flags, expires, BINARY if flags.binary else 0)
        outcome = changes.store(cache, mode, flags.key, item, flags.cas or 0, stale=flags.invalidate)
        if outcome is Outcome.DONE and flags.quiet:
            return b""
        cas = item.cas if outcome is Outcome.DONE else 0
        shown = [
            b" c%d" % cas if word[:1] == b"c" else flags.echo(word, flags.key, binary=flags.binary)
            for word in flags.words
            if word[:1] in {b"O", b"k", b"c"}
        ]
        return b"%b%b\r\n" % (_CODES[outcome], b"".join(shown))

    return Block(length + 2, finish)


def _set_mode(flags: Flags) -> Mode:
    if flags.mode not in _SET_MODES:
        raise Refused(b"CLIENT_ERROR invalid mode for ms M token\r\n")
    mode = _SET_MODES[flags.mode]
    return Mode.CAS if flags.cas is not None and mode in {Mode.SET, Mode.REPLACE} else mode


def _read_or_refuse(words: Words) -> Flags:
    """Read the flags of a command that has one answer to all that is wrong with them."""
    try:
        return meta_flags.read(words[1], words[2:])
    except Refused as error:
        raise Refused(_BAD_FLAG) from error


def _delete(cache: Cache, words: Words) -> bytes:
    flags = _read_or_refuse(words)
    echoes = flags.echoes()
    key = flags.key
    item = cache.find(key)
    code = b"HD"
    if item is None:
        cache.counters.delete_misses += 1
        code = b"NF"
    elif flags.cas is not None and flags.cas != item.cas:
        cache.counters.delete_misses += 1
        code = b"EX"
    elif flags.invalidate:
        if flags.ttl is not None:
            cache.expire_at(key, item, cache.deadline(flags.ttl))
        item.state = (item.state | STALE) & ~WON
        item.cas = cache.next_cas()
    else:
        cache.counters.delete_hits += 1
        cache.unlink(key, item)
    if code == b"HD" and flags.quiet:
        return b""
    return b"%b%b\r\n" % (code, echoes)


def _arithmetic(cache: Cache, words: Words) -> bytes:  # noqa: C901, PLR0912 - one case for each flag
    flags = _read_or_refuse(words)
    if flags.mode not in _DECREASE:
        return b"CLIENT_ERROR invalid mode for ma M token\r\n"
    decrease = _DECREASE[flags.mode]
    key = flags.key
    outcome, number, item = changes.add(cache, key, flags.delta, decrease=decrease, cas=flags.cas or 0)
    if outcome is Outcome.NOT_A_NUMBER:
        return NOT_NUMERIC
    created = outcome is Outcome.NOT_FOUND and flags.vivify is not None
    if created:
        number = flags.initial
        item = Item(key, b"%d" % number, 0, 0, BINARY if flags.binary else 0)
        cache.link(key, item)
    elif outcome is Outcome.NOT_FOUND:
        if decrease:
            cache.counters.decr_misses += 1
        else:
            cache.counters.incr_misses += 1
    if item is None:
        return b"%b%b\r\n" % (_CODES[outcome], flags.echoes())
    digits = b"%d" % number
    parts = [b"VA %d" % len(digits) if flags.value else b"HD"]
    for word in flags.words:
        match word[:1]:
            case b"c":
                parts.append(b" c%d" % item.cas)
            case b"t":
                parts.append(_ttl(item, cache.now))
            case b"T":
                cache.expire_at(key, item, cache.deadline(flags.ttl or 0))
            case b"N" if created:
                cache.expire_at(key, item, cache.deadline(flags.vivify or 0))
            case b"O" | b"k":
                parts.append(flags.echo(word, key, binary=flags.binary))
            case _:
                pass
    if flags.quiet and not created:
        return b""
    parts.append(b"\r\n%b\r\n" % digits if flags.value else b"\r\n")
    return b"".join(parts)
