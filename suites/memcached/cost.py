"""What serving memcached costs: the servers of bench.toml beside memcached itself, and the clients of the catalogue.

    python -m suites.memcached.cost --output docs/memcached-cost.md

Server and load share one core and one network namespace, that of memcached's container, so that no proxy and no other core stands
between: this program enters the namespace (nsenter(1), as root) and keeps memcached's threads on the core (taskset(1)).
Knows what is measured and how it is told. Must not know a server's inside.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from lab.bench import meters
from lab.bench.generator import Generator, Request
from lab.bench.plan import Exchange, load_plan
from lab.bench.running import RunningServer, pinned
from lab.bench.statistics import summarise
from lab.errors import LabError
from lab.judge.catalogue import Implementation, load_catalogue
from lab.stack import faults, lifecycle
from lab.stack.project import Lab

ROOT: Final = Path(__file__).resolve().parents[2]
PORT: Final = 11211
DEPTHS: Final = (1, 32)
CONNECTIONS: Final = (1, 10, 100)
#: Questions of one measurement, by their depth: a few tenths of a second.
QUESTIONS: Final = {1: 6000, 32: 32_000}
VALUE: Final = b"v" * 100
ITEMS: Final = 100_000
#: Mark by mix, depth and connections: ours ÷ memcached in requests a CPU-second.
MARKS: Final = {("90/10", 1): 0.65, ("90/10", 32): 0.30}
#: As many keys as are asked for in turn: a server that remembers what it was asked last gains nothing.
KEYS: Final = tuple(b"erle%03d" % number for number in range(50))


def setting(key: bytes) -> Exchange:
    """A set and its answer."""
    return Exchange(b"set %b 0 0 100\r\n%b\r\n" % (key, VALUE), b"STORED\r\n")


def getting(key: bytes) -> Exchange:
    """A get and its answer."""
    return Exchange(b"get %b\r\n" % key, b"VALUE %b 0 100\r\n%b\r\nEND\r\n" % (key, VALUE))


MIXES: Final = {
    "get": [getting(key) for key in KEYS],
    "set": [setting(key) for key in KEYS],
    "90/10": [(getting if number % 10 else setting)(key) for number, key in enumerate(KEYS)],
}
#: Octets of a value and how often each client stores and reads it.
SIZES: Final = {100: 2000, 100_000: 300}
#: Runs a client of the catalogue in a process of its own: what a call costs is its own and its library's.
CLIENT: Final = """
import importlib, json, sys, time
module, name, host, port, size, count = sys.argv[1:]
client = getattr(importlib.import_module(module), name)()
value = b"v" * int(size)
opened = client.open(servers=[{"host": host, "port": int(port)}], ca_file=None, username=None, password=None, timeout=10.0)
assert opened["outcome"] == "done", opened
pair = [{"name": "set", "key": b"cost", "value": value, "expire": 0, "noreply": False}, {"name": "get", "key": b"cost"}]
client.run(operations=pair * 20)
began, used = time.perf_counter(), time.process_time()
told = client.run(operations=pair * int(count))
seconds, cpu = time.perf_counter() - began, time.process_time() - used
assert all(one["outcome"] == "done" for one in told["results"]), told["results"][:2]
assert told["results"][-1]["value"] == value
client.close()
print(json.dumps({"rate": 2 * int(count) / seconds, "cpu": cpu / (2 * int(count))}))
"""


@dataclass(frozen=True)
class Target:
    """A server that is measured: name, process and address."""

    name: str
    pid: int
    address: tuple[str, int]


@dataclass
class Costs:
    """All that was measured.

    Attributes:
        rates: requests a CPU-second of the server, a value for each round, by mix, depth, connections and server.
        octets: memory that an item takes, by server.
        clients: operations a second and CPU seconds for each, by client and size of the value.
    """

    rates: dict[tuple[str, int, int, str], list[float]] = field(default_factory=dict)
    octets: dict[str, float] = field(default_factory=dict)
    clients: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)


def fresh_memcached() -> int:
    """The process of memcached, as this machine numbers it, started anew: memory that it once took it never gives back.

    Raises:
        LabError: it does not run.
    """
    lab = Lab.here(ROOT)
    service = lifecycle.services(lab).get("memcached")
    if service is None or service.state != "running":
        raise LabError("memcached does not run", "./erle up memcached")
    faults.kill(lab, "memcached")
    service = faults.start(lab, "memcached")
    with service.engine.session(30) as client:
        return int(client.api.inspect_container(service.container)["State"]["Pid"])


@contextmanager
def on_core(pid: int, core: int) -> Iterator[None]:
    """Keep all threads of a process on one core."""
    before = {
        int(task.name): os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()
    }
    for task in before:
        os.sched_setaffinity(task, {core})
    try:
        yield
    finally:
        for task, cores in before.items():
            os.sched_setaffinity(task, cores)


def say(address: tuple[str, int], octets: bytes, end: bytes) -> bytes:
    """Send octets and read up to an ending."""
    received = b""
    with socket.create_connection(address, 30.0) as sock:
        sock.sendall(octets)
        while not received.endswith(end):
            data = sock.recv(1 << 16)
            if not data:
                raise LabError(f"the server at {address} closed the connection")
            received += data
    return received


def measure_rates(
    targets: Sequence[Target], core: int, rounds: int, costs: Costs, tell: Callable[[str], None]
) -> None:
    """Requests a CPU-second of each server: servers in another order in each round, so that ratios are of one moment."""
    chance = random.Random(0)
    for mix, exchanges in MIXES.items():
        with Generator(core, exchanges) as generator:
            for target in targets:
                for each in MIXES["set"]:
                    say(target.address, each.send, each.expect)
            for depth in DEPTHS:
                for connections in CONNECTIONS:
                    tell(f"{mix}, depth {depth}, {connections} connections")
                    for turn in range(rounds + 1):
                        for target in chance.sample(targets, len(targets)):
                            request = Request(
                                connections, QUESTIONS[depth] // connections * connections, depth=depth
                            )
                            before = meters.cpu_seconds(target.pid)
                            outcome = generator.run(target.address, request)
                            used = meters.cpu_seconds(target.pid) - before
                            # the first one warms up
                            if turn:
                                key = (mix, depth, connections, target.name)
                                costs.rates.setdefault(key, []).append(outcome.answered / used)


def measure_memory(targets: Sequence[Target], costs: Costs) -> None:
    """What the process grows by for each of many items of 100 octets under keys of ten."""
    for target in targets:
        before = meters.pss_kib(target.pid)
        for start in range(0, ITEMS, 5000):
            sets = [
                b"set item%06d 0 0 100 noreply\r\n" % number + VALUE + b"\r\n"
                for number in range(start, start + 5000)
            ]
            say(target.address, b"".join(sets) + b"mn\r\n", b"MN\r\n")
        costs.octets[target.name] = (meters.pss_kib(target.pid) - before) * 1024 / ITEMS
        say(target.address, b"flush_all\r\n", b"OK\r\n")


def measure_clients(
    clients: Sequence[Implementation], target: Target, core: int, costs: Costs, tell: Callable[[str], None]
) -> None:
    """Operations a second of each client, and what each costs it, as memcached answers."""
    for client in clients:
        module, _, name = client.entry.partition(":") if client.entry else ("", "", "")
        for size, count in SIZES.items():
            tell(f"client {client.name}, {size} octets")
            found: list[tuple[float, float]] = []
            for _ in range(3):
                argv = [sys.executable, "-c", CLIENT, module, name, target.address[0], str(target.address[1])]
                ran = subprocess.run(
                    pinned([*argv, str(size), str(count)], core),
                    cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
                )  # fmt: skip
                if ran.returncode:
                    raise LabError(
                        f"{client.name} could not be measured: {ran.stderr.strip().splitlines()[-1]}"
                    )
                row = json.loads(ran.stdout)
                found.append((row["rate"], row["cpu"]))
            costs.clients[client.name, size] = (
                median(rate for rate, _ in found),
                median(cpu for _, cpu in found),
            )


def as_markdown(costs: Costs, servers: Sequence[str], rounds: int) -> str:
    """The figures as a page."""
    lines = [
        "# What memcached costs",
        "",
        (
            "Made by `python -m suites.memcached.cost`: server and load on one core, in memcached's network namespace, "
            f"{rounds} rounds in random order; medians of the ratios of one round, with the 95 % interval."
        ),
        "",
        "Requests a CPU-second of the server (50 keys of 7 octets in turn, values of 100), and what share of memcached's that is:",
        "",
        "| mix | depth | connections | memcached | "
        + " | ".join(f"{name} ÷ memcached" for name in servers)
        + " |",
        "|---|---|---|---|" + "---|" * len(servers),
    ]
    for mix in MIXES:
        for depth in DEPTHS:
            for connections in CONNECTIONS:
                reference = costs.rates[mix, depth, connections, "memcached"]
                cells: list[str] = []
                for name in servers:
                    mine = costs.rates[mix, depth, connections, name]
                    told = summarise([one / other for one, other in zip(mine, reference, strict=True)])
                    cells.append(f"{told.median:.2f} ({told.low:.2f}–{told.high:.2f})")
                lines.append(
                    f"| {mix} | {depth} | {connections} | {median(reference) / 1000:.0f} k | {' | '.join(cells)} |"
                )
    lines += [
        "",
        (
            "At depth 32 a `get` costs memcached a system call of its own: 1.6 sends the answer to each at once, and only that of other "
            "commands together. The servers here send all answers to what came in one segment together."
        ),
        "",
        "Marks, for the mix of nine gets to a set:",
        "",
    ]
    for (mix, depth), mark in MARKS.items():
        shares = [
            median(one / other for one, other in zip(
                costs.rates[mix, depth, connections, servers[0]],
                costs.rates[mix, depth, connections, "memcached"],
                strict=True,
            ))
            for connections in CONNECTIONS
        ]  # fmt: skip
        word = "reached" if min(shares) >= mark else "missed"
        figures = ", ".join(
            f"{share:.2f} with {count} connections" for share, count in zip(shares, CONNECTIONS, strict=True)
        )
        lines.append(f"- depth {depth}: {servers[0]} at least {mark:.2f} of memcached: {word} ({figures})")
    lines += [
        "",
        f"Memory for each of {ITEMS:,} items (keys of ten octets, values of 100), the growth of PSS:",
        "",
        "| server | octets an item |",
        "|---|---|",
        *(f"| {name} | {octets:.0f} |" for name, octets in costs.octets.items()),
        "",
        (
            "Clients: set and get in turn on memcached, on the same core; CPU of the client's process. Operations a second "
            "suffer from whatever else the machine does meanwhile, processor time hardly."
        ),
        "",
        "| client | " + " | ".join(f"{size} octets: operations/s | µs CPU each" for size in SIZES) + " |",
        "|---|" + "---|---|" * len(SIZES),
    ]
    for name in dict.fromkeys(name for name, _ in costs.clients):
        cells = [
            f"{costs.clients[name, size][0]:.0f} | {costs.clients[name, size][1] * 1e6:.0f}" for size in SIZES
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def measure(pid: int, output: Path, rounds: int, core: int) -> None:
    """Measure everything, inside the namespace."""

    def tell(words: str) -> None:
        sys.stderr.write(f"{words}\n")

    costs = Costs()
    memcached = Target("memcached", pid, ("127.0.0.1", PORT))
    plan = load_plan(Path(__file__).parent)
    with ExitStack() as held:
        held.enter_context(on_core(pid, core))
        targets = [memcached]
        for server in plan.servers:
            running = held.enter_context(RunningServer(server.name, server.argv("127.0.0.1", 0), core, ROOT))
            targets.append(Target(server.name, running.pid, running.address))
        # first: nobody has memory to spare yet
        measure_memory(targets, costs)
        measure_rates(targets, core, rounds, costs, tell)
        rows = load_catalogue(ROOT / "implementations" / "catalogue.toml")
        clients = [row for row in rows if (row.protocol, row.role) == ("memcached", "client") and row.entry]
        measure_clients(clients, memcached, core, costs, tell)
    partial = output.with_suffix(".partial")
    partial.write_text(as_markdown(costs, [server.name for server in plan.servers], rounds), encoding="utf-8")
    partial.replace(output)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m suites.memcached.cost",
        description="Measure servers beside memcached, and clients; write a page.",
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "memcached-cost.md", help="default: %(default)s"
    )
    parser.add_argument("--rounds", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="default: %(default)s")
    parser.add_argument("--inside", type=int, metavar="PID", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        if options.inside is not None:
            measure(options.inside, options.output, options.rounds, options.core)
            return 0
        pid = fresh_memcached()
        words = [
            "--output",
            str(options.output.resolve()),
            "--rounds",
            str(options.rounds),
            "--core",
            str(options.core),
        ]
        command = [sys.executable, "-m", "suites.memcached.cost", *words, "--inside", str(pid)]
        return subprocess.run(
            ["nsenter", f"--net=/proc/{pid}/ns/net", *command], cwd=ROOT, check=False
        ).returncode
    except (LabError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
