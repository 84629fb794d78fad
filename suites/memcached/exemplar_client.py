"""The exemplar client: the contract's operations on one server, octet for octet as the document has them.

Knows the text protocol from the client's side, and that a key stays with one of several servers. What a mutant breaks is one method
here. It imports no library, and mends nothing: what it does not understand it tells, and opens another connection for what comes next.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import zlib
from typing import Final

from suites.memcached.contract import Address, Item, Key, Opened, Operation, Report, Result

FEATURES: Final = (
    *("add-replace", "append", "cas", "arithmetic", "touch", "gat", "get-many", "flags", "flush", "stats"),
    *("version", "noreply", "flush-delay", "tls", "authentication", "sharding", "udp"),
)
LINE_LIMIT: Final = 65536
#: The frame header of UDP: request ID, sequence number, number of datagrams, reserved.
HEADER: Final = struct.Struct("!HHHH")
LARGEST: Final = (1 << 64) - 1
_KEY: Final = re.compile(rb"[^\x00-\x20\x7f]{1,250}")
_ERROR: Final = re.compile(rb"ERROR|(?:CLIENT|SERVER)_ERROR .*")
_VALUE: Final = re.compile(rb"VALUE ([^ ]+) (\d{1,10}) (\d{1,10})(?: (\d{1,20}))?")
_STAT: Final = re.compile(rb"STAT ([^ ]+) ?(.*)")
_NUMBER: Final = re.compile(rb"(\d{1,20}) *")
#: Answers that mean yes, and those that mean no, by the kind of command.
STORED: Final = {b"STORED": True, b"NOT_STORED": False, b"EXISTS": False, b"NOT_FOUND": False}
DELETED: Final = {b"DELETED": True, b"NOT_FOUND": False}
TOUCHED: Final = {b"TOUCHED": True, b"NOT_FOUND": False}
DONE: Final = {b"OK": True}

Found = dict[bytes, tuple[bytes, int]]


class Refused(Exception):
    """The server answered with an error line."""


class Failed(Exception):
    """The operation cannot be carried out, or the connection cannot be understood any more."""


class Client:
    """A client of one server, or of several, each of which is another client's."""

    def __init__(self) -> None:
        self._parts: list[Client] = []
        self._context: ssl.SSLContext | None = None
        self._credentials = b""
        self._server: Address = {"host": "", "port": 0}
        self._timeout = 0.0
        self._sock: socket.socket | None = None
        self._received = bytearray()
        #: The ID of the latest request by UDP.
        self._request = 0
        self.tokens: dict[bytes, int] = {}

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
    ) -> Opened:
        """Take the addresses; the first command connects."""
        self._server, self._timeout = servers[0], timeout
        self._context = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self._credentials = f"{username} {password}".encode() if username is not None else b""
        self.tokens.clear()
        self._parts = [type(self)() for _ in servers] if len(servers) > 1 else []
        for part, server in zip(self._parts, servers, strict=False):
            part.open(
                servers=[server], ca_file=ca_file, username=username, password=password, timeout=timeout
            )
        return {"outcome": "done"}

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other."""
        one = self.spread if self._parts else self.attempt
        return {"outcome": "done", "results": [one(operation) for operation in operations]}

    def close(self) -> Opened:
        """Give the connection up."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._received.clear()
        for part in self._parts:
            part.close()
        return {"outcome": "done"}

    # several servers

    def spread(self, operation: Operation) -> Result:
        """Have the server of the key do it; several keys are asked for at each of theirs."""
        if operation["name"] != "get_many":
            return self.at(self.place(operation.get("key", b"")), operation)
        entries: dict[int, list[Key]] = {}
        for entry in operation["keys"]:
            entries.setdefault(self.place(entry["key"]), []).append(entry)
        results = [self.at(place, {**operation, "keys": keys}) for place, keys in entries.items()]
        trouble = next((result for result in results if result["outcome"] != "done"), None)
        return trouble or {
            "outcome": "done",
            "items": [item for result in results for item in result["items"]],
        }

    def place(self, key: bytes) -> int:
        """The number of the server that a key belongs to."""
        return zlib.crc32(key) % len(self._parts)

    def at(self, place: int, operation: Operation) -> Result:
        """Have the server of this number do it."""
        return self._parts[place].attempt(operation)

    # one server

    def attempt(self, operation: Operation) -> Result:
        """Do one operation; how it ended."""
        try:
            return self.do(operation)
        except Refused as error:
            return {"outcome": "refused", "text": str(error)}
        except (Failed, OSError) as error:
            # what comes later must not be taken for the answer to something else
            if not isinstance(error, Unsent):
                self.close()
            return {"outcome": "failed", "cause": str(error) or type(error).__name__}

    # operations

    # a command a branch
    def do(self, operation: Operation) -> Result:  # noqa: PLR0911
        """Carry out one operation."""
        name = operation["name"]
        if name in {"get", "gets", "gat", "get_many"}:
            return self.retrieve(operation)
        if name in {"incr", "decr"}:
            return self.arithmetic(operation)
        if name == "version":
            return {"outcome": "done", "version": self.version()}
        if name == "stats":
            return {"outcome": "done", "stats": self.stats()}
        if name == "flush_all":
            delay = b" %d" % operation["expire"] if "expire" in operation else b""
            return self.told(operation, b"flush_all" + delay + self.ending(operation), DONE)
        key = self.checked(operation["key"])
        if name == "delete":
            return self.told(operation, b"delete %b%b" % (key, self.ending(operation)), DELETED)
        if name == "touch":
            line = b"touch %b %d%b" % (key, self.expire(operation), self.ending(operation))
            return self.told(operation, line, TOUCHED)
        return self.store(operation, key)

    def store(self, operation: Operation, key: bytes) -> Result:
        """``set`` and its relatives."""
        token = b" %d" % self.tokens.get(key, 0) if operation["name"] == "cas" else b""
        value = operation["value"]
        flags = self.number(operation.get("flags", 0), (1 << 32) - 1)
        words = (operation["name"].encode(), key, flags, self.expire(operation), self.length(value))
        line = b"%b %b %d %d %d" % words + token + self.ending(operation)
        return self.told(operation, line + b"\r\n" + value, STORED)

    def retrieve(self, operation: Operation) -> Result:
        """``get`` and its relatives."""
        name = operation["name"]
        keys = [entry["key"] for entry in operation["keys"]] if name == "get_many" else [operation["key"]]
        for key in keys:
            self.checked(key)
        word = {"get_many": b"get", "gat": b"gat %d" % self.expire(operation)}.get(name, name.encode())
        found = self.ask_for(word, keys)
        if name == "get_many":
            held: list[Item] = [{"key": key, "value": value} for key, (value, _) in found.items()]
            return {"outcome": "done", "items": held}
        if keys[0] not in found:
            return {"outcome": "done", "value": None}
        value, flags = found[keys[0]]
        return {"outcome": "done", "value": value, "flags": flags}

    def ask_for(self, word: bytes, keys: list[bytes]) -> Found:
        """Retrieve keys; what was found of them."""
        self.send(b"%b %b\r\n" % (word, b" ".join(keys)))
        found: Found = {}
        while (line := self.line()) != b"END":
            match = _VALUE.fullmatch(line)
            if match is None:
                raise self.trouble(line)
            data = self.block(int(match[3]))
            if match[1] not in keys:
                raise Failed(f"an item that was not asked for: {match[1]!r}")
            found[match[1]] = (data, int(match[2]))
            if match[4] is not None:
                self.tokens[match[1]] = int(match[4])
        return found

    def block(self, length: int) -> bytes:
        """A data block."""
        data = self.exactly(length + 2)
        if not data.endswith(b"\r\n"):
            raise Failed("a data block that is longer than was told")
        return data[:-2]

    def arithmetic(self, operation: Operation) -> Result:
        """``incr`` and ``decr``."""
        delta = self.number(operation.get("delta", 1), LARGEST)
        key = self.checked(operation["key"])
        self.send(b"%b %b %d%b\r\n" % (operation["name"].encode(), key, delta, self.ending(operation)))
        if operation.get("noreply"):
            return {"outcome": "done", "number": None}
        line = self.line()
        match = _NUMBER.fullmatch(line)
        if match is None and line != b"NOT_FOUND":
            raise self.trouble(line)
        return {"outcome": "done", "number": int(match[1]) if match is not None else None}

    def told(self, operation: Operation, line: bytes, answers: dict[bytes, bool]) -> Result:
        """Say a command and tell how it was answered."""
        self.send(line + b"\r\n")
        if operation.get("noreply"):
            return {"outcome": "done", "success": True}
        answer = self.line()
        if answer not in answers:
            raise self.trouble(answer)
        return {"outcome": "done", "success": answers[answer]}

    def version(self) -> str:
        """The server's version."""
        self.send(b"version\r\n")
        line = self.line()
        if not line.startswith(b"VERSION "):
            raise self.trouble(line)
        return line.removeprefix(b"VERSION ").decode("latin-1")

    def stats(self) -> dict[str, str]:
        """The server's statistics."""
        self.send(b"stats\r\n")
        found: dict[str, str] = {}
        while (line := self.line()) != b"END":
            match = _STAT.fullmatch(line)
            if match is None:
                raise self.trouble(line)
            found[match[1].decode("latin-1")] = match[2].decode("latin-1")
        return found

    # what may be said

    def checked(self, key: bytes) -> bytes:
        """The key, where it may be sent."""
        if _KEY.fullmatch(key) is None:
            raise Unsent(f"{key[:40]!r} can be no key")
        return key

    def number(self, number: int, largest: int) -> int:
        """The number, where the protocol has a place for it."""
        if not 0 <= number <= largest:
            raise Unsent(f"{number} is not from 0 to {largest}")
        return number

    def expire(self, operation: Operation) -> int:
        """The expiration time, as it was given, where a server can read it."""
        expire = operation.get("expire", 0)
        if not -(1 << 63) <= expire < 1 << 63:
            raise Unsent(f"{expire} is no time")
        return expire

    def length(self, value: bytes) -> int:
        """The length that is told of a value."""
        return len(value)

    def ending(self, operation: Operation) -> bytes:
        """What ends a command line."""
        return b" noreply" if operation.get("noreply") else b""

    def trouble(self, line: bytes) -> Exception:
        """What is told of a line that is no answer to the command."""
        if _ERROR.fullmatch(line):
            return Refused(line.decode("latin-1"))
        return Failed(f"the server answered {line[:80]!r}")

    # octets

    def send(self, octets: bytes) -> None:
        """Send octets, on a new connection where there is none."""
        if self._sock is not None and self._closed():
            self.close()
        if self._sock is None:
            self._connect()
        if self._sock is not None:
            self._sock.sendall(self.framed(octets))

    @property
    def _by_udp(self) -> bool:
        return self._server.get("transport") == "udp"

    def framed(self, octets: bytes) -> bytes:
        """A request as it is sent: by UDP in a datagram of its own, with an ID of its own."""
        if not self._by_udp:
            return octets
        self._request = (self._request + 1) % 65536
        return self.header(self._request) + octets

    def header(self, request: int) -> bytes:
        """What stands before a request: its ID, the first of one, and two octets of 0."""
        return HEADER.pack(request, 0, 1, 0)

    def _connect(self) -> None:
        if self._by_udp:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.settimeout(self._timeout)
            self._sock.connect((self._server["host"], self._server["port"]))
            return
        self._sock = socket.create_connection((self._server["host"], self._server["port"]), self._timeout)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self._sock = self._context.wrap_socket(self._sock, server_hostname=self._server["host"])
        if self._credentials:
            self.authenticate(self._sock)

    def authenticate(self, sock: socket.socket) -> None:
        """Say name and password; nothing else is said before they are taken."""
        sock.sendall(b"set auth 0 0 %d\r\n%b\r\n" % (len(self._credentials), self._credentials))
        self.admitted(self.line())

    def admitted(self, line: bytes) -> None:
        """Heed the answer to name and password."""
        if line != b"STORED":
            raise Failed(f"name and password were refused: {line.decode('latin-1')}")

    def _closed(self) -> bool:
        """Whether the server has left since, or said what nobody has asked for."""
        if self._sock is None:
            return True
        if isinstance(self._sock, ssl.SSLSocket):
            return False  # what has come may be TLS's own
        self._sock.settimeout(0)
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._sock.settimeout(self._timeout)
        return True

    def receive(self) -> None:
        """Take what comes next."""
        if self._sock is None:
            raise Failed("there is no connection")
        octets = self._sock.recv(65536)
        if not octets:
            raise Failed("the server closed the connection")
        if not self._by_udp:
            self._received += octets
        elif octets[:2] == HEADER.pack(self._request, 0, 0, 0)[:2]:
            # a late answer to another request is left out; on one machine datagrams come in their order
            self._received += octets[HEADER.size :]

    def line(self) -> bytes:
        """The next line of the server, without its CRLF."""
        while (end := self._received.find(b"\r\n")) < 0:
            if len(self._received) > LINE_LIMIT:
                raise Failed("a line without end")
            self.receive()
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        return line

    def exactly(self, count: int) -> bytes:
        """So many octets."""
        while len(self._received) < count:
            self.receive()
        octets = bytes(self._received[:count])
        del self._received[:count]
        return octets


class Unsent(Failed):
    """What was asked for may not be sent; the connection is as it was."""
