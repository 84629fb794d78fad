"""The commands of the text protocol, one function each: from the words of a line to what follows from it.

Protocol, "Storage commands" to "Other commands"; error lines are memcached 1.6.18's own, and so is when `noreply` silences
them. Knows the cache. Must not know how lines and blocks arrive. `stats` stands in a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from implementations.memcached import changes
from implementations.memcached.changes import Mode, Outcome
from implementations.memcached.effects import Block, Close, Effect, Parts, Swallow
from implementations.memcached.numbers import client_flags, signed32, unsigned32, unsigned64
from implementations.memcached.stats import stats
from implementations.memcached.storage import END, KEY_MAX, Cache, Item

VERSION = b"1.6.18"

BAD_FORMAT = b"CLIENT_ERROR bad command line format\r\n"
BAD_CHUNK = b"CLIENT_ERROR bad data chunk\r\n"
BAD_EXPTIME = b"CLIENT_ERROR invalid exptime argument\r\n"
BAD_DELTA = b"CLIENT_ERROR invalid numeric delta argument\r\n"
NOT_NUMERIC = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
TOO_LARGE = b"SERVER_ERROR object too large for cache\r\n"
DELETE_USAGE = b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
ERROR = b"ERROR\r\n"
OK = b"OK\r\n"
STORED = b"STORED\r\n"
NOT_FOUND = b"NOT_FOUND\r\n"

#: The greatest length of a data block that can be asked for, and how many levels of verbosity there are.
LENGTH_MAX = (1 << 31) - 1 - 2
VERBOSITY_MAX = 2
_MEBIBYTE = 1 << 20

_ANSWERS = {
    Outcome.DONE: STORED,
    Outcome.NOT_STORED: b"NOT_STORED\r\n",
    Outcome.EXISTS: b"EXISTS\r\n",
    Outcome.NOT_FOUND: NOT_FOUND,
}

Words = Sequence[bytes]
Handler = Callable[[Cache, Words], Effect]


@dataclass(frozen=True, slots=True)
class Command:
    """A command: how many words its line may have, itself among them, and what does it.

    `may_be_silent`: a last word `noreply` drops the answer, also one that tells of an error, but not of the number of words.
    """

    run: Handler
    least: int = 1
    most: int = 1 << 30
    may_be_silent: bool = False


def perform(cache: Cache, words: Words) -> Effect:
    """Do what a line asks for."""
    if not words:
        return ERROR
    command = COMMANDS.get(words[0])
    if command is None:
        # What looks like a request of a browser is not answered: a page could otherwise have one talk to a cache.
        return Close() if words[-1].startswith(b"HTTP/") and words[0][:1] not in _FIRST_LETTERS else ERROR
    if not command.least <= len(words) <= command.most:
        return ERROR
    effect = command.run(cache, words)
    if command.may_be_silent and isinstance(effect, bytes) and words[-1] == b"noreply":
        return b""
    return effect


def retrieve(cache: Cache, keys: Sequence[bytes], *, with_cas: bool, touch: int | None = None) -> Effect:
    """What get, gets, gat and gats answer: every item there is, then END; a key that is too long ends all."""
    fetched = fetch(cache, keys, with_cas=with_cas, touch=touch)
    if any(len(key) > KEY_MAX for key in keys):
        for _ in fetched:
            pass
        return BAD_FORMAT
    return next(fetched) + END if len(keys) == 1 else Parts(_ended(fetched))


def _ended(answers: Iterator[bytes]) -> Iterator[bytes]:
    yield from answers
    yield END


def fetch(cache: Cache, keys: Sequence[bytes], *, with_cas: bool, touch: int | None) -> Iterator[bytes]:
    """One after the other what there is of each key, b"" for a miss, up to a key that is too long."""
    for key in keys:
        if len(key) > KEY_MAX:
            return
        item = cache.find(key)
        counters = cache.counters
        if touch is None:
            counters.cmd_get += 1
        else:
            counters.cmd_touch += 1
        if item is None:
            if touch is None:
                counters.get_misses += 1
            else:
                counters.touch_misses += 1
            yield b""
            continue
        if touch is None:
            counters.get_hits += 1
        else:
            counters.touch_hits += 1
            cache.expire_at(key, item, touch)
        cache.bump(key, item)
        if with_cas:
            yield b"%b %d%b" % (
                item.reply[: item.start - 2],
                item.cas,
                item.reply[item.start - 2 : -len(END)],
            )
        else:
            yield item.reply[: -len(END)]


def _get(cache: Cache, words: Words) -> Effect:
    return retrieve(cache, words[1:], with_cas=False)


def _gets(cache: Cache, words: Words) -> Effect:
    return retrieve(cache, words[1:], with_cas=True)


def _gat(cache: Cache, words: Words) -> Effect:
    return _get_and_touch(cache, words, with_cas=False)


def _gats(cache: Cache, words: Words) -> Effect:
    return _get_and_touch(cache, words, with_cas=True)


def _get_and_touch(cache: Cache, words: Words, *, with_cas: bool) -> Effect:
    expiration = signed32(words[1])
    if expiration is None:
        return BAD_EXPTIME
    return retrieve(cache, words[2:], with_cas=with_cas, touch=cache.deadline(expiration))


def _storage(mode: Mode) -> Handler:
    def begin(cache: Cache, words: Words) -> Effect:
        key = words[1]
        flags, expiration, length = client_flags(words[2]), signed32(words[3]), signed32(words[4])
        cas = unsigned64(words[5]) if mode is Mode.CAS else 0
        if (
            len(key) > KEY_MAX
            or flags is None
            or expiration is None
            or length is None
            or cas is None
            or not 0 <= length <= LENGTH_MAX
        ):
            return BAD_FORMAT
        silent = words[-1] == b"noreply"
        if cache.too_large(key, flags, length):
            cache.counters.store_too_large += 1
            old = cache.find(key) if mode is Mode.SET else None
            if old is not None:  # the caller meant to replace it: what is there now is out of date
                cache.unlink(key, old)
            return Swallow(length + 2, b"" if silent else TOO_LARGE)
        expires = cache.deadline(expiration)

        def finish(block: bytes) -> bytes:
            cache.counters.cmd_set += 1
            if block[-2:] == b"\r\n":
                item = Item(key, block[:-2], flags, expires)
                answer = _ANSWERS[changes.store(cache, mode, key, item, cas)]
            else:
                answer = BAD_CHUNK
            return b"" if silent else answer

        return Block(length + 2, finish)

    return begin


def _arithmetic(*, decrease: bool) -> Handler:
    def run(cache: Cache, words: Words) -> bytes:
        if len(words[1]) > KEY_MAX:
            return BAD_FORMAT
        delta = unsigned64(words[2])
        if delta is None:
            return BAD_DELTA
        outcome, number, _ = changes.add(cache, words[1], delta, decrease=decrease)
        if outcome is Outcome.DONE:
            return b"%d\r\n" % number
        if outcome is Outcome.NOT_A_NUMBER:
            return NOT_NUMERIC
        if decrease:
            cache.counters.decr_misses += 1
        else:
            cache.counters.incr_misses += 1
        return NOT_FOUND

    return run


def _delete(cache: Cache, words: Words) -> bytes:
    silent = len(words) > 2 and words[-1] == b"noreply"
    options = words[2:-1] if silent else words[2:]
    # A time was once allowed here; zero still is.
    if options not in ([], [b"0"]):
        answer = DELETE_USAGE
    elif len(words[1]) > KEY_MAX:
        answer = BAD_FORMAT
    else:
        item = cache.find(words[1])
        if item is None:
            cache.counters.delete_misses += 1
            answer = NOT_FOUND
        else:
            cache.counters.delete_hits += 1
            cache.unlink(words[1], item)
            answer = b"DELETED\r\n"
    return b"" if silent else answer


def _touch(cache: Cache, words: Words) -> bytes:
    if len(words[1]) > KEY_MAX:
        return BAD_FORMAT
    expiration = signed32(words[2])
    if expiration is None:
        return BAD_EXPTIME
    cache.counters.cmd_touch += 1
    item = cache.find(words[1])
    if item is None:
        cache.counters.touch_misses += 1
        return NOT_FOUND
    cache.counters.touch_hits += 1
    cache.expire_at(words[1], item, cache.deadline(expiration))
    cache.bump(words[1], item)
    return b"TOUCHED\r\n"


def _flush_all(cache: Cache, words: Words) -> bytes:
    cache.counters.cmd_flush += 1
    expiration: int | None = 0
    if len(words) != (2 if words[-1] == b"noreply" else 1):
        expiration = signed32(words[1])
    if expiration is None:
        return BAD_EXPTIME
    cache.flush(expiration)
    return OK


def _verbosity(cache: Cache, words: Words) -> bytes:
    level = unsigned32(words[1])
    if level is None:
        return BAD_FORMAT
    cache.verbosity = min(level, VERBOSITY_MAX)
    return OK


def _cache_memlimit(cache: Cache, words: Words) -> bytes:
    mebibytes = unsigned32(words[1])
    if mebibytes is None:
        return ERROR
    if mebibytes < 8:
        return b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
    if mebibytes > 1_000_000_000:
        return b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
    cache.set_memory_limit(mebibytes * _MEBIBYTE)
    return OK


def _version(_cache: Cache, _words: Words) -> bytes:
    return b"VERSION %b\r\n" % VERSION


def _quit(_cache: Cache, _words: Words) -> Close:
    return Close()


def _shutdown(_cache: Cache, _words: Words) -> bytes:
    return b"ERROR: shutdown not enabled\r\n"


COMMANDS = {
    b"get": Command(_get, least=2),
    b"bget": Command(_get, least=2),
    b"gets": Command(_gets, least=2),
    b"gat": Command(_gat, least=2),
    b"gats": Command(_gats, least=2),
    b"set": Command(_storage(Mode.SET), 5, 6, may_be_silent=True),
    b"add": Command(_storage(Mode.ADD), 5, 6, may_be_silent=True),
    b"replace": Command(_storage(Mode.REPLACE), 5, 6, may_be_silent=True),
    b"append": Command(_storage(Mode.APPEND), 5, 6, may_be_silent=True),
    b"prepend": Command(_storage(Mode.PREPEND), 5, 6, may_be_silent=True),
    b"cas": Command(_storage(Mode.CAS), 6, 7, may_be_silent=True),
    b"incr": Command(_arithmetic(decrease=False), 3, 4, may_be_silent=True),
    b"decr": Command(_arithmetic(decrease=True), 3, 4, may_be_silent=True),
    b"delete": Command(_delete, 2, 4),
    b"touch": Command(_touch, 3, 4, may_be_silent=True),
    b"flush_all": Command(_flush_all, 1, 3, may_be_silent=True),
    b"verbosity": Command(_verbosity, 2, 3, may_be_silent=True),
    b"cache_memlimit": Command(_cache_memlimit, 2, 3, may_be_silent=True),
    b"stats": Command(stats),
    b"version": Command(_version),
    b"quit": Command(_quit),
    b"shutdown": Command(_shutdown),
}
#: Letters with which commands that are frequent begin; for these memcached looks no further.
_FIRST_LETTERS = frozenset(b"%c" % letter for letter in b"gsacidt")
