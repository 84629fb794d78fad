"""A memcached server in Python: `python -m implementations.memcached.server [INTERFACE]`.

Knows its command line. The protocol is in `core`, sockets are in the drivers.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Sequence

from implementations.memcached import server_asyncio, server_epoll
from implementations.memcached.listening import Door, Failure, address, hold_ends_back, make_room, open_door
from implementations.memcached.storage import Cache, Limits

PORT = 11211
_MEBIBYTE = 1 << 20
_UNITS = {"k": 1 << 10, "m": _MEBIBYTE}
#: What an item may be, as memcached has it.
_ITEM_LEAST, _ITEM_MOST = 1 << 10, 1 << 30

DRIVERS: dict[str, Callable[[Door, Cache], None]] = {
    "epoll": server_epoll.serve,
    "asyncio": server_asyncio.serve,
}


class Options(argparse.Namespace):
    """What the command line says."""

    interface: str
    port: int
    udp_port: int
    driver: str
    memory_limit: int
    max_item_size: int
    connections: int
    verbose: bool


def new_cache(limits: Limits) -> Cache:
    """An empty cache that lives by this machine's clock."""
    return Cache(clock=time.monotonic, started=int(time.time()), limits=limits)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(argv, namespace=Options())
    if options.max_item_size > options.memory_limit * _MEBIBYTE:
        parser.error(
            f"an item of --max-item-size {options.max_item_size} does not fit into --memory-limit "
            f"{options.memory_limit} (MiB); raise that or lower this"
        )
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s memcached[%(process)d] %(levelname)s %(message)s",
    )
    limits = Limits(options.memory_limit * _MEBIBYTE, options.max_item_size, options.connections)
    hold_ends_back()
    try:
        door = open_door(options.interface, options.port, options.udp_port or None)
    except Failure as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    make_room(options.connections)
    print(f"listening on {address(door.stream.getsockname())}", flush=True)
    DRIVERS[options.driver](door, new_cache(limits))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m implementations.memcached.server",
        description="Serve a cache by memcached's text and meta protocol, until SIGTERM or Ctrl-C.",
        epilog="Try it:  python -m implementations.memcached.server 127.0.0.1 --port 0",
        allow_abbrev=False,
    )
    parser.add_argument(
        "interface",
        nargs="?",
        default="127.0.0.1",
        metavar="INTERFACE",
        help="address or name to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        metavar="N",
        help="TCP port; 0 lets the kernel choose (default: %(default)s)",
    )
    parser.add_argument(
        "--udp-port", type=_port, default=0, metavar="N", help="UDP port; 0 opens none (default: %(default)s)"
    )
    parser.add_argument(
        "--driver", choices=DRIVERS, default="epoll", help="what waits for sockets (default: %(default)s)"
    )
    parser.add_argument(
        "--memory-limit",
        type=_between(1, 1 << 20, "MiB"),
        default=64,
        metavar="MB",
        help="items give way beyond so many MiB (default: %(default)s)",
    )
    parser.add_argument(
        "--max-item-size",
        type=_item_size,
        default=_MEBIBYTE,
        metavar="SIZE",
        help="octets of an item with its key and header; k and m may follow (default: 1m)",
    )
    parser.add_argument(
        "--connections",
        type=_between(1, 1 << 20, "connections"),
        default=1024,
        metavar="N",
        help="peers at a time; others are told so (default: %(default)s)",
    )
    parser.add_argument("--verbose", action="store_true", help="log every connection that fails")
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port (0 to 65535)")
    return int(text)


def _between(least: int, most: int, what: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of {what} ({least} to {most})")
        return int(text)

    return read


def _item_size(text: str) -> int:
    digits, unit = (text[:-1], _UNITS[text[-1:].lower()]) if text[-1:].lower() in _UNITS else (text, 1)
    if not digits.isascii() or not digits.isdigit() or not _ITEM_LEAST <= int(digits) * unit <= _ITEM_MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no size of an item (1k to 1024m)")
    return int(digits) * unit


if __name__ == "__main__":
    sys.exit(main())
