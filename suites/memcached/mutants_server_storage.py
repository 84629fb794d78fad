"""Mutants of the exemplar server: what is wrong where items are stored, and where they expire."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.memcached.exemplar_framing import Pending
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Item, Store

breaks = Breeder("server")

# storage


@breaks("memcached-storage-commands-add-when-absent")
class AddReplaces(Session):
    """`add` stores over an item that is there."""

    def stored(self, mode: bytes, item: Item, cas: int) -> bytes:
        return super().stored(b"set" if mode == b"add" else mode, item, cas)


@breaks("memcached-storage-commands-replace-when-present")
class ReplaceAdds(Session):
    """`replace` stores where there is nothing."""

    def stored(self, mode: bytes, item: Item, cas: int) -> bytes:
        return super().stored(b"set" if mode == b"replace" else mode, item, cas)


@breaks("memcached-storage-commands-append-and-prepend")
class PrependAppends(Session):
    """`prepend` adds behind."""

    def joined(self, mode: bytes, old: Item, item: Item, cas: int) -> bytes:
        return super().joined(b"append", old, item, cas)


@breaks("memcached-storage-commands-append-keeps-flags-and-time")
class AppendTakesFlags(Session):
    """`append` takes the flags of its own line."""

    def joined(self, mode: bytes, old: Item, item: Item, cas: int) -> bytes:
        old.flags = item.flags
        return super().joined(mode, old, item, cas)


@breaks("memcached-storage-commands-cas-exists")
class CasIgnored(Session):
    """`cas` stores whatever the unique value is."""

    def stored_if_unmodified(self, old: Item | None, item: Item, cas: int) -> bytes:
        return super().stored_if_unmodified(old, item, old.cas if old is not None else cas)


@breaks("memcached-storage-commands-cas-not-found")
class CasMissExists(Session):
    """`cas` on a key without an item is answered EXISTS."""

    def stored_if_unmodified(self, old: Item | None, item: Item, cas: int) -> bytes:
        return b"EXISTS" if old is None else super().stored_if_unmodified(old, item, cas)


@breaks("memcached-retrieval-command-cas-unique-identifies")
class CasStays(Store):
    """An item that is stored over keeps its unique value."""

    def link(self, item: Item) -> None:
        old = self.items.get(item.key)
        super().link(item)
        if old is not None:
            item.cas = old.cas


@breaks("memcached-storage-commands-flags-come-back")
class FlagsOfOneOctet(Session):
    """Of the flags one octet is kept."""

    def flags_of(self, word: bytes) -> int | None:
        flags = super().flags_of(word)
        return None if flags is None else flags & 0xFF


@breaks("memcached-storage-commands-flags-of-32-bits")
class FlagsOf16Bits(Session):
    """Of the flags 16 bits are kept."""

    def flags_of(self, word: bytes) -> int | None:
        flags = super().flags_of(word)
        return None if flags is None else flags & 0xFFFF


@breaks("memcached-storage-commands-flags-no-number-refused")
class FlagsOfAnyKind(Session):
    """Flags that are no number are taken for 0."""

    def flags_of(self, word: bytes) -> int | None:
        return super().flags_of(word) or 0


@breaks("memcached-storage-commands-empty-data")
class NoEmptyData(Session):
    """Data of no octets are refused."""

    def length_of(self, word: bytes) -> int | None:
        return super().length_of(word) or None


@breaks("memcached-storage-commands-wrong-length-refused")
class AnyEnd(Session):
    """What stands behind a data block is not looked at."""

    def on_data(self, pending: Pending, data: bytes, _end: bytes) -> None:
        super().on_data(pending, data, b"\r\n")


@breaks("memcached-storage-commands-length-no-number-refused")
class LengthOfAnyKind(Session):
    """A length that is no number is taken for 0."""

    def length_of(self, word: bytes) -> int | None:
        return super().length_of(word) or 0


@breaks("memcached-storage-commands-value-beyond-the-limit")
class NoLimit(Session):
    """Data of any length are taken."""

    def has_room(self, _item: Item, _length: int) -> bool:
        return True


@breaks("memcached-storage-commands-value-at-the-limit")
class SmallLimit(Session):
    """Items are refused at half of the limit."""

    def has_room(self, item: Item, length: int) -> bool:
        return super().has_room(item, 2 * length)


@breaks("memcached-storage-commands-noreply-is-silent")
class TalksOnNoreply(Session):
    """Storage commands with noreply are answered."""

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        self.noreply = False
        super().on_data(pending, data, end)


@breaks("memcached-storage-commands-gives-way-for-others")
class EvictsTheNewest(Store):
    """When memory is full the item just stored goes."""

    def evict(self) -> None:
        self.unlink(next(reversed(self.items.values())))
        self.counts["evictions"] += 1


@breaks("memcached-protocol-data-returned-unchanged")
class DataTrimmed(Session):
    """White space at the end of data is lost."""

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        super().on_data(pending, data.rstrip(), end)


@breaks("memcached-protocol-length-ends-stored-data")
class DataEndAtCrlf(Session):
    """A data block ends at its first CR LF."""

    def on_data(self, pending: Pending, data: bytes, end: bytes) -> None:
        super().on_data(pending, data.partition(b"\r\n")[0], end)


# expiration


@breaks("memcached-storage-commands-negative-expires-at-once")
class NegativeIsForever(Store):
    """An item with a negative time does not expire."""

    def expiry(self, given: int) -> int:
        return super().expiry(max(given, 0))


@breaks("memcached-expiration-times-larger-is-absolute")
class AlwaysRelative(Store):
    """Every time is counted from now."""

    def expiry(self, given: int) -> int:
        return self.clock() + given if given > 0 else super().expiry(given)


@breaks("memcached-expiration-times-relative-to-30-days")
class AlwaysAbsolute(Store):
    """Every time is a Unix time."""

    def expiry(self, given: int) -> int:
        return given if given > 0 else super().expiry(given)


@breaks("memcached-storage-commands-zero-never-expires")
class ZeroIsNow(Store):
    """The time 0 expires at once."""

    def expiry(self, given: int) -> int:
        return super().expiry(given or -1)


@breaks("memcached-storage-commands-expired-never-retrieved")
class NothingExpires(Store):
    """What has expired is handed out."""

    def expired(self, _item: Item) -> bool:
        return False
