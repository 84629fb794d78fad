"""Spread a list of words over memcached servers in four ways; show the balance, and what moves when a server is added."""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from pydoc_data import topics

from implementations.memcached.connection import Connection, MemcachedError, Server
from implementations.memcached.program import Parser, at_least_one, run, server
from implementations.memcached.spreading import WAYS, Spread, spread

LONGEST_WORD = 200
#: Stands for the server that is added; nobody connects to it.
ADDED = Server("one-more.example", 11211)
PLOT_FORMATS = (".svg", ".png", ".pdf")


def main(options: argparse.Namespace) -> int:
    """Store the words by each way, read them back, print the table and draw the plot."""
    words = load_words(options.words)[: options.limit]
    servers: list[Server] = options.servers
    if len(set(servers)) != len(servers):
        raise MemcachedError("a server stands there twice")
    if options.plot is not None:
        check_plot(options.plot)
    names = [str(one) for one in servers]
    spreads: dict[str, Spread] = {}
    with ExitStack() as opened:
        connections = [opened.enter_context(Connection(one, options.timeout)) for one in servers]
        for way in WAYS:
            store(way, words, names, connections)
            spreads[way] = spread(way, words, names, added=str(ADDED))
    print(table(spreads, names, len(words)))
    if options.plot is not None:
        draw(spreads, names, options.plot)
        print(f"\nplot: {options.plot}")
    return 0


def load_words(path: str | None) -> list[str]:
    """The distinct words of a file, or of Python's own help. Raises MemcachedError when there are none to use."""
    try:
        text = "\n".join(topics.topics.values()) if path is None else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise MemcachedError(f"{path}: {told}") from error
    found = re.findall(r"[a-z]{3,}", text) if path is None else text.split()
    words = list(dict.fromkeys(word for word in found if word.isprintable()))
    if not words:
        raise MemcachedError(f"{path}: no words in it")
    long = next((word for word in words if len(word.encode()) > LONGEST_WORD), None)
    if long is not None:
        raise MemcachedError(f"{path}: {long[:20]}… is longer than {LONGEST_WORD} octets: no key can hold it")
    return words


def store(way: str, words: Sequence[str], names: Sequence[str], connections: Sequence[Connection]) -> None:
    """Put each word on its server, and see that it is found there. Raises MemcachedError when one is not."""
    choose = WAYS[way](names)
    for word in words:
        connections[choose(word)].set(_key(way, word), word.encode())
    for word in words:
        connection = connections[choose(word)]
        if connection.get(_key(way, word)) != word.encode():
            raise MemcachedError(f"{connection.server}: {word!r} was stored and is not there any more")


def _key(way: str, word: str) -> bytes:
    return f"{way.replace(' ', '-')}:{word}".encode()


def table(spreads: Mapping[str, Spread], names: Sequence[str], count: int) -> str:
    """What became of each way, a line for each."""
    width = max(len(name) for name in names) + 2
    head = f"{'way':13}" + "".join(f"{name:>{width}}" for name in names)
    lines = [f"{count} words", "", f"{head}  fullest    moved     lost"]
    for way, told in spreads.items():
        counts = "".join(f"{number:{width}}" for number in told.counts)
        lines.append(f"{way:13}{counts}  ×{told.imbalance:6.2f}  {told.moved:6.1%}  {told.lost:6.1%}")
    lines += [
        "",
        "fullest: the fullest server against an equal share",
        "moved:   words that another server is asked for once there is one more",
        "lost:    words that another process looks for elsewhere: hash() of a text is another in each process,",
        "         unless PYTHONHASHSEED is set",
    ]
    return "\n".join(lines)


def check_plot(path: str) -> None:
    """Raises MemcachedError when no plot can be drawn there."""
    if Path(path).suffix.lower() not in PLOT_FORMATS:
        raise MemcachedError(f"{path}: a plot ends in {', '.join(PLOT_FORMATS)}")
    if not Path(path).resolve().parent.is_dir():
        raise MemcachedError(f"{path}: there is no such folder")
    if importlib.util.find_spec("matplotlib") is None:
        raise MemcachedError("a plot needs matplotlib: pip install matplotlib")


def draw(spreads: Mapping[str, Spread], names: Sequence[str], path: str) -> None:
    """Draw balance and moved words. Raises MemcachedError when the file cannot be written."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only a plot needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of what draws

    figure, (balance, moved) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    total = sum(next(iter(spreads.values())).counts)
    below = [0.0] * len(spreads)
    for number, name in enumerate(names):
        shares = [told.counts[number] / total for told in spreads.values()]
        balance.bar(list(spreads), shares, bottom=below, label=name)
        below = [low + share for low, share in zip(below, shares, strict=True)]
    balance.set(title="share of the words on each server", ylim=(0, 1))
    balance.legend(fontsize="small")
    moved.bar(list(spreads), [told.moved for told in spreads.values()], label="one server more")
    moved.bar(list(spreads), [-told.lost for told in spreads.values()], label="another process (down)")
    moved.set(title="share of the words that move", ylim=(-1, 1))
    moved.axhline(1 / (len(names) + 1), linestyle=":", color="grey")
    moved.legend(fontsize="small")
    partial = Path(path).with_name(f".{Path(path).stem}.{os.getpid()}.partial{Path(path).suffix}")
    try:
        figure.savefig(partial)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MemcachedError(f"{path}: {error.strerror}") from error
    finally:
        plt.close(figure)


def arguments() -> Parser:
    """The program's command line."""
    parser = Parser(
        "hashing",
        "Spread words over servers by first letter, hash(), md5 and ketama; show balance and moves.",
    )
    parser.add_argument(
        "servers", type=server, nargs="+", metavar="HOST:PORT", help="the servers, four in the book"
    )
    parser.add_argument(
        "--words", metavar="FILE", help="words in UTF-8 (default: those of Python's own help)"
    )
    parser.add_argument("--limit", type=at_least_one, metavar="N", help="use the first N words")
    parser.add_argument(
        "--plot", metavar="FILE", help=f"draw a plot ({', '.join(PLOT_FORMATS)}; needs matplotlib)"
    )
    return parser


def start(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    return run(main, arguments(), argv)


if __name__ == "__main__":
    sys.exit(start())
