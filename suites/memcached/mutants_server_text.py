"""Mutants of the exemplar server: what is wrong in the text protocol, with items, expiration and UDP."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_edge import HEADER, Edge
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


# retrieval, deletion, touch


@breaks("memcached-retrieval-command-several-keys")
class OneKeyOnly(Session):
    """A retrieval brings the first key's item only."""

    def on_retrieval(self, name: bytes, words: list[bytes]) -> None:
        super().on_retrieval(name, words[:2] if name.startswith(b"get") else words)


@breaks("memcached-retrieval-command-cas-unique-of-gets")
class GetsIsGet(Session):
    """`gets` brings no unique value."""

    def shown(self, item: Item, *, with_cas: bool) -> bytes:
        del with_cas
        return super().shown(item, with_cas=False)


@breaks("memcached-retrieval-command-item-form")
class FlagsLeftOut(Session):
    """The line of an item has no flags."""

    def shown(self, item: Item, *, with_cas: bool) -> bytes:
        return super().shown(item, with_cas=with_cas).replace(b" %d " % item.flags, b" ", 1)


@breaks("memcached-deletion-not-found")
class DeletesAnything(Session):
    """`delete` answers DELETED also where there is nothing."""

    def say(self, line: bytes) -> None:
        super().say(b"DELETED" if line == b"NOT_FOUND" else line)


@breaks("memcached-deletion-deletes")
class DeletesNothing(Session):
    """`delete` leaves the item."""

    def on_delete(self, words: list[bytes]) -> None:
        item = self.store.find(words[1])
        super().on_delete(words)
        if item is not None:
            self.store.link(item)


@breaks("memcached-touch-replaces-the-time")
class TouchDoesNothing(Session):
    """`touch` and its relatives leave the expiration time."""

    def touched(self, _item: Item, _expires: int) -> None:
        return


# arithmetic


@breaks("memcached-increment-decrement-incr-wraps-at-64-bits")
class NoWrap(Session):
    """`incr` stops at the largest number."""

    def sum_of(self, value: int, delta: int) -> int:
        return min(value + delta, 0xFFFFFFFFFFFFFFFF)


@breaks("memcached-increment-decrement-decr-stops-at-0")
class Underflow(Session):
    """`decr` goes below 0 and around."""

    def difference_of(self, value: int, delta: int) -> int:
        return (value - delta) & 0xFFFFFFFFFFFFFFFF


@breaks("memcached-increment-decrement-non-numbers-refused")
class AnythingIsZero(Session):
    """`incr` takes what is no number for 0."""

    def changed(self, item: Item, delta: int, *, up: bool) -> int | None:
        if numbers.unsigned(item.data) is None:
            item.data = b"0"
        return super().changed(item, delta, up=up)


@breaks("memcached-increment-decrement-changes-in-place")
class ArithmeticLosesFlags(Session):
    """`incr` and decr set the flags to 0."""

    def changed(self, item: Item, delta: int, *, up: bool) -> int | None:
        item.flags = 0
        return super().changed(item, delta, up=up)


# keys and lines


@breaks("memcached-keys-longer-refused")
class LongKeys(Session):
    """Keys may be longer than 250 octets."""

    def key_fits(self, key: bytes) -> bool:
        return len(key) <= 1000


@breaks("memcached-keys-250-taken")
class ShortKeys(Session):
    """Keys may have 249 octets."""

    def key_fits(self, key: bytes) -> bool:
        return len(key) < 250


@breaks("memcached-keys-uniquely-identify")
class KeysInOneCase(Session):
    """Keys are taken in lower case."""

    def words(self, line: bytes) -> list[bytes]:
        words = super().words(line)
        return [words[0], *(word.lower() for word in words[1:])] if words else []


@breaks("memcached-commands-names-case-sensitive")
class NamesInAnyCase(Session):
    """Commands may be written in capitals."""

    def on_command(self, name: bytes, words: list[bytes]) -> None:
        super().on_command(name.lower(), [name.lower(), *words[1:]])


@breaks("memcached-commands-delimited-by-whitespace")
class OneSpaceOnly(Session):
    """Two spaces are an empty word between them."""

    def words(self, line: bytes) -> list[bytes]:
        return line.split(b" ") if line else []


@breaks("memcached-protocol-replies-end-with-crlf")
class LfReplies(Session):
    """Replies of one line end with LF alone."""

    def say(self, line: bytes) -> None:
        if not self.noreply:
            self.send(line + b"\n")


@breaks("memcached-protocol-any-segments")
class ALineAPacket(Session):
    """Of what comes in one packet the first line is carried out."""

    def feed(self, octets: bytes) -> bytes:
        first, end, _ = octets.partition(b"\n")
        return super().feed(octets if self._pending is not None else first + end)


@breaks("memcached-error-strings-unknown-command")
class UnknownIsClientError(Session):
    """An unknown command is answered CLIENT_ERROR."""

    def say(self, line: bytes) -> None:
        super().say(b"CLIENT_ERROR unknown command" if line == b"ERROR" else line)


@breaks("memcached-error-strings-connection-kept")
class ClosesOnError(Session):
    """An error closes the connection."""

    def say(self, line: bytes) -> None:
        super().say(line)
        self.closed = self.closed or b"ERROR" in line


@breaks("memcached-protocol-closing-is-enough")
class DiesOfBadKeys(Session):
    """An octet beyond ASCII in a command's name ends the server."""

    def on_command(self, name: bytes, words: list[bytes]) -> None:
        name.decode("ascii")
        super().on_command(name, words)


# the server


@breaks("memcached-other-commands-flush-all")
class FlushesNothing(Store):
    """`flush_all` leaves everything."""

    def flush(self, _delay: int) -> None:
        return


@breaks("memcached-other-commands-flush-all-with-delay")
class FlushesAtOnce(Store):
    """`flush_all` with a delay does not wait."""

    def flush(self, _delay: int) -> None:
        super().flush(0)


@breaks("memcached-other-commands-quit-closes")
class QuitStays(Session):
    """`quit` does nothing."""

    def on_quit(self) -> None:
        return


@breaks("memcached-other-commands-version")
class NoVersion(Session):
    """`version` is answered OK."""

    def say(self, line: bytes) -> None:
        super().say(b"OK" if line.startswith(b"VERSION") else line)


@breaks("memcached-general-purpose-statistics-counters")
class CountsNoMisses(Session):
    """Misses are not counted."""

    def general_statistics(self) -> dict[str, object]:
        return {**super().general_statistics(), "get_misses": 0}


@breaks("memcached-general-purpose-statistics-names")
class FewStatistics(Session):
    """`stats` leaves out the number of items."""

    def general_statistics(self) -> dict[str, object]:
        return {name: value for name, value in super().general_statistics().items() if name != "curr_items"}


@breaks("memcached-protocol-many-connections")
class NeverStopsReading(Edge):
    """What clients do not take is kept without end."""

    unsent_limit = 1 << 62


@breaks("memcached-udp-protocol-malformed-survived")
class DiesOfShortDatagrams(Edge):
    """A datagram without a whole frame header ends the server."""

    def whole_request(self, datagram: bytes) -> bool:
        return bool(HEADER.unpack_from(datagram)[2] == 1)


# udp


@breaks("memcached-udp-protocol-request-id")
class NoRequestId(Edge):
    """Answers by UDP have the request ID 0."""

    def frames(self, _request: int, answer: bytes) -> list[bytes]:
        return super().frames(0, answer)


@breaks("memcached-udp-protocol-sequence-and-total")
class EveryFrameTheFirst(Edge):
    """Datagrams of one answer are all numbered 0."""

    def frames(self, request: int, answer: bytes) -> list[bytes]:
        return [
            HEADER.pack(request, 0, 1, 0) + frame[HEADER.size :] for frame in super().frames(request, answer)
        ]


@breaks("memcached-udp-protocol-malformed-survived")
class AnyDatagram(Edge):
    """A part of a request over several datagrams is carried out."""

    def whole_request(self, datagram: bytes) -> bool:
        return len(datagram) > HEADER.size
