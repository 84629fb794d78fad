"""pymemcache as a memcached client under test.

Knows pymemcache and the shapes of a report. Adds nothing to what pymemcache does, and mends nothing in it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from pymemcache import Client, HashClient
from pymemcache.exceptions import (
    MemcacheClientError,
    MemcacheError,
    MemcacheIllegalInputError,
    MemcacheServerError,
    MemcacheUnexpectedCloseError,
)

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


class _WithFlags:
    """Gives each value with the flags that were stored beside it; stores octets as they are."""

    def serialize(self, _key: bytes, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, _key: bytes, value: bytes, flags: int) -> tuple[bytes, int]:
        return value, flags


class PymemcacheClient:
    """Uses `pymemcache.Client`, or `pymemcache.HashClient` where there are several servers."""

    def __init__(self) -> None:
        self._client: Client | HashClient | None = None
        self._tokens: dict[bytes, bytes] = {}

    def open(
        self,
        *,
        servers: list[Address],
        ca_file: str | None,
        username: str | None,
        password: str | None,  # noqa: ARG002 - goes with the user name
        timeout: float,
    ) -> Opened:
        """Make the client; pymemcache connects with its first command."""
        if username is not None:
            return {"outcome": "failed", "cause": "pymemcache has no authentication"}
        addresses = [(server["host"], server["port"]) for server in servers]
        context = ssl.create_default_context(cafile=ca_file) if ca_file is not None else None
        options = {
            "serde": _WithFlags(),
            "connect_timeout": timeout,
            "timeout": timeout,
            "no_delay": True,
            "tls_context": context,
        }
        self._client = (
            Client(addresses[0], **options) if len(addresses) == 1 else HashClient(addresses, **options)
        )
        self._tokens = {}
        return {"outcome": "done"}

    def run(self, *, operations: list[Operation]) -> Report:
        """Do the operations one after the other."""
        return report([self._try(operation) for operation in operations])

    def close(self) -> Opened:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
        return {"outcome": "done"}

    def _try(self, operation: Operation) -> Result:
        try:
            return self._do(operation)
        except (MemcacheIllegalInputError, MemcacheUnexpectedCloseError) as error:
            return failed(error)
        except (
            MemcacheClientError,
            MemcacheServerError,
        ) as error:  # an unknown command is a client's error here
            return refused(f"{type(error).__name__}: {error}")
        except (MemcacheError, OSError, ValueError) as error:
            return failed(error)

    def _do(self, operation: Operation) -> Result:  # noqa: C901, PLR0911, PLR0912 - a branch for each command
        client = self._client
        if client is None:
            raise ValueError("the client was not opened")
        name, key = operation["name"], operation.get("key", b"")
        noreply = operation.get("noreply", False)
        match name:
            case "get":
                return _found(client.get(key))
            case "gets":
                pair, token = client.gets(key)
                if token is not None:
                    self._tokens[key] = token
                return _found(pair)
            case "get_many":
                pairs = client.get_many([entry["key"] for entry in operation["keys"]])
                return items({key: value for key, (value, _) in pairs.items()})
            case "set" | "add" | "replace" | "append" | "prepend":
                store: Callable[..., bool] = getattr(client, name)
                return succeeded(store(key, operation["value"], noreply=noreply, **_settings(operation)))
            case "cas":
                token = self._tokens.get(key, b"0")
                return succeeded(
                    client.cas(key, operation["value"], token, noreply=noreply, **_settings(operation))
                )
            case "delete":
                return succeeded(client.delete(key, noreply=noreply))
            case "incr" | "decr":
                change: Callable[..., int | None] = getattr(client, name)
                return number(change(key, operation["delta"], noreply=noreply))
            case "touch":
                return succeeded(client.touch(key, operation["expire"], noreply=noreply))
            case "flush_all":
                return succeeded(client.flush_all(operation.get("expire", 0), noreply=noreply))
            case "version" if isinstance(client, Client):
                return {"outcome": "done", "version": client.version().decode()}
            case "stats" if isinstance(client, Client):
                stats = client.stats()
                return {"outcome": "done", "stats": {text(key): text(value) for key, value in stats.items()}}
            case _:
                raise ValueError(f"pymemcache has no {name}")


def _settings(operation: Operation) -> dict[str, int]:
    settings = {"expire": operation.get("expire", 0)}
    return settings | ({"flags": operation["flags"]} if "flags" in operation else {})


def _found(pair: tuple[bytes, int] | None) -> Result:
    return found(*pair) if pair is not None else found(None)
