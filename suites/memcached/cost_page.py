"""The page docs/memcached-cost.md, and the figures it is made of.

Knows how figures are told, and how they are kept between measurements. Must not know how anything is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

from lab.bench.statistics import summarise
from lab.judge.report.output import replace_file

#: Mark by mix, depth and connections: ours ÷ memcached in requests a CPU-second.
MARKS: Final = {("90/10", 1): 0.65, ("90/10", 32): 0.30}


@dataclass
class Costs:
    """All that was measured, each by what JSON can have as a key: words with commas between.

    Attributes:
        rates: requests a CPU-second of the server, a value for each round, by mix, depth, connections and server.
        octets: memory that an item takes, by server.
        clients: operations a second and CPU seconds for each, by client and size of the value.
        board: what a command costs, by mix, depth, server and quantity (instructions, system-calls).
        versions: what the board's figures depend on, by package.
    """

    rates: dict[str, list[float]] = field(default_factory=dict)
    octets: dict[str, float] = field(default_factory=dict)
    clients: dict[str, list[float]] = field(default_factory=dict)
    board: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def kept(cls, path: Path) -> Costs:
        """What earlier measurements found; nothing where there were none."""
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls()

    def keep(self, path: Path) -> None:
        """Write all down."""
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(vars(self), indent=1).encode())


def name(*words: object) -> str:
    """A key of `Costs`."""
    return ",".join(map(str, words))


#: Items whose memory is measured, and octets of the values that clients store.
ITEMS: Final = 100_000
SIZES: Final = (100, 100_000)
#: What was asked for, in the order of the page.
MIXES: Final = ("get", "set", "90/10")
DEPTHS: Final = (1, 32)
CONNECTIONS: Final = (1, 10, 100)


def as_markdown(costs: Costs, servers: Sequence[str]) -> str:
    """The figures as a page.

    Args:
        servers: those beside memcached; the marks are the first one's.

    Raises:
        KeyError: something was not measured.
    """
    return "\n".join(
        [
            "# What memcached costs",
            "",
            *_rates(costs, servers),
            "",
            *_board(costs, servers),
            "",
            *_memory(costs),
            "",
            *_clients(costs),
            "",
        ]
    )


def _ratios(costs: Costs, server: str, *cell: object) -> list[float]:
    mine, reference = costs.rates[name(*cell, server)], costs.rates[name(*cell, "memcached")]
    return [one / other for one, other in zip(mine, reference, strict=True)]


def _rates(costs: Costs, servers: Sequence[str]) -> Iterator[str]:
    rounds = len(costs.rates[name(MIXES[0], DEPTHS[0], CONNECTIONS[0], "memcached")])
    yield (
        "Made by `python -m suites.memcached.cost`: server and load on one core, in memcached's network namespace, "
        f"{rounds} rounds in random order; medians of the ratios of one round, with the 95 % interval."
    )
    yield ""
    yield "Requests a CPU-second of the server (50 keys of 7 octets in turn, values of 100), and what share of memcached's that is:"
    yield ""
    yield f"| mix | depth | connections | memcached | {' | '.join(f'{server} ÷ memcached' for server in servers)} |"
    yield "|---|---|---|---|" + "---|" * len(servers)
    for cell in product(MIXES, DEPTHS, CONNECTIONS):
        told = [summarise(_ratios(costs, server, *cell)) for server in servers]
        shares = " | ".join(f"{each.median:.2f} ({each.low:.2f}–{each.high:.2f})" for each in told)
        mix, depth, connections = cell
        thousands = median(costs.rates[name(*cell, "memcached")]) / 1000
        yield f"| {mix} | {depth} | {connections} | {thousands:.0f} k | {shares} |"
    yield ""
    yield (
        "At depth 32 a `get` costs memcached a system call of its own: 1.6 sends the answer to each at once, and only that of other "
        "commands together. The servers here send all answers to what came in one segment together."
    )
    yield ""
    yield "Marks, for the mix of nine gets to a set:"
    yield ""
    for ((mix, depth), mark), server in product(MARKS.items(), servers):
        shares_of = {count: median(_ratios(costs, server, mix, depth, count)) for count in CONNECTIONS}
        word = "reached" if min(shares_of.values()) >= mark else "missed"
        figures = ", ".join(f"{share:.2f} with {count} connections" for count, share in shares_of.items())
        yield f"- depth {depth}: {server} at least {mark:.2f} of memcached: {word} ({figures})"


def _board(costs: Costs, servers: Sequence[str]) -> Iterator[str]:
    versions = ", ".join(f"{package} {version}" for package, version in costs.versions.items())
    yield (
        "On the emulated board (docs/emulated-measurement.md), ten connections, one key with a value of 32: instructions in user mode a command, "
        "and system calls. They do not depend on what else the machine does."
    )
    yield ""
    yield (
        "| mix | depth | " + " | ".join(f"{server}: instructions | system calls" for server in servers) + " |"
    )
    yield "|---|---|" + "---|---|" * len(servers)
    for cell in product(MIXES, DEPTHS):
        figures = [
            f"{costs.board[name(*cell, server, 'instructions')]:.0f} | {costs.board[name(*cell, server, 'system-calls')]:.2f}"
            for server in servers
        ]
        yield f"| {cell[0]} | {cell[1]} | {' | '.join(figures)} |"
    yield ""
    yield f"Counted with {versions}."


def _memory(costs: Costs) -> Iterator[str]:
    yield f"Memory for each of {ITEMS:,} items (keys of ten octets, values of 100), the growth of PSS:"
    yield ""
    yield "| server | octets an item |"
    yield "|---|---|"
    for server, octets in costs.octets.items():
        yield f"| {server} | {octets:.0f} |"


def _clients(costs: Costs) -> Iterator[str]:
    yield (
        "Clients: set and get in turn on memcached, on the same core; CPU of the client's process, with its adapter; medians of the "
        "rounds. Operations a second "
        "suffer from whatever else the machine does meanwhile, processor time hardly."
    )
    yield ""
    yield "| client | " + " | ".join(f"{size} octets: operations/s | µs CPU each" for size in SIZES) + " |"
    yield "|---|" + "---|---|" * len(SIZES)
    for client in dict.fromkeys(key.partition(",")[0] for key in costs.clients):
        found = [costs.clients[name(client, size)] for size in SIZES]
        yield f"| {client} | {' | '.join(f'{rate:.0f} | {cpu * 1e6:.0f}' for rate, cpu in found)} |"
