"""python-memcached as a memcached client under test.

Knows python-memcached and the shapes of a report. Adds nothing to what it does, and mends nothing in it. It tells its
user of no error: what went wrong is 0 or None, as what was not stored or not found is.
"""

from __future__ import annotations

import memcache

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
    report,
    succeeded,
)


class PythonMemcachedClient:
    """Uses `memcache.Client`."""

    def __init__(self) -> None:
        self._client: memcache.Client | None = None

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,  # noqa: ARG002 - goes with the user name
        timeout: float,
    ) -> Opened:
        """Make the client; python-memcached connects with its first command."""
        if username is not None:
            return {"outcome": "failed", "cause": "python-memcached has no authentication"}
        if ca_file is not None:
            return {"outcome": "failed", "cause": "python-memcached has no TLS"}
        self._client = memcache.Client(
            [f"{server['host']}:{server['port']}" for server in servers],
            socket_timeout=timeout,
            cache_cas=True,
            # Its own default is 1 MiB; what is larger it would not send.
            server_max_value_length=8 * 1024 * 1024,
        )
        return {"outcome": "done"}

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other."""
        return report([self._try(operation) for operation in operations])

    def close(self) -> Opened:
        """Close the connections."""
        if self._client is not None:
            self._client.disconnect_all()
        return {"outcome": "done"}

    def _try(self, operation: Operation) -> Result:
        try:
            return self._do(operation)
        except (
            memcache.Client.MemcachedKeyError,
            memcache.Client.MemcachedStringEncodingError,
            OSError,
            ValueError,
        ) as error:
            return failed(error)

    def _do(self, operation: Operation) -> Result:  # noqa: PLR0911 - a branch for each command
        client = self._client
        if client is None:
            raise ValueError("the client was not opened")
        name, key = operation["name"], operation.get("key", b"")
        expire, noreply = operation.get("expire", 0), operation.get("noreply", False)
        match name:
            case "get" | "gets":
                return found(getattr(client, name)(key))
            case "get_many":
                return items(client.get_multi([entry["key"] for entry in operation["keys"]]))
            case "set" | "add" | "replace" | "append" | "prepend" | "cas":
                return succeeded(getattr(client, name)(key, operation["value"], time=expire, noreply=noreply))
            case "delete":
                return succeeded(client.delete(key, noreply=noreply))
            case "incr" | "decr":
                return number(getattr(client, name)(key, operation["delta"], noreply=noreply))
            case "touch":
                return succeeded(client.touch(key, expire, noreply=noreply))
            case "flush_all":
                client.flush_all()
                return {"outcome": "done"}
            case "stats":
                [(_, stats)] = client.get_stats()
                return {"outcome": "done", "stats": stats}
            case _:
                raise ValueError(f"python-memcached has no {name}")
