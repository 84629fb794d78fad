"""What a memcached client adapter is asked and what it reports: the shapes, and nothing of any library or judge."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class Address(TypedDict):
    """Where a server listens, by TCP where nothing is said."""

    host: str
    port: int
    transport: NotRequired[Literal["tcp", "udp"]]


class Key(TypedDict):
    """One of several keys."""

    key: bytes


class Operation(TypedDict):
    """One call of the library. ``expire`` is handed on as it is; ``cas`` uses the token of the latest ``gets``."""

    name: str
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
    """How one operation ended: what the library told its user, or why it could not."""

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
    """Whether the library took its servers."""

    outcome: Literal["done", "refused", "failed"]
    cause: NotRequired[str]


class Report(Opened):
    """What came of some operations, in their order."""

    results: list[Result]


def succeeded(success: object) -> Result:
    """Say that the server answered, and whether the library takes that for a yes."""
    return {"outcome": "done", "success": bool(success)}


def refused(text: object) -> Result:
    """Say that the library told of an error line."""
    return {"outcome": "refused", "text": str(text)}


def failed(error: BaseException) -> Result:
    """Say that the library raised ``error``, which is no answer of the server's."""
    return {"outcome": "failed", "cause": f"{type(error).__name__}: {error}"}


def found(value: bytes | None, flags: int | None = None) -> Result:
    """Say what a retrieval of one key brought: ``None`` for a miss; flags where the library hands them out."""
    if value is None or flags is None:
        return {"outcome": "done", "value": value}
    return {"outcome": "done", "value": value, "flags": flags}


def number(value: int | None) -> Result:
    """Say what arithmetic made; ``None`` where there was no item."""
    return {"outcome": "done", "number": value}


def text(value: object) -> str:
    """What a library gives as octets or as text, as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def items(found: dict[bytes, bytes]) -> Result:
    """Say which of several keys were found."""
    return {"outcome": "done", "items": [{"key": key, "value": value} for key, value in found.items()]}


def report(results: list[Result]) -> Report:
    """Sum up."""
    return {"outcome": "done", "results": results}
