"""Mutants of the exemplar server: what is wrong in the text protocol, storage left out, and by UDP."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_edge import HEADER, Edge
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Item, Store

breaks = Breeder("server")

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
    """What clients do not take is kept, 64 MiB for each of them."""

    unsent_limit = 1 << 26


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
