"""aiomcache as a memcached client under test.

Knows aiomcache and the shapes of a report. Adds nothing to what aiomcache does but the timeout around each call, which
its users have to set themselves.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

from aiomcache import FlagClient
from aiomcache.exceptions import ClientException, ValidationException

from implementations.memcached.outcome import (
    Address,
    Opened,
    Operation,
    Report,
    Result,
    failed,
    found,
    items,
    number,
    refused,
    report,
    succeeded,
    text,
)


class _Flagged(NamedTuple):
    """A value with flags; aiomcache asks a handler for both."""

    value: bytes
    flags: int


async def _load(value: bytes, flags: int) -> _Flagged:
    return _Flagged(value, flags)


async def _dump(flagged: _Flagged) -> tuple[bytes, int]:
    return flagged.value, flagged.flags


class AiomcacheClient:
    """Uses `aiomcache.FlagClient` on a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client: FlagClient[_Flagged] | None = None
        self._timeout = 0.0
        self._tokens: dict[bytes, int] = {}

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,  # noqa: ARG002 - goes with the user name
        timeout: float,
    ) -> Opened:
        """Make the client; aiomcache connects with its first command."""
        if username is not None:
            return {"outcome": "failed", "cause": "aiomcache has no authentication"}
        if len(servers) != 1:
            return {"outcome": "failed", "cause": "aiomcache speaks to one server"}
        arguments = {"ssl": ssl.create_default_context(cafile=ca_file)} if ca_file is not None else None
        self._timeout = timeout
        self._tokens = {}
        self._client = FlagClient(
            servers[0]["host"],
            servers[0]["port"],
            pool_size=1,
            conn_args=arguments,
            get_flag_handler=_load,
            set_flag_handler=_dump,
        )
        return {"outcome": "done"}

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other."""
        return report([self._loop.run_until_complete(self._try(operation)) for operation in operations])

    def close(self) -> Opened:
        """Close the connections."""
        if self._client is not None:
            self._loop.run_until_complete(self._client.close())
        return {"outcome": "done"}

    async def _try(self, operation: Operation) -> Result:
        try:
            return await asyncio.wait_for(self._do(operation), self._timeout)
        except ValidationException as error:
            return failed(error)
        except ClientException as error:
            return refused(error)
        except (OSError, ValueError, EOFError) as error:  # asyncio.TimeoutError is an OSError
            return failed(error)

    async def _do(self, operation: Operation) -> Result:  # noqa: C901, PLR0911, PLR0912 - a branch for each command
        client = self._client
        if client is None:
            raise ValueError("the client was not opened")
        name, key = operation["name"], operation.get("key", b"")
        match name:
            case "get":
                return _found(await client.get(key))
            case "gets":
                value, token = await client.gets(key)
                if token is not None:
                    self._tokens[key] = token
                return _found(value)
            case "get_many":
                keys = [entry["key"] for entry in operation["keys"]]
                values = await client.multi_get(*keys)
                pairs = zip(keys, values, strict=True)
                return items({key: _octets(value) for key, value in pairs if value is not None})
            case "set" | "add" | "replace" | "append" | "prepend":
                store = getattr(client, name)
                return succeeded(await store(key, _value(operation), operation.get("expire", 0)))
            case "cas":
                token = self._tokens.get(key, 0)
                return succeeded(await client.cas(key, _value(operation), token, operation.get("expire", 0)))
            case "delete":
                return succeeded(await client.delete(key))
            case "incr":
                return number(await client.incr(key, operation["delta"]))
            case "decr":
                return number(await client.decr(key, operation["delta"]))
            case "touch":
                return succeeded(await client.touch(key, operation["expire"]))
            case "flush_all":
                await client.flush_all()
                return succeeded(True)  # noqa: FBT003 - it raises otherwise
            case "version":
                return {"outcome": "done", "version": (await client.version()).decode()}
            case "stats":
                stats = await client.stats()
                return {
                    "outcome": "done",
                    "stats": {text(key): text(value or b"") for key, value in stats.items()},
                }
            case _:
                raise ValueError(f"aiomcache has no {name}")


def _value(operation: Operation) -> bytes | _Flagged:
    value = operation["value"]
    return _Flagged(value, operation["flags"]) if "flags" in operation else value


def _octets(value: bytes | _Flagged) -> bytes:
    return value.value if isinstance(value, _Flagged) else value


def _found(value: bytes | _Flagged | None) -> Result:
    # flags of 0 are not handed out
    return found(value.value, value.flags) if isinstance(value, _Flagged) else found(value, 0)
