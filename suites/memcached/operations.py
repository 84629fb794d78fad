"""What a client under test is asked for, in few words.

Knows the contract's operations. Must not know how any of them looks on the wire.
"""

from __future__ import annotations

import secrets

from suites.memcached.contract import Name, Operation

#: The operations that store.
STORING: tuple[Name, ...] = ("set", "add", "replace", "append", "prepend", "cas")
#: The feature that a client must declare to be asked for an operation; what is missing here every client has.
FEATURE: dict[Name, str] = {
    "add": "add-replace",
    "replace": "add-replace",
    "append": "append",
    "prepend": "append",
    "gets": "cas",
    "cas": "cas",
    "incr": "arithmetic",
    "decr": "arithmetic",
    "touch": "touch",
    "gat": "gat",
    "get_many": "get-many",
    "flush_all": "flush",
    "stats": "stats",
    "version": "version",
}


def new_key(ending: str = "") -> bytes:
    """A key that nobody else uses, so that cases share a server."""
    return f"k{secrets.token_hex(6)}{ending}".encode()


def store(
    name: Name, key: bytes, value: bytes, *, expire: int = 0, flags: int | None = None, noreply: bool = False
) -> Operation:
    """One of the operations that store."""
    operation: Operation = {"name": name, "key": key, "value": value, "expire": expire, "noreply": noreply}
    if flags is not None:
        operation["flags"] = flags
    return operation


def put(
    key: bytes, value: bytes, *, expire: int = 0, flags: int | None = None, noreply: bool = False
) -> Operation:
    """A set."""
    return store("set", key, value, expire=expire, flags=flags, noreply=noreply)


def get(key: bytes) -> Operation:
    """A get of one key."""
    return {"name": "get", "key": key}


def get_many(*keys: bytes) -> Operation:
    """A get of several keys."""
    return {"name": "get_many", "keys": [{"key": key} for key in keys]}


def delete(key: bytes, *, noreply: bool = False) -> Operation:
    """A delete."""
    return {"name": "delete", "key": key, "noreply": noreply}


def change(name: Name, key: bytes, delta: int, *, noreply: bool = False) -> Operation:
    """An incr or decr."""
    return {"name": name, "key": key, "delta": delta, "noreply": noreply}


def touch(key: bytes, expire: int, *, noreply: bool = False) -> Operation:
    """A touch."""
    return {"name": "touch", "key": key, "expire": expire, "noreply": noreply}


def gat(key: bytes, expire: int) -> Operation:
    """A get that sets the expiration time."""
    return {"name": "gat", "key": key, "expire": expire}


def plain(name: Name, key: bytes | None = None) -> Operation:
    """An operation with no more than a key."""
    return {"name": name} if key is None else {"name": name, "key": key}


def sample(name: Name, key: bytes) -> Operation:
    """The named operation on the key, with arguments that any server takes."""
    match name:
        case "set" | "add" | "replace" | "append" | "prepend" | "cas":
            return store(name, key, b"value")
        case "incr" | "decr":
            return change(name, key, 1)
        case "touch" | "gat":
            return {"name": name, "key": key, "expire": 100}
        case "get_many":
            return get_many(key)
        case _:
            return plain(name, key)
