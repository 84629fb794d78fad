"""The exemplar server's meta commands: ``mg``, ``ms``, ``md``, ``ma``, ``mn`` and ``me``.

Knows the sections Meta Get to Meta No-Op, and what memcached 1.6 answers where they leave it open. Must not know any
socket.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from suites.memcached.exemplar_framing import BAD_FORMAT, Pending
from suites.memcached.exemplar_meta_flags import Meta, MetaError, MetaFlags
from suites.memcached.exemplar_store import Item
from suites.memcached.exemplar_text import KEY_LIMIT, NOT_A_NUMBER

MODES: Final = {b"": b"set", b"S": b"set", b"E": b"add", b"A": b"append", b"P": b"prepend", b"R": b"replace"}


@dataclass
class PendingMeta(Pending):
    """An ``ms`` whose data block has yet to come."""

    meta: Meta | None = None


class Session(MetaFlags):
    """One connection's conversation."""

    # lines

    def on_command(self, name: bytes, words: list[bytes]) -> None:
        """Carry out a meta command, or leave the word to the others."""
        handler = {
            b"mg": self.on_meta_get,
            b"ms": self.on_meta_set,
            b"md": self.on_meta_delete,
            b"ma": self.on_meta_arithmetic,
        }.get(name)
        if name == b"mn":
            self.say(b"MN")
        elif name == b"me":
            self.on_meta_debug(words)
        elif handler is None:
            super().on_command(name, words)
        elif len(words) < 2:
            self.say(b"ERROR")
        else:
            try:
                self.check_meta_line(name, words)
                handler(words)
            except MetaError as error:
                self.noreply = False
                self.say(error.answer)

    # mg

    def on_meta_get(self, words: list[bytes]) -> None:
        """``mg``."""
        meta = self.meta_of(words[1], words[2:])
        item = self.store.find(meta.key)
        self.store.counts["cmd_get"] += 1
        self.store.counts["get_misses" if item is None else "get_hits"] += 1
        created = False
        bump = "u" not in meta.letters
        # these ask how it was before
        before = bool(meta.letters & {"l", "h", "N", "T", "R"})
        if item is None and "N" in meta.letters:
            item, created = Item(meta.key, 0, 0, b"", binary=meta.binary), True
            self.store.link(item)
        if item is None:
            if not meta.quiet:
                self.send(b"EN" + self.echoed(meta) + b"\r\n")
            else:
                self.echoed(meta)
            return
        if bump and not before:
            self.store.bump(item)
        answer = b"VA %d" % len(item.data) if "v" in meta.letters else b"HD"
        won = False
        for word in meta.words:
            answer += self.item_flag(meta, item, word)
            won = self.wins(meta, item, word, created=created) or won
        answer += self.marks(item, won=won)
        self.send(answer + b"\r\n")
        if "v" in meta.letters:
            self.send(item.data + b"\r\n")
        if bump and before:
            self.store.bump(item)

    # a flag a branch
    def item_flag(self, meta: Meta, item: Item, word: bytes) -> bytes:  # noqa: PLR0911
        """What a flag adds to the answer about an item."""
        match chr(word[0]):
            case "s":
                return b" s%d" % len(item.data)
            case "t":
                return b" t%d" % self.remaining(item)
            case "c":
                return b" c%d" % item.cas
            case "f":
                return b" f%d" % item.flags
            case "l":
                return b" l%d" % (self.store.clock() - item.accessed)
            case "h":
                return b" h%d" % item.fetched
            case "O":
                return self.opaque(word)
            case "k":
                return self.key_flag(item.key, binary=item.binary)
            case "T":
                self.touched(item, meta.expires["T"])
        return b""

    def remaining(self, item: Item) -> int:
        """The seconds that an item has left; -1 where it does not expire."""
        return -1 if item.expires == 0 else (item.expires - self.store.clock()) & 0xFFFFFFFF

    def wins(self, meta: Meta, item: Item, word: bytes, *, created: bool) -> bool:
        """Whether a flag gives the client the right to store the item anew."""
        if word[:1] == b"N" and created:
            item.expires = meta.expires["N"]
            return True
        return (
            word[:1] == b"R"
            and not item.token_sent
            and not created
            and item.expires != 0
            and item.expires < meta.expires["R"]
        )

    def marks(self, item: Item, *, won: bool) -> bytes:
        """The flags that an item itself adds to an answer: Z, X and W."""
        answer = b" Z" if item.token_sent else b""
        if item.stale:
            answer += b" X"
            won = won or not item.token_sent
        if won:
            answer += b" W"
            item.token_sent = True
        return answer

    # ms

    def on_meta_set(self, words: list[bytes]) -> None:
        """``ms``: what the line says; the data block follows.

        Raises:
            MetaError: the line is refused.
        """
        length = self.length_of(words[2]) if len(words) > 2 else None
        if length is None:
            raise MetaError(BAD_FORMAT)
        try:
            self.expect_data(self.pending_meta(words, length), length)
        except MetaError:
            self.swallow(length + 2)
            raise

    def pending_meta(self, words: Sequence[bytes], length: int) -> PendingMeta:
        """What is to be stored.

        Raises:
            MetaError: the flags are refused, or the item would be too large.
        """
        meta = self.meta_of(words[1], list(words[3:]))
        self.noreply = meta.quiet
        mode = self.mode_of(meta)
        self.echoed(meta)
        item = Item(meta.key, meta.flags, meta.expires.get("T", 0), b"", binary=meta.binary)
        if not self.has_room(item, length):
            stale = self.store.find(meta.key)
            if stale is not None:
                self.store.unlink(stale)
            raise MetaError(b"SERVER_ERROR object too large for cache")
        return PendingMeta(mode, item, meta.cas or 0, meta)

    def mode_of(self, meta: Meta) -> bytes:
        """The storage command that an ``ms`` amounts to.

        Raises:
            MetaError: nothing is known of its mode.
        """
        if meta.mode not in MODES:
            raise MetaError(b"CLIENT_ERROR invalid mode for ms M token")
        mode = MODES[meta.mode]
        return b"cas" if meta.cas is not None and mode in {b"set", b"replace"} else mode

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        """A data block has come."""
        if not isinstance(pending, PendingMeta) or pending.meta is None:
            super().on_data(pending, data, end)
            return
        if end != b"\r\n":
            self.noreply = False
            self.say(b"CLIENT_ERROR bad data chunk")
            return
        pending.item.data = data
        before = self.store.cas
        answer = self.stored_meta(pending, pending.meta)
        if answer == b"STORED" and self.noreply:
            return
        code = {b"STORED": b"HD", b"NOT_STORED": b"NS", b"EXISTS": b"EX", b"NOT_FOUND": b"NF"}[answer]
        self.send(
            code + self.set_flags(pending.meta, self.store.cas if self.store.cas != before else 0) + b"\r\n"
        )

    def set_flags(self, meta: Meta, cas: int) -> bytes:
        """The flags of the answer to an ``ms``."""
        answer = b""
        for word in meta.words:
            if word[:1] == b"O":
                answer += self.opaque(word)
            elif word[:1] == b"k":
                answer += self.key_flag(meta.key, binary=meta.binary)
            elif word[:1] == b"c":
                answer += b" c%d" % cas
        return answer

    def stored_meta(self, pending: PendingMeta, meta: Meta) -> bytes:
        """Store, with the flag ``I`` also over an item that is newer."""
        if "I" in meta.letters and pending.mode == b"cas":
            old = self.store.find(pending.item.key)
            if old is not None and 0 < pending.cas < old.cas:
                self.store_as_stale(pending.item, old)
                return b"STORED"
        return self.stored(pending.mode, pending.item, pending.cas)

    def store_as_stale(self, item: Item, old: Item) -> None:
        """Store what is older than what is there: it is marked, and lives no longer than the other."""
        self.store.counts["cmd_set"] += 1
        item.expires, item.stale, item.token_sent = old.expires, True, old.token_sent
        self.store.link(item)

    # md

    def on_meta_delete(self, words: list[bytes]) -> None:
        """``md``."""
        meta = self.meta_or_refused(words)
        echoed = self.echoed(meta)
        item = self.store.find(meta.key)
        code = self.deleted(meta, item)
        hit = code == b"HD"
        self.store.counts["delete_hits" if hit else "delete_misses"] += 1
        if not (hit and meta.quiet):
            self.send(code + echoed + b"\r\n")

    def meta_or_refused(self, words: list[bytes]) -> Meta:
        """Key and flags of an ``md`` or ``ma``, which tell all mistakes alike.

        Raises:
            MetaError: a flag is unknown, said twice, or its token is bad.
        """
        try:
            return self.meta_of(words[1], words[2:])
        except MetaError as error:
            raise MetaError(b"CLIENT_ERROR invalid or duplicate flag") from error

    def deleted(self, meta: Meta, item: Item | None) -> bytes:
        """Delete an item or mark it as stale; the code of the answer."""
        if item is None:
            return b"NF"
        if meta.cas is not None and meta.cas != item.cas:
            return b"EX"
        if "I" in meta.letters:
            self.invalidate(meta, item)
        else:
            self.store.unlink(item)
        return b"HD"

    def invalidate(self, meta: Meta, item: Item) -> None:
        """Mark an item as stale: the next one that asks for it wins."""
        if "T" in meta.letters:
            item.expires = meta.expires["T"]
        item.stale, item.token_sent = True, False
        item.cas = self.store.new_cas()

    # ma

    def on_meta_arithmetic(self, words: list[bytes]) -> None:
        """``ma``.

        Raises:
            MetaError: the line is refused, or the item holds no number.
        """
        meta = self.meta_or_refused(words)
        up = self.counts_up(meta)
        item = self.store.find(meta.key)
        self.store.counts["incr_" + ("misses" if item is None else "hits")] += 1
        created = False
        if item is None and "N" in meta.letters:
            item, created = Item(meta.key, 0, 0, b"%d" % meta.initial, binary=meta.binary), True
            self.store.link(item)
            number = meta.initial
        elif item is None:
            self.send(b"NF" + self.echoed(meta) + b"\r\n")
            return
        elif not item.data:
            raise MetaError(NOT_A_NUMBER)
        elif meta.cas and meta.cas != item.cas:
            self.send(b"EX" + self.echoed(meta) + b"\r\n")
            return
        else:
            changed = self.changed(item, meta.delta, up=up)
            if changed is None:
                raise MetaError(NOT_A_NUMBER)
            number = changed
        answer = self.number_answer(meta, item, number, created=created)
        if created or not meta.quiet:
            self.send(answer)

    def counts_up(self, meta: Meta) -> bool:
        """Whether an ``ma`` adds.

        Raises:
            MetaError: nothing is known of its mode.
        """
        if meta.mode not in {b"", b"I", b"+", b"D", b"-"}:
            raise MetaError(b"CLIENT_ERROR invalid mode for ma M token")
        return meta.mode not in {b"D", b"-"}

    def number_answer(self, meta: Meta, item: Item, number: int, *, created: bool) -> bytes:
        """The answer to an ``ma`` that had an item; ``T`` and ``N`` take effect in their turn."""
        digits = b"%d" % number
        answer = b"VA %d" % len(digits) if "v" in meta.letters else b"HD"
        for word in meta.words:
            match chr(word[0]):
                case "N":
                    if created:
                        item.expires = meta.expires["N"]
                case "k":
                    answer += self.key_flag(meta.key, binary=meta.binary)
                case "c" | "t" | "O" | "T":
                    answer += self.item_flag(meta, item, word)
        return answer + (b"\r\n" + digits if "v" in meta.letters else b"") + b"\r\n"

    # me

    def on_meta_debug(self, words: list[bytes]) -> None:
        """``me``."""
        if len(words) < 2 or len(words[1]) > KEY_LIMIT:
            self.say(BAD_FORMAT)
            return
        key = words[1]
        if words[2:3] == [b"b"]:
            key = self.key_of_base64(key)
            if not key:
                self.say(BAD_FORMAT)
                return
        item = self.store.find(key)
        if item is None:
            self.say(b"EN")
            return
        now = self.store.clock()
        self.say(
            b"ME %b exp=%d la=%d cas=%d fetch=%b cls=1 size=%d"
            % (
                base64.b64encode(item.key) if item.binary else item.key,
                -1 if item.expires == 0 else now - item.expires,
                now - item.accessed,
                item.cas,
                b"yes" if item.fetched else b"no",
                item.size,
            )
        )
