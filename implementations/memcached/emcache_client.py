"""emcache as a memcached client under test.

Knows emcache and the shapes of a report. Adds nothing to what emcache does, and mends nothing in it.
"""

from __future__ import annotations

import asyncio

import emcache

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


class EmcacheClient:
    """Uses `emcache.create_client` on a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client: emcache.Client | None = None
        self._addresses: list[emcache.MemcachedHostAddress] = []
        self._tokens: dict[bytes, int] = {}

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
    ) -> Opened:
        """Make the client; emcache opens a connection to each server on its own."""
        self._addresses = [emcache.MemcachedHostAddress(server["host"], server["port"]) for server in servers]
        self._tokens = {}
        self._client = self._loop.run_until_complete(
            emcache.create_client(
                self._addresses,
                timeout=timeout,
                connection_timeout=timeout,
                ssl=ca_file is not None,
                ssl_extra_ca=ca_file,
                username=username,
                password=password,
            )
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
            return await self._do(operation)
        except (emcache.NotStoredStorageCommandError, emcache.NotFoundCommandError):
            return succeeded(False)  # noqa: FBT003 - the library says no by an exception
        except emcache.CommandError as error:
            return refused(error)
        except (
            emcache.ClusterNoAvailableNodes,
            OSError,
            ValueError,
        ) as error:  # asyncio.TimeoutError is an OSError
            return failed(error)

    async def _do(self, operation: Operation) -> Result:  # noqa: C901, PLR0911, PLR0912 - a branch for each command
        client = self._client
        if client is None:
            raise ValueError("the client was not opened")
        name, key = operation["name"], operation.get("key", b"")
        noreply = operation.get("noreply", False)
        match name:
            case "get":
                return _found(await client.get(key, return_flags=True))
            case "gets":
                item = await client.gets(key, return_flags=True)
                if item is not None and item.cas is not None:
                    self._tokens[key] = item.cas
                return _found(item)
            case "gat":
                return _found(await client.gat(operation["expire"], key, return_flags=True))
            case "get_many":
                many = await client.get_many([entry["key"] for entry in operation["keys"]])
                return items({key: item.value for key, item in many.items()})
            case "set" | "add" | "replace":
                store = getattr(client, name)
                await store(key, operation["value"], noreply=noreply, **_settings(operation))
            case "append" | "prepend":
                await getattr(client, name)(key, operation["value"], noreply=noreply)
            case "cas":
                token = self._tokens.get(key, 0)
                await client.cas(key, operation["value"], token, noreply=noreply, **_settings(operation))
            case "delete":
                await client.delete(key, noreply=noreply)
            case "incr" | "decr":
                change = client.increment if name == "incr" else client.decrement
                try:
                    return number(await change(key, operation["delta"], noreply=noreply))
                except emcache.NotFoundCommandError:
                    return number(None)
            case "touch":
                await client.touch(key, operation["expire"], noreply=noreply)
            case "flush_all":
                await client.flush_all(self._addresses[0], operation.get("expire", 0), noreply=noreply)
            case "version":
                return {"outcome": "done", "version": text(await client.version(self._addresses[0]))}
            case "stats":
                return {"outcome": "done", "stats": await client.stats(self._addresses[0])}
            case _:
                raise ValueError(f"emcache has no {name}")
        return succeeded(True)  # noqa: FBT003 - it would have raised


def _settings(operation: Operation) -> dict[str, int]:
    return {"flags": operation.get("flags", 0), "exptime": operation.get("expire", 0)}


def _found(item: emcache.Item | None) -> Result:
    return found(item.value, item.flags or 0) if item is not None else found(None)
