"""Mutants of the exemplar client."""

from __future__ import annotations

import socket
from typing import Final

from lab.judge.mutant import Breeder
from suites.memcached.contract import Operation, Result
from suites.memcached.exemplar_client import HEADER, Client, Failed, Found, Refused

breaks = Breeder("client")

#: Words that a line may not begin with are taken for these.
YES: Final = b"STORED"


@breaks(
    "memcached-keys-no-control-characters",
    "memcached-keys-no-whitespace",
    "memcached-keys-longer-never-sent",
    "memcached-keys-no-empty-key",
)
class SendsAnyKey(Client):
    """Keys are sent as they are, whatever is in them."""

    def checked(self, key: bytes) -> bytes:
        return key


@breaks("memcached-keys-250-sent")
class RefusesLongestKey(Client):
    """Keys of 250 octets are refused."""

    def checked(self, key: bytes) -> bytes:
        if len(key) > 249:
            raise Failed("too long")
        return super().checked(key)


@breaks("memcached-keys-sent-as-given")
class LowersKeys(Client):
    """Keys are sent in lower case."""

    def checked(self, key: bytes) -> bytes:
        return super().checked(key).lower()


@breaks("memcached-protocol-data-sent-unchanged")
class TrimsValues(Client):
    """White space at the end of values is not stored."""

    def store(self, operation: Operation, key: bytes) -> Result:
        return super().store({**operation, "value": operation["value"].rstrip()}, key)


@breaks("memcached-storage-commands-length-of-octets")
class CountsCrlf(Client):
    """The length counts the CR LF behind the data."""

    def length(self, value: bytes) -> int:
        return len(value) + 2


@breaks("memcached-protocol-lines-end-with-crlf")
class LfLines(Client):
    """Command lines end with LF."""

    def send(self, octets: bytes) -> None:
        super().send(octets.replace(b"\r\n", b"\n", 1))


@breaks("memcached-expiration-times-sent-as-given")
class ShortensTimes(Client):
    """Expiration times are never beyond 30 days."""

    def expire(self, operation: Operation) -> int:
        return min(super().expire(operation), 60 * 60 * 24 * 30)


@breaks("memcached-storage-commands-flags-sent")
class LosesFlags(Client):
    """Flags are stored as 0."""

    def store(self, operation: Operation, key: bytes) -> Result:
        return super().store({**operation, "flags": 0}, key)


@breaks("memcached-storage-commands-not-stored-is-told", "memcached-storage-commands-not-found-is-told")
class EverythingIsStored(Client):
    """Every answer to a storage command is told as success."""

    def store(self, operation: Operation, key: bytes) -> Result:
        result = super().store(operation, key)
        return {**result, "success": True} if result["outcome"] == "done" else result


@breaks("memcached-storage-commands-garbage-is-no-success")
class GarbageIsYes(Client):
    """A line that is no reply is told as success."""

    def line(self) -> bytes:
        line = super().line()
        return line if b"ERROR" in line or line[:1].isupper() else YES


@breaks("memcached-error-strings-allowed-for")
class ErrorsAreSuccess(Client):
    """An error line is told as success."""

    def told(self, operation: Operation, line: bytes, answers: dict[bytes, bool]) -> Result:
        try:
            return super().told(operation, line, answers)
        except Refused:
            return {"outcome": "done", "success": True}


@breaks("memcached-protocol-length-ends-retrieved-data")
class ReadsToCrlf(Client):
    """A data block is taken to end at its first CR LF."""

    def block(self, length: int) -> bytes:
        return super().block(length).partition(b"\r\n")[0]


@breaks("memcached-retrieval-command-missing-is-a-miss")
class MissesAreEmpty(Client):
    """A miss is told as an empty value."""

    def ask_for(self, word: bytes, keys: list[bytes]) -> Found:
        return dict.fromkeys(keys, (b"", 0)) | super().ask_for(word, keys)


@breaks("memcached-storage-commands-noreply-not-awaited")
class AwaitsNoreply(Client):
    """After noreply a reply is awaited."""

    def told(self, operation: Operation, line: bytes, answers: dict[bytes, bool]) -> Result:
        result = super().told(operation, line, answers)
        if operation.get("noreply"):
            self.line()
        return result


@breaks("memcached-storage-commands-cas-value-of-gets")
class CasOfItsOwn(Client):
    """`cas` is sent with a unique value that gets did not bring."""

    def store(self, operation: Operation, key: bytes) -> Result:
        if key in self.tokens:
            self.tokens[key] += 1
        return super().store(operation, key)


@breaks("memcached-increment-decrement-amount-of-64-bits")
class AmountsOf32Bits(Client):
    """Of an amount 32 bits are sent."""

    def number(self, number: int, _largest: int) -> int:
        return number & 0xFFFFFFFF


@breaks("memcached-deletion-not-found-is-told")
class DeletedAnyway(Client):
    """NOT_FOUND is told as deleted."""

    def told(self, operation: Operation, line: bytes, answers: dict[bytes, bool]) -> Result:
        return super().told(operation, line, dict.fromkeys(answers, True))


@breaks("memcached-other-commands-version-told")
class VersionOfItsOwn(Client):
    """The version that is told is the client's."""

    def version(self) -> str:
        super().version()
        return "1.0"


@breaks("memcached-protocol-connections-kept")
class AConnectionACommand(Client):
    """Each command has a connection of its own."""

    def send(self, octets: bytes) -> None:
        self.close()
        super().send(octets)


# name and password


@breaks("memcached-authentication-sent-first")
class SaysNoPassword(Client):
    """Name and password are not sent."""

    def authenticate(self, _sock: socket.socket) -> None:
        pass


@breaks("memcached-authentication-failure-is-told")
class GoesOnUnadmitted(Client):
    """Whatever is answered to name and password, the commands follow."""

    def admitted(self, _line: bytes) -> None:
        pass


# several servers


@breaks("memcached-keys-same-server-each-time")
class SpreadsInTurn(Client):
    """Where a key goes depends on how much was asked before."""

    turn = 0

    def place(self, key: bytes) -> int:
        # sixty keys are no multiple of it
        self.turn = (self.turn + 1) % 7
        return self.turn % 4 if key else 0


@breaks("memcached-keys-down-server-is-told")
class HidesFailures(Client):
    """What a server that is down could not store is told as stored."""

    def at(self, place: int, operation: Operation) -> Result:
        result = super().at(place, operation)
        return result if result["outcome"] == "done" else {"outcome": "done", "success": True}


@breaks("memcached-keys-others-served-when-one-is-down")
class AllDownWithOne(Client):
    """Once a server has failed, none is asked any more."""

    failed: Result | None = None

    def at(self, place: int, operation: Operation) -> Result:
        result = self.failed or super().at(place, operation)
        if result["outcome"] == "failed":
            self.failed = result
        return result


# udp


@breaks("memcached-udp-protocol-request-in-one-datagram")
class FramesBeginAtOne(Client):
    """A datagram says that it is the second of one."""

    def header(self, request: int) -> bytes:
        return HEADER.pack(request, 1, 1, 0)


@breaks("memcached-udp-protocol-request-in-one-datagram")
class CountsNoDatagrams(Client):
    """A datagram says that there is none."""

    def header(self, request: int) -> bytes:
        return HEADER.pack(request, 0, 0, 0)


@breaks("memcached-udp-protocol-requests-told-apart")
class OneRequestId(Client):
    """All requests have the same ID."""

    def header(self, _request: int) -> bytes:
        return super().header(1)


@breaks("memcached-udp-protocol-too-long-is-told")
class CutsLongRequests(Client):
    """What has no room in a datagram is cut off."""

    def framed(self, octets: bytes) -> bytes:
        return super().framed(octets)[:60_000] if self._server.get("transport") == "udp" else octets
