"""The judge's door to the server: one JSON line in, the ports out, and an end when the input ends.

`python -m implementations.memcached.service --driver epoll` reads `{"host": …, "memory_limit": …, "maximum_item": …,
"maximum_connections": …}` (octets, and a number) and prints `{"ready": {"plain": PORT, "udp": PORT}}`. Knows the server's
parts. Must not know who asks.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from implementations.memcached.listening import Failure, make_room, open_door
from implementations.memcached.server import DRIVERS, new_cache
from implementations.memcached.storage import Limits


class Options(argparse.Namespace):
    """What the command line says."""

    driver: str


def read_configuration() -> tuple[str, Limits]:
    """Where to listen, and the limits. Raises Failure when the line on standard input says nothing of the kind."""
    try:
        match json.loads(sys.stdin.buffer.readline()):
            case {
                "host": str(host),
                "memory_limit": int(memory),
                "maximum_item": int(item),
                "maximum_connections": int(connections),
            }:
                return host, Limits(memory, item, connections)
    except ValueError:
        pass
    raise Failure(
        '{"host": "127.0.0.1", "memory_limit": 67108864, "maximum_item": 1048576, "maximum_connections": 1024} '
        "expected on the first line of standard input"
    )


def end_with_input() -> None:
    """Make the end of standard input mean the same as SIGTERM, so that no server outlives its parent."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-of-input", daemon=True).start()


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m implementations.memcached.service",
        description="Start the server by a line of JSON on standard input; serve until that ends.",
        allow_abbrev=False,
    )
    parser.add_argument("--driver", choices=DRIVERS, required=True, help="what waits for sockets")
    options = parser.parse_args(argv, namespace=Options())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    try:
        host, limits = read_configuration()
        door = open_door(host, 0, 0)
    except Failure as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    make_room(limits.connections)
    udp = door.datagram.getsockname()[1] if door.datagram is not None else None
    ready = {"plain": door.stream.getsockname()[1], "udp": udp}
    print(json.dumps({"ready": ready}), flush=True)
    end_with_input()
    DRIVERS[options.driver](door, new_cache(limits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
