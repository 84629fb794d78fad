"""The command line that the memcached programs share: arguments, one line for each failure, exit status.

Knows argparse, and how bad input is told. Must not know what a program does.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from implementations.memcached.connection import MemcachedError, Server

EXIT_STATUS = "Exit status: 0 done, 1 failed, 2 wrong arguments."
MAXIMUM_SECONDS = 86_400.0


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def __init__(self, name: str, purpose: str) -> None:
        super().__init__(
            prog=f"python -m implementations.memcached.{name}",
            description=purpose,
            epilog=EXIT_STATUS,
            allow_abbrev=False,
        )
        self.add_argument(
            "--timeout",
            type=seconds,
            default=5.0,
            metavar="SECONDS",
            help="longest wait for a server at each step (default: %(default)s)",
        )

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")


def run(
    program: Callable[[argparse.Namespace], int], parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> int:
    """Parse the arguments, run the program, and turn what it raises into one line; returns the exit status."""
    options = parser.parse_args(argv)
    try:
        return program(options)
    except BrokenPipeError:
        # whoever read our output has had enough; the interpreter must not complain at its end
        sys.stderr.close()
        return 1
    except (MemcachedError, OSError) as error:
        print(f"{parser.prog}: {printable(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130


def printable(text: str) -> str:
    """The text on one line, without what a terminal would act upon."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def server(text: str) -> Server:
    """HOST:PORT, an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return Server(host, int(port))


def at_least_one(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def moment(text: str) -> float:
    """A time in seconds, or 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAXIMUM_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return value


def seconds(text: str) -> float:
    """A time in seconds, more than none."""
    value = moment(text)
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds")
    return value
