"""What a memcached implementation must offer to be judged here.

Knows the shape of a client's operations and of the configuration of a server; the features that
one may declare are listed in ``suite.toml``. Must not know any implementation. An
adapter satisfies it by its shape: it imports nothing of ours.
"""

from __future__ import annotations

from typing import Literal, NotRequired, Protocol, TypedDict

Name = Literal[
    "get", "gets", "get_many", "gat",
    "set", "add", "replace", "append", "prepend", "cas",
    "delete", "incr", "decr", "touch", "flush_all", "version", "stats",
]  # fmt: skip


class Address(TypedDict):
    """Where a server listens; by UDP for clients that declare it, in one case or another, and by TCP where nothing is said."""

    host: str
    port: int
    transport: NotRequired[Literal["tcp", "udp"]]


class Key(TypedDict):
    """One of several keys."""

    key: bytes


class Operation(TypedDict):
    """One call of the library; an operation has the fields that its command has.

    ``expire`` is handed on as it is (seconds, or a Unix time). ``cas`` uses the token that the latest ``gets`` of
    the same key brought.
    """

    name: Name
    key: NotRequired[bytes]
    keys: NotRequired[list[Key]]
    value: NotRequired[bytes]
    flags: NotRequired[int]
    expire: NotRequired[int]
    delta: NotRequired[int]
    noreply: NotRequired[bool]


class Item(TypedDict):
    """A key with its value."""

    key: bytes
    value: bytes


class Result(TypedDict):
    """How one operation ended.

    done: the library told its user how the server answered. ``success`` is what it said of the answer where that is yes
    or no (``STORED`` or ``NOT_STORED``, ``DELETED`` or ``NOT_FOUND``), ``value`` what a get brought (``None`` for a
    miss), ``number`` the result of arithmetic (``None`` where there was no item), ``items`` what several keys brought.
    refused: the library told its user of an error line. failed: of anything else, such as a key it does not take, or a
    connection that broke.
    """

    outcome: Literal["done", "refused", "failed"]
    text: NotRequired[str]
    cause: NotRequired[str]
    success: NotRequired[bool]
    value: NotRequired[bytes | None]
    flags: NotRequired[int]
    number: NotRequired[int | None]
    items: NotRequired[list[Item]]
    version: NotRequired[str]
    stats: NotRequired[dict[str, str]]


class Opened(TypedDict):
    """How the library took the servers it is to use."""

    outcome: Literal["done", "refused", "failed"]
    cause: NotRequired[str]


class Report(Opened):
    """What came of some operations, in their order."""

    results: list[Result]


class MemcachedClient(Protocol):
    """A client under test: no-argument constructor; opened, run any number of times and closed, then perhaps again."""

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
    ) -> Opened:
        """Make the library's client for these servers.

        Args:
            servers: several where keys are to be spread.
            ca_file: trusted for TLS; without TLS ``None``.
            username: for the authentication of the text protocol, or ``None``.
            password: that goes with it.
            timeout: seconds for each wait.
        """

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other; one that fails does not stop those behind it."""

    def close(self) -> Opened:
        """Give the library's client up."""


class ServerConfiguration(TypedDict):
    """The JSON line a server command reads first.

    The server then prints ``{"ready": {"plain": PORT, "udp": PORT or null}}`` and serves until its input ends.
    ``memory_limit`` and ``maximum_item`` are octets, as -m and -I of memcached are; ``maximum_connections`` is -c.
    """

    host: str
    memory_limit: int
    maximum_item: int
    maximum_connections: int
