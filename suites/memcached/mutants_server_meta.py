"""Mutants of the exemplar server: what is wrong in meta commands."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_meta_flags import Meta
from suites.memcached.exemplar_store import Item

breaks = Breeder("server")

# all


@breaks("memcached-meta-commands-flags-in-order")
class FlagsSorted(Session):
    """The flags of an answer are in the order of the alphabet."""

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        meta = super().meta_of(key, words)
        meta.words.sort()
        return meta


@breaks("memcached-meta-get-opaque", "memcached-meta-set-opaque", "memcached-meta-delete-opaque")
class OpaqueLost(Session):
    """The opaque token is not given back."""

    def opaque(self, word: bytes) -> bytes:
        return super().opaque(word)[:0]


@breaks("memcached-meta-get-key", "memcached-meta-set-key", "memcached-meta-delete-key")
class KeyLost(Session):
    """The key is not given back."""

    def key_flag(self, _key: bytes, *, binary: bool) -> bytes:
        return b" b" if binary else b""


@breaks(
    "memcached-meta-get-base64-key",
    "memcached-meta-set-base64-key",
    "memcached-meta-delete-base64-key",
    "memcached-meta-arithmetic-base64-key",
)
class Base64AsIs(Session):
    """A key in base64 is taken as it is written."""

    def key_of_base64(self, key: bytes) -> bytes:
        return key


@breaks("memcached-meta-commands-proxy-tokens-ignored")
class ProxyTokensRefused(Session):
    """The flags P and L are unknown."""

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        return super().meta_of(key, [b"!" if word[:1] in {b"P", b"L"} else word for word in words])


@breaks("memcached-meta-no-op-static-answer")
class NoOpIsOk(Session):
    """`mn` is answered OK."""

    def say(self, line: bytes) -> None:
        super().say(b"OK" if line == b"MN" else line)


# mg


class _OtherFlag(Session):
    """A flag of an answer about an item is another."""

    letter = b""
    instead = b""

    def item_flag(self, meta: Meta, item: Item, word: bytes) -> bytes:
        answer = super().item_flag(meta, item, word)
        return self.instead if word[:1] == self.letter else answer


@breaks("memcached-meta-get-size")
class SizeCountsCrlf(_OtherFlag):
    """The size counts the CR LF behind the data."""

    def item_flag(self, meta: Meta, item: Item, word: bytes) -> bytes:
        return b" s%d" % (len(item.data) + 2) if word == b"s" else super().item_flag(meta, item, word)


@breaks("memcached-meta-get-cas")
class CasZero(_OtherFlag):
    """The unique value is told as 0."""

    letter, instead = b"c", b" c0"


@breaks("memcached-meta-get-client-flags")
class FlagsZero(_OtherFlag):
    """The client's flags are told as 0."""

    letter, instead = b"f", b" f0"


@breaks("memcached-meta-get-hit-before")
class NeverHit(_OtherFlag):
    """An item is never told to have been hit."""

    letter, instead = b"h", b" h0"


@breaks("memcached-meta-get-ttl")
class TtlZero(_OtherFlag):
    """The time left is told as 0."""

    letter, instead = b"t", b" t0"


@breaks("memcached-meta-get-update-ttl")
class NewTtlIgnored(_OtherFlag):
    """T leaves the time."""

    def touched(self, _item: Item, _expires: int) -> None:
        return


@breaks("memcached-meta-get-miss")
class MissIsEnd(Session):
    """A miss is answered END."""

    def send(self, octets: bytes) -> None:
        super().send(b"END\r\n" if octets.startswith(b"EN\r\n") else octets)


@breaks("memcached-meta-get-quiet-miss")
class QuietMissAnswered(Session):
    """A miss is answered though q is there."""

    def on_meta_get(self, words: list[bytes]) -> None:
        super().on_meta_get([word for word in words if word != b"q"])


@breaks("memcached-meta-get-vivified-once")
class EverybodyWins(Session):
    """Each client wins the right to store a vivified item."""

    def marks(self, item: Item, *, won: bool) -> bytes:
        item.token_sent = False
        return super().marks(item, won=won or not item.data)


@breaks("memcached-meta-get-recache")
class NobodyRecaches(Session):
    """R wins nothing."""

    def wins(self, meta: Meta, item: Item, word: bytes, *, created: bool) -> bool:
        return word[:1] != b"R" and super().wins(meta, item, word, created=created)


@breaks("memcached-meta-get-stale")
class StaleNotTold(Session):
    """A stale item is not told as such."""

    def marks(self, item: Item, *, won: bool) -> bytes:
        return super().marks(item, won=won).replace(b" X", b"")


# ms


@breaks("memcached-meta-set-mode-add")
class AddModeSets(Session):
    """The mode E stores over an item that is there."""

    def mode_of(self, meta: Meta) -> bytes:
        mode = super().mode_of(meta)
        return b"set" if mode == b"add" else mode


@breaks("memcached-meta-set-mode-append-prepend")
class AppendModePrepends(Session):
    """The mode A adds before."""

    def mode_of(self, meta: Meta) -> bytes:
        mode = super().mode_of(meta)
        return b"prepend" if mode == b"append" else mode


@breaks("memcached-meta-set-unknown-mode-refused")
class AnyMode(Session):
    """A mode that is none is taken for S."""

    def mode_of(self, meta: Meta) -> bytes:
        meta.mode = meta.mode if meta.mode in {b"", b"E", b"A", b"P", b"R"} else b"S"
        return super().mode_of(meta)


@breaks("memcached-meta-set-compares-cas")
class CasOfSetIgnored(Session):
    """ms does not compare the unique value."""

    def mode_of(self, meta: Meta) -> bytes:
        meta.cas = None
        return super().mode_of(meta)


@breaks("memcached-meta-set-returns-cas")
class SetReturnsZero(Session):
    """ms tells the unique value 0."""

    def set_flags(self, meta: Meta, cas: int) -> bytes:
        return super().set_flags(meta, min(cas, 0))


@breaks("memcached-meta-set-client-flags")
class SetLosesFlags(Session):
    """ms does not store the flags."""

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        meta = super().meta_of(key, words)
        meta.flags = 0
        return meta


@breaks("memcached-meta-set-ttl")
class SetLosesTtl(Session):
    """ms does not store the time."""

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        meta = super().meta_of(key, words)
        if "T" in meta.expires:
            meta.expires["T"] = 0
        return meta


@breaks("memcached-meta-set-invalidates-older")
class OlderNotMarked(Session):
    """An older value that is stored with I is not marked as stale."""

    def store_as_stale(self, item: Item, old: Item) -> None:
        super().store_as_stale(item, old)
        item.stale = False


# md


@breaks("memcached-meta-delete-compares-cas")
class DeleteIgnoresCas(Session):
    """md does not compare the unique value."""

    def deleted(self, meta: Meta, item: Item | None) -> bytes:
        meta.cas = None
        return super().deleted(meta, item)


@breaks("memcached-meta-delete-marks-stale")
class InvalidateDeletes(Session):
    """md with I deletes."""

    def invalidate(self, _meta: Meta, item: Item) -> None:
        self.store.unlink(item)


@breaks("memcached-meta-delete-stale-ttl")
class StaleTtlIgnored(Session):
    """md with I and T leaves the time."""

    def invalidate(self, meta: Meta, item: Item) -> None:
        expires = item.expires
        super().invalidate(meta, item)
        item.expires = expires


@breaks("memcached-meta-delete-quiet")
class QuietDeleteAnswered(Session):
    """md is answered though q is there."""

    def on_meta_delete(self, words: list[bytes]) -> None:
        super().on_meta_delete([word for word in words if word != b"q"])


# ma


@breaks("memcached-meta-arithmetic-delta")
class DeltaIsOne(Session):
    """ma always adds 1."""

    def changed(self, item: Item, _delta: int, *, up: bool) -> int | None:
        return super().changed(item, 1, up=up)


@breaks("memcached-meta-arithmetic-modes")
class AlwaysUp(Session):
    """ma always adds."""

    def counts_up(self, meta: Meta) -> bool:
        super().counts_up(meta)
        return True


@breaks("memcached-meta-arithmetic-initial-value")
class InitialIsZero(Session):
    """A number that ma makes begins at 0."""

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        meta = super().meta_of(key, words)
        meta.initial = 0
        return meta


@breaks("memcached-meta-arithmetic-autovivify")
class NeverVivifies(Session):
    """ma makes no item."""

    def on_meta_arithmetic(self, words: list[bytes]) -> None:
        super().on_meta_arithmetic([word for word in words if word[:1] != b"N"])


@breaks("memcached-meta-arithmetic-quiet")
class QuietArithmeticAnswered(Session):
    """ma is answered though q is there."""

    def on_meta_arithmetic(self, words: list[bytes]) -> None:
        super().on_meta_arithmetic([word for word in words if word != b"q"])
