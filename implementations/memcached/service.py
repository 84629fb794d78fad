"""The judge's door to the server: one JSON line in, the ports out, and an end when the input ends.

`python -m implementations.memcached.service --driver epoll` reads `{"host": …, "memory_limit": …, "maximum_item": …,
"maximum_connections": …}` (octets, and a number) and prints `{"ready": {"plain": PORT, "udp": PORT}}`.

With `--clock hand` time stands still but for lines `{"advance": SECONDS}` on standard input, each of which is answered with
`{"seconds": …}`, the time since the start: what takes days is tried in no time. Knows the server's parts. Must not know who asks.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

from implementations.memcached.listening import Failure, hold_ends_back, make_room, open_door
from implementations.memcached.server import DRIVERS, new_cache
from implementations.memcached.storage import Cache, Limits


class Options(argparse.Namespace):
    """What the command line says."""

    driver: str
    clock: str


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


class HandClock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self._seconds = 0

    def __call__(self) -> float:
        """Seconds since the start."""
        return self._seconds

    def obey(self, line: bytes) -> None:
        """Let the time pass that a line tells of, and say what time it is; a line that tells of none is complained of."""
        try:
            match json.loads(line):
                case {"advance": int(seconds)} if seconds >= 0:
                    self._seconds += seconds
                case _:
                    raise ValueError
        except ValueError:
            print('{"advance": SECONDS} expected on standard input', file=sys.stderr, flush=True)
        print(json.dumps({"seconds": self._seconds}), flush=True)


def end_with_input(obey: Callable[[bytes], None]) -> None:
    """Make the end of standard input mean the same as SIGTERM, so that no server outlives its parent."""

    def watch() -> None:
        for line in sys.stdin.buffer:
            obey(line)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-of-input", daemon=True).start()


def ignore(_line: bytes) -> None:
    """Nothing is to be said where time passes by itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m implementations.memcached.service",
        description="Start the server by a line of JSON on standard input; serve until that ends.",
        allow_abbrev=False,
    )
    parser.add_argument("--driver", choices=DRIVERS, required=True, help="what waits for sockets")
    parser.add_argument(
        "--clock",
        choices=("own", "hand"),
        default="own",
        help="whether time passes by itself or by lines on standard input (default: %(default)s)",
    )
    options = parser.parse_args(argv, namespace=Options())
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    hold_ends_back()
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
    if options.clock == "hand":
        clock = HandClock()
        end_with_input(clock.obey)
        cache = Cache(clock=clock, started=int(time.time()), limits=limits)
    else:
        end_with_input(ignore)
        cache = new_cache(limits)
    DRIVERS[options.driver](door, cache)
    return 0


if __name__ == "__main__":
    sys.exit(main())
