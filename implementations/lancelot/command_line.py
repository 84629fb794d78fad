"""What the Lancelot servers' command lines do alike: arguments, the listening socket, one line for each failure.

Knows argparse, logging and how a socket is opened. Must not know how any server serves.
"""

from __future__ import annotations

import argparse
import errno
import logging
import math
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from implementations.lancelot.protocol import PORT
from implementations.lancelot.signals import Signals

BACKLOG = 1024
EXIT_STATUS = """\
Once it accepts, the server prints `listening on HOST:PORT`. SIGTERM and SIGINT stop it: connections that were made are
accepted, questions that have come are answered, then it closes. It logs on standard error.
Try it:  printf 'What is your name?' | nc -q 1 127.0.0.1 1060
Exit status: 0 stopped by a signal, 1 could not serve, 2 wrong arguments."""

#: What a socket of one of the internet's two families is bound to.
Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

#: What a server calls once it accepts, so that whoever waits for that is told.
Ready: TypeAlias = Callable[[], None]

log = logging.getLogger("lancelot")


class Failure(Exception):
    """The program cannot do what was asked; the text is the one line that the user sees."""


class Options(argparse.Namespace):
    """What the command line said."""

    interface: str
    port: int
    grace: float
    verbose: bool
    workers: int
    patience: float
    style: str
    loop: str


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")


@dataclass(frozen=True)
class Server:
    """One architecture: what it is called, what it takes, and the function that serves.

    `serve` calls its last argument once it accepts, in the process that called it. It returns after it was asked to stop and
    all that had come was answered; it closes the listening socket.
    With `shares_port` that socket is one beside which others may listen.
    """

    name: str
    purpose: str
    serve: Callable[[socket.socket, Signals, Options, Ready], None]
    add_options: Callable[[argparse.ArgumentParser], None] | None = None
    shares_port: bool = False

    def parser(self) -> Parser:
        """The parser of this server's command line."""
        parser = Parser(
            prog=f"python -m implementations.lancelot.{self.name}",
            description=self.purpose,
            epilog=EXIT_STATUS,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument(
            "interface", metavar="INTERFACE", help="address or name to listen on; '' is every IPv4 interface"
        )
        parser.add_argument(
            "--port",
            type=port_number,
            default=PORT,
            metavar="N",
            help="TCP port; 0 lets the kernel choose (default: %(default)s)",
        )
        parser.add_argument(
            "--grace",
            type=seconds,
            default=5.0,
            metavar="SECONDS",
            help="longest time for what was asked before SIGTERM, when peers read slowly (default: %(default)s)",
        )
        parser.add_argument("--verbose", action="store_true", help="log every connection that fails")
        if self.add_options is not None:
            self.add_options(parser)
        return parser


def add_workers(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    """Give a command line the number of workers."""
    parser.add_argument(
        "--workers", type=count, default=default, metavar="N", help=f"{what} (default: {default})"
    )


def add_patience(parser: argparse.ArgumentParser) -> None:
    """Give a command line the time after which a silent peer gives its worker back."""
    parser.add_argument(
        "--patience",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="longest wait for a peer that asks nothing or reads nothing (default: %(default)s)",
    )


def open_listener(interface: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen. Raises Failure when that is not possible, also when another server has the port.

    When the port is `shared`, `open_beside` may open further sockets on it.
    """
    family, address = _resolve(interface, port)
    if shared and port:
        _bound(family, address).close()  # fails when another server has the port; sharing alone would not
    return _listening(_bound(family, address, shared=shared))


def open_beside(listener: socket.socket) -> socket.socket:
    """Listen on the port of a shared listening socket, too: the kernel spreads the connections. Raises Failure."""
    return _listening(_bound(listener.family, listener.getsockname(), shared=True))


def _resolve(interface: str, port: int) -> tuple[int, Address]:
    try:
        found = socket.getaddrinfo(
            interface or "0.0.0.0",  # noqa: S104 - asked for by an empty name
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except (socket.gaierror, UnicodeError) as error:
        raise Failure(f"{interface}: no such interface or name ({explain(error)})") from error
    family, _, _, _, address = found[0]
    return family, address


def _listening(listener: socket.socket) -> socket.socket:
    # Accepted sockets inherit it: an answer never waits for the acknowledgement of the one before.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.listen(BACKLOG)
    return listener


def _bound(family: int, address: Address, *, shared: bool = False) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        remedy = " (--port 0 takes a free one)" if error.errno == errno.EADDRINUSE else ""
        raise Failure(f"{address[0]!s}:{address[1]!s}: {explain(error)}{remedy}") from error
    return listener


def where(listener: socket.socket) -> str:
    """HOST:PORT of a listening socket, an IPv6 address in brackets."""
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def announce_on_stdout(listener: socket.socket) -> None:
    """Tell whoever started the server where it listens."""
    print(f"listening on {where(listener)}", flush=True)


def run(
    server: Server,
    options: Options,
    signals: Signals,
    announce: Callable[[socket.socket], None] = announce_on_stdout,
) -> None:
    """Listen, and serve until asked to stop; say where as soon as clients are accepted. Raises Failure or OSError when that is not possible."""
    with open_listener(options.interface, options.port, shared=server.shares_port) as listener:
        server.serve(listener, signals, options, lambda: announce(listener))


def main(server: Server, argv: Sequence[str] | None = None) -> int:
    """Run a server as a program; returns its exit status."""
    parser = server.parser()
    options = parser.parse_args(argv, namespace=Options())
    log_to_stderr(verbose=options.verbose)
    return guarded(parser.prog, lambda: run(server, options, Signals()))


def guarded(program: str, work: Callable[[], int | None]) -> int:
    """Do the work, and turn a failure into one line on standard error; returns the exit status, 0 for None."""
    try:
        return work() or 0
    except (Failure, OSError) as error:
        print(f"{program}: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the server listened for signals
        return 130


def log_to_stderr(*, verbose: bool) -> None:
    """Log on standard error."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s lancelot[%(process)d] %(levelname)s %(message)s",
    )


def explain(error: Exception) -> str:
    """Say in one printable line what went wrong."""
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if isinstance(error.filename, str) else ""
        return printable(f"{named}{error.strerror}")
    return printable(str(error) or type(error).__name__)


def printable(text: str) -> str:
    """Put `text` on one line that does nothing to a terminal."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def port_number(text: str) -> int:
    """Read a TCP port from the command line."""
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port (0 to 65535)")
    return int(text)


def count(text: str) -> int:
    """Read a number of workers from the command line."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers (1 to 1000)")
    return int(text)


def seconds(text: str) -> float:
    """Read a time from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds (above 0, at most one day)")
    return value
