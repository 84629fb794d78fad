"""pylibmc, the binding of libmemcached, as a memcached client under test.

Knows pylibmc and the shapes of a report. Adds nothing to what pylibmc does, and mends nothing in it. Authentication, which
libmemcached has in the binary protocol alone, is left out with that protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pylibmc

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

#: What libmemcached makes of an error line.
_REFUSALS = (pylibmc.ClientError, pylibmc.ServerError, pylibmc.TooBig, pylibmc.ProtocolError)


class PylibmcClient:
    """Uses `pylibmc.Client`."""

    def __init__(self) -> None:
        self._client: pylibmc.Client | None = None
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
        """Make the client; libmemcached connects with its first command."""
        if ca_file is not None:
            return {"outcome": "failed", "cause": "pylibmc has no TLS"}
        if username is not None:
            return {"outcome": "failed", "cause": "pylibmc has no authentication in the text protocol"}
        milliseconds = int(timeout * 1000)
        self._tokens = {}
        self._client = pylibmc.Client(
            [_place(server) for server in servers],
            behaviors={
                "cas": True,
                "tcp_nodelay": True,
                "connect_timeout": milliseconds,
                "receive_timeout": milliseconds * 1000,
                "send_timeout": milliseconds * 1000,
                "_poll_timeout": milliseconds,
            },
        )
        return {"outcome": "done"}

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other."""
        return report([self._try(operation) for operation in operations])

    def close(self) -> Opened:
        """Close the connections."""
        if self._client is not None:
            self._client.disconnect_all()
        self._client = None
        return {"outcome": "done"}

    def _try(self, operation: Operation) -> Result:
        try:
            if not operation.get("noreply", False):
                return self._do(operation)
            with self._without_replies():
                return self._do(operation)
        except _REFUSALS as error:
            return refused(f"{type(error).__name__}: {error}")
        except (
            pylibmc.Error,
            OSError,
            ValueError,
            OverflowError,
        ) as error:  # OverflowError: no place in a C number
            return failed(error)

    @contextmanager
    def _without_replies(self) -> Iterator[None]:
        """Ask for no reply, by a setting of the whole client: libmemcached keeps its connections when it changes."""
        if self._client is None:
            raise ValueError("the client was not opened")
        self._client.behaviors["_noreply"] = True
        try:
            yield
        finally:
            self._client.behaviors["_noreply"] = False

    def _do(self, operation: Operation) -> Result:  # noqa: C901, PLR0911, PLR0912 - a branch for each command
        client = self._client
        if client is None:
            raise ValueError("the client was not opened")
        name, key = operation["name"], operation.get("key", b"")
        expire = operation.get("expire", 0)
        match name:
            case "get":
                return found(client.get(key))
            case "gets":
                value, token = client.gets(key)
                if token is not None:
                    self._tokens[key] = token
                return found(value)
            case "get_many":
                return items(client.get_multi([entry["key"] for entry in operation["keys"]]))
            case "set" | "add" | "replace":
                return succeeded(getattr(client, name)(key, operation["value"], time=expire))
            case "append" | "prepend":
                return succeeded(getattr(client, name)(key, operation["value"]))
            case "cas":
                return succeeded(client.cas(key, operation["value"], self._tokens.get(key, 0), time=expire))
            case "delete":
                return succeeded(client.delete(key))
            case "incr" | "decr":
                try:
                    return number(getattr(client, name)(key, operation["delta"]))
                except pylibmc.NotFound:
                    return number(None)
            case "touch":
                return succeeded(client.touch(key, expire))
            case "flush_all":
                return succeeded(client.flush_all(time=expire))
            case "stats":
                [(_, stats)] = client.get_stats()
                return {"outcome": "done", "stats": {text(key): text(value) for key, value in stats.items()}}
            case _:
                raise ValueError(f"pylibmc has no {name}")


def _place(server: Address) -> str:
    by = "udp:" if server.get("transport") == "udp" else ""
    return f"{by}{server['host']}:{server['port']}"
