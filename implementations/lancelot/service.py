"""The judge's door to the servers: `python -m implementations.lancelot.service SERVER [options]`.

One JSON line of configuration comes on standard input, `{"host": "127.0.0.1", "port": 0}` (without a port the kernel chooses
one); `{"ready": {"plain": PORT}}` goes out once the server accepts; it serves until SIGTERM or the end of its input. SERVER is
a name such as `epoll`, the options are those of its own command line. Knows the names of the servers. Must not know what
any of them does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import socket
import sys
from collections.abc import Sequence

from implementations.lancelot.command_line import (
    Failure,
    Options,
    Parser,
    Server,
    guarded,
    log_to_stderr,
    run,
)
from implementations.lancelot.signals import Signals

SERVERS = (
    "simple",
    "select",
    "poll",
    "epoll",
    "threads",
    "processes",
    "socketserver",
    "twisted",
    "asyncio",
    "reuseport",
)


def load(name: str) -> Server:
    """Import one of SERVERS. Raises Failure when the library that it adapts is not there."""
    try:
        module = importlib.import_module(f"implementations.lancelot.server_{name}")
    except ImportError as error:
        raise Failure(f"server_{name}: {error}") from error
    server: Server = module.SERVER
    return server


def read_configuration() -> list[str]:
    """Read the configuration line and return it as words of a server's command line. Raises Failure."""
    line = sys.stdin.buffer.readline()
    try:
        match json.loads(line):
            case {"host": str(host), **rest}:
                port = rest.pop("port", 0)
                if isinstance(port, int) and not rest:
                    return ["--port", str(port), "--", host]
    except ValueError:
        pass
    raise Failure('{"host": "127.0.0.1", "port": 0} expected on the first line of standard input')


def announce(listener: socket.socket) -> None:
    """Tell the parent process which port is open."""
    print(json.dumps({"ready": {"plain": listener.getsockname()[1]}}), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = Parser(
        prog="python -m implementations.lancelot.service",
        description="Start a server by a line of JSON on standard input; serve until that ends.",
        epilog='Try it:  (echo \'{"host": "127.0.0.1"}\'; sleep 60) | python -m implementations.lancelot.service epoll',
        allow_abbrev=False,
    )
    parser.add_argument("server", choices=SERVERS, metavar="SERVER", help=f"one of {', '.join(SERVERS)}")
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="…", help="options of that server (server_NAME --help)"
    )
    words = parser.parse_args(argv)

    def work() -> None:
        server = load(words.server)
        options = server.parser().parse_args([*words.options, *read_configuration()], namespace=Options())
        log_to_stderr(verbose=options.verbose)
        signals = Signals()
        signals.hang_on(sys.stdin.fileno())
        run(server, options, signals, announce)

    return guarded(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
