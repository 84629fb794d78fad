"""Cache squares of numbers: ten rounds of questions that take less time as the cache fills.

Each round asks for the squares of random numbers; what the cache does not have is computed, slowly enough to be seen, and stored.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from implementations.memcached.connection import Connection, MemcachedError
from implementations.memcached.program import Parser, at_least_one, moment, run, server

PREFIX = b"square:"


@dataclass(frozen=True)
class Round:
    """What one round took: seconds, and how many answers came out of the cache."""

    seconds: float
    hits: int


def compute(number: int, pause: float) -> int:
    """Square a number; `pause` seconds stand for the work that a cache saves."""
    if pause:
        time.sleep(pause)
    return number * number


def square(cache: Connection, number: int, pause: float) -> tuple[int, bool]:
    """Return the square of a number, and whether it was in the cache.

    Raises MemcachedError when the cache holds something else under the number's key.
    """
    key = PREFIX + b"%d" % number
    cached = cache.get(key)
    if cached is None:
        answer = compute(number, pause)
        cache.set(key, b"%d" % answer)
        return answer, False
    if cached != b"%d" % (number * number):
        raise MemcachedError(
            f"the cache holds {cached[:40]!r} as the square of {number}: flush it, or use another"
        )
    return int(cached), True


def play(cache: Connection, numbers: random.Random, *, count: int, largest: int, pause: float) -> Round:
    """Ask for `count` squares of numbers from 0 to `largest`."""
    started = time.perf_counter()
    hits = sum(square(cache, numbers.randint(0, largest), pause)[1] for _ in range(count))
    return Round(time.perf_counter() - started, hits)


def main(options: argparse.Namespace) -> int:
    """Play the rounds and print a line for each."""
    numbers = random.Random(options.seed)
    with Connection(options.server, options.timeout) as cache:
        for number in range(1, options.rounds + 1):
            told = play(cache, numbers, count=options.count, largest=options.largest, pause=options.pause)
            share = told.hits / options.count
            print(f"round {number:2}: {told.seconds:7.3f} s, {share:6.1%} from the cache", flush=True)
    return 0


def arguments() -> Parser:
    """The program's command line."""
    parser = Parser("squares", "Cache squares: rounds of questions that take less time as the cache fills.")
    parser.add_argument(
        "server",
        type=server,
        nargs="?",
        default="127.0.0.1:11211",
        metavar="HOST:PORT",
        help="default: %(default)s",
    )
    parser.add_argument("--rounds", type=at_least_one, default=10, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--count",
        type=at_least_one,
        default=2000,
        metavar="N",
        help="questions a round (default: %(default)s)",
    )
    parser.add_argument(
        "--largest",
        type=at_least_one,
        default=5000,
        metavar="N",
        help="numbers from 0 to this (default: %(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=moment,
        default=0.001,
        metavar="SECONDS",
        help="the work that the cache saves, for each square (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, help="makes the numbers the same each time")
    return parser


def start(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    return run(main, arguments(), argv)


if __name__ == "__main__":
    sys.exit(start())
