"""The exemplar server's core: octets in, octets out, for the commands that are not meta.

Knows the text protocol as the document tells it, and as memcached 1.6 answers where the document leaves it open. Must not
know sockets. What a mutant breaks is one method here.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_admin import Administration
from suites.memcached.exemplar_framing import BAD_FORMAT, VERSION, Pending
from suites.memcached.exemplar_store import Item

KEY_LIMIT: Final = 250
LONGEST_DATA: Final = (1 << 31) - 3
NOT_A_NUMBER: Final = b"CLIENT_ERROR cannot increment or decrement non-numeric value"
STORAGE: Final = (b"set", b"add", b"replace", b"append", b"prepend", b"cas")


class TextSession(Administration):
    """One connection's conversation, meta commands left out."""

    # lines

    def on_line(self, line: bytes) -> None:
        """Carry a command out."""
        words = self.words(line)
        if not words or len(words[0]) < 2:
            self.say(b"ERROR")
        else:
            self.on_command(words[0], words)

    def on_command(self, name: bytes, words: list[bytes]) -> None:
        """Carry out a command by its name."""
        if name in STORAGE:
            self.on_storage(name, words)
        elif name in {b"get", b"gets", b"gat", b"gats"}:
            self.on_retrieval(name, words)
        elif name == b"quit":
            self.on_quit()
        elif name == b"version":
            self.say(b"VERSION " + VERSION)
        else:
            self.on_rare_command(name, words)

    def on_rare_command(self, name: bytes, words: list[bytes]) -> None:
        """Carry out what has a form of its own."""
        handler = {
            b"delete": (self.on_delete, 2, 4),
            b"incr": (self.on_arithmetic, 3, 4),
            b"decr": (self.on_arithmetic, 3, 4),
            b"touch": (self.on_touch, 3, 4),
            b"flush_all": (self.on_flush, 1, 3),
            b"verbosity": (self.on_verbosity, 2, 3),
            b"cache_memlimit": (self.on_memory_limit, 2, 3),
            b"shutdown": (self.on_shutdown, 1, 100),
            b"stats": (self.on_stats, 1, 100),
        }.get(name)
        if handler is None or not handler[1] <= len(words) <= handler[2]:
            self.say(b"ERROR")
            return
        handler[0](words)

    # storage

    def on_storage(self, name: bytes, words: list[bytes]) -> None:
        """``set`` and its relatives: what the line says; the data block follows."""
        count = 6 if name == b"cas" else 5
        if not count <= len(words) <= count + 1:
            self.say(b"ERROR")
            return
        self.take_noreply(words)
        if not self.key_fits(words[1]):
            self.say(BAD_FORMAT)
            return
        flags, expire, length = self.flags_of(words[2]), numbers.signed(words[3]), self.length_of(words[4])
        cas = numbers.unsigned(words[5]) if name == b"cas" else 0
        if flags is None or expire is None or length is None or cas is None:
            self.say(BAD_FORMAT)
            return
        item = Item(words[1], flags, self.store.expiry(expire), b"")
        if not self.has_room(item, length):
            self.refuse_large(name, words[1], length)
            return
        self.expect_data(Pending(name, item, cas), length)

    def refuse_large(self, name: bytes, key: bytes, length: int) -> None:
        """An item is larger than any may be; an older one under its key is not left to be taken for it."""
        self.say(b"SERVER_ERROR object too large for cache")
        self.swallow(length + 2)
        stale = self.store.find(key) if name == b"set" else None
        if stale is not None:
            self.store.unlink(stale)

    def has_room(self, item: Item, length: int) -> bool:
        """Whether an item with so much data is taken."""
        return item.size + length <= self.store.maximum_item

    def key_fits(self, key: bytes) -> bool:
        """Whether a key is short enough."""
        return len(key) <= KEY_LIMIT

    def flags_of(self, word: bytes) -> int | None:
        """The client's flags, or ``None`` where the word is none."""
        return numbers.flags(word)

    def length_of(self, word: bytes) -> int | None:
        """The length of a data block, or ``None`` where the word is none."""
        length = numbers.signed(word)
        return length if length is not None and 0 <= length <= LONGEST_DATA else None

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        """A data block has come."""
        if end != b"\r\n":
            self.say(b"CLIENT_ERROR bad data chunk")
            return
        pending.item.data = data
        self.say(self.stored(pending.mode, pending.item, pending.cas))

    def stored(self, mode: bytes, item: Item, cas: int) -> bytes:
        """Store an item as the mode says; the answer."""
        self.store.counts["cmd_set"] += 1
        old = self.store.find(item.key)
        if mode == b"cas":
            return self.stored_if_unmodified(old, item, cas)
        if old is None:
            if mode in {b"replace", b"append", b"prepend"}:
                return b"NOT_STORED"
        elif mode == b"add":
            return b"NOT_STORED"
        elif mode in {b"append", b"prepend"}:
            return self.joined(mode, old, item, cas)
        self.store.link(item)
        return b"STORED"

    def stored_if_unmodified(self, old: Item | None, item: Item, cas: int) -> bytes:
        """Store an item whose unique value has to match."""
        if old is None:
            self.store.counts["cas_misses"] += 1
            return b"NOT_FOUND"
        if cas != old.cas or cas == 0:
            self.store.counts["cas_badval"] += 1
            return b"EXISTS"
        self.store.counts["cas_hits"] += 1
        self.store.link(item)
        return b"STORED"

    def joined(self, mode: bytes, old: Item, item: Item, cas: int) -> bytes:
        """Store what is there and what was sent, one behind the other."""
        if cas not in {0, old.cas}:
            return b"EXISTS"
        data = old.data + item.data if mode == b"append" else item.data + old.data
        both = Item(item.key, old.flags, old.expires, data, binary=old.binary)
        if not self.store.fits(both):
            return b"NOT_STORED"
        self.store.link(both)
        return b"STORED"

    # retrieval

    def on_retrieval(self, name: bytes, words: list[bytes]) -> None:
        """``get`` and its relatives."""
        if len(words) < 2:
            self.say(b"ERROR")
            return
        keys, expires = words[1:], 0
        if name.startswith(b"gat"):
            given = numbers.signed(keys.pop(0))
            if given is None:
                self.say(b"CLIENT_ERROR invalid exptime argument")
                return
            expires = self.store.expiry(given)
        found: list[Item] = []
        for key in keys:
            if not self.key_fits(key):
                self.say(BAD_FORMAT)
                return
            item = self.retrieved(key)
            if item is None:
                continue
            if name.startswith(b"gat"):
                self.touched(item, expires)
            found.append(item)
        shown = (self.shown(item, with_cas=name.endswith(b"s")) for item in found)
        self.send_pieces(chain(shown, (b"END\r\n",)))

    def retrieved(self, key: bytes) -> Item | None:
        """The item of a key, marked as used."""
        item = self.store.find(key)
        self.store.counts["cmd_get"] += 1
        self.store.counts["get_misses" if item is None else "get_hits"] += 1
        if item is not None:
            self.store.bump(item)
        return item

    def shown(self, item: Item, *, with_cas: bool) -> bytes:
        """An item as a retrieval sends it."""
        cas = b" %d" % item.cas if with_cas else b""
        head = b"VALUE %b %d %d%b\r\n" % (item.key, item.flags, len(item.data), cas)
        return head + item.data + b"\r\n"

    # deletion, arithmetic, touch

    def on_delete(self, words: list[bytes]) -> None:
        """``delete``: a hold of 0 is taken, as of old."""
        if len(words) > 2:
            silent = self.take_noreply(words)
            held = words[2] == b"0"
            if not ((len(words) == 3 and (held or silent)) or (len(words) == 4 and held and silent)):
                self.say(b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]")
                return
        if not self.key_fits(words[1]):
            self.say(BAD_FORMAT)
            return
        item = self.store.find(words[1])
        self.store.counts["delete_misses" if item is None else "delete_hits"] += 1
        if item is None:
            self.say(b"NOT_FOUND")
        else:
            self.store.unlink(item)
            self.say(b"DELETED")

    def on_arithmetic(self, words: list[bytes]) -> None:
        """``incr`` and ``decr``."""
        self.take_noreply(words)
        name = words[0].decode()
        if not self.key_fits(words[1]):
            self.say(BAD_FORMAT)
            return
        delta = numbers.unsigned(words[2])
        if delta is None:
            self.say(b"CLIENT_ERROR invalid numeric delta argument")
            return
        item = self.store.find(words[1])
        self.store.counts[f"{name}_misses" if item is None else f"{name}_hits"] += 1
        if item is None:
            self.say(b"NOT_FOUND")
            return
        number = self.changed(item, delta, up=name == "incr")
        self.say(NOT_A_NUMBER if number is None else b"%d" % number)

    def changed(self, item: Item, delta: int, *, up: bool) -> int | None:
        """Change the number that an item holds; ``None`` where it holds none.

        A shorter number is padded with spaces behind; for a longer one there is a new item.
        """
        value = numbers.unsigned(item.data) if item.data else None
        if value is None:
            return None
        number = self.sum_of(value, delta) if up else self.difference_of(value, delta)
        digits = b"%d" % number
        if len(digits) <= len(item.data):
            self.store.change(item, digits.ljust(len(item.data)))
        else:
            self.replace_number(item, digits)
        return number

    def replace_number(self, item: Item, digits: bytes) -> None:
        """The number has grown by a digit: all else stays as it was, but nobody has retrieved the item since."""
        self.store.change(item, digits)
        item.fetched = item.stale = item.token_sent = False

    def sum_of(self, value: int, delta: int) -> int:
        """Both together; beyond 64 bits it goes on from 0."""
        return (value + delta) & 0xFFFFFFFFFFFFFFFF

    def difference_of(self, value: int, delta: int) -> int:
        """One less the other, and not below 0."""
        return max(value - delta, 0)

    def on_touch(self, words: list[bytes]) -> None:
        """``touch``."""
        self.take_noreply(words)
        if not self.key_fits(words[1]):
            self.say(BAD_FORMAT)
            return
        given = numbers.signed(words[2])
        if given is None:
            self.say(b"CLIENT_ERROR invalid exptime argument")
            return
        item = self.store.find(words[1])
        self.store.counts["cmd_touch"] += 1
        self.store.counts["touch_misses" if item is None else "touch_hits"] += 1
        if item is None:
            self.say(b"NOT_FOUND")
            return
        self.store.bump(item)
        self.touched(item, self.store.expiry(given))
        self.say(b"TOUCHED")

    def touched(self, item: Item, expires: int) -> None:
        """Give an item another expiration time."""
        item.expires = expires
