"""What serving memcached costs: the servers of bench.toml beside memcached itself, and the clients of the catalogue.

    python -m suites.memcached.cost                 everything
    python -m suites.memcached.cost --only 90/10    a part, beside what is kept of the others

Server and load share one core and one network namespace, that of memcached's container, so that no proxy and no other core stands
between: this program enters the namespace (nsenter(1), as root) and keeps memcached's threads on the core in turns with the load.
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
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

from lab.bench import meters
from lab.bench.generator import Generator, Request
from lab.bench.plan import Exchange, load_plan
from lab.bench.running import RunningServer, pinned
from lab.bench.turns import leave_turns, take_turns
from lab.errors import LabError
from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.report.output import replace_file
from lab.stack import faults, lifecycle
from lab.stack.project import Lab
from suites.memcached import cost_board
from suites.memcached.cost_page import CONNECTIONS, DEPTHS, ITEMS, Costs, as_markdown, name

ROOT: Final = Path(__file__).resolve().parents[2]
PORT: Final = 11211
#: Questions of one measurement, by their depth: a few tenths of a second.
QUESTIONS: Final = {1: 6000, 32: 32_000}
VALUE: Final = b"v" * 100
#: As many keys as are asked for in turn: a server that remembers what it was asked last gains nothing.
KEYS: Final = tuple(b"erle%03d" % number for number in range(50))


def setting(key: bytes) -> Exchange:
    """A set and its answer."""
    return Exchange(b"set %b 0 0 100\r\n%b\r\n" % (key, VALUE), b"STORED\r\n")


def getting(key: bytes) -> Exchange:
    """A get and its answer."""
    return Exchange(b"get %b\r\n" % key, b"VALUE %b 0 100\r\n%b\r\nEND\r\n" % (key, VALUE))


EXCHANGES: Final[dict[str, Sequence[Exchange]]] = {
    "get": [getting(key) for key in KEYS],
    "set": [setting(key) for key in KEYS],
    "90/10": [(getting if number % 10 else setting)(key) for number, key in enumerate(KEYS)],
}
#: How often each client stores and reads a value of so many octets.
TIMES: Final = {100: 2000, 100_000: 300}
PARTS: Final = ("board", "memory", *EXCHANGES, "clients")
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
    """Have all threads of a process take turns on one core."""
    before = {
        int(task.name): os.sched_getaffinity(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()
    }
    for task in before:
        take_turns(core, task)
    try:
        yield
    finally:
        for task, cores in before.items():
            leave_turns(cores, task)


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
    mix: str, targets: Sequence[Target], core: int, rounds: int, costs: Costs, tell: Callable[[str], None]
) -> None:
    """Requests a CPU-second of each server: servers in another order in each round, so that ratios are of one moment."""
    chance = random.Random(0)
    for target in targets:
        for each in EXCHANGES["set"]:
            say(target.address, each.send, each.expect)
    with Generator(core, EXCHANGES[mix]) as generator:
        for depth, connections in product(DEPTHS, CONNECTIONS):
            tell(f"{mix}, depth {depth}, {connections} connections")
            request = Request(connections, QUESTIONS[depth] // connections * connections, depth=depth)
            for target in targets:
                costs.rates[name(mix, depth, connections, target.name)] = []
            for turn in range(rounds + 1):
                for target in chance.sample(targets, len(targets)):
                    before = meters.cpu_seconds(target.pid)
                    outcome = generator.run(target.address, request)
                    used = meters.cpu_seconds(target.pid) - before
                    # the first one warms up
                    if turn:
                        costs.rates[name(mix, depth, connections, target.name)].append(
                            outcome.answered / used
                        )


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
    clients: Sequence[Implementation],
    target: Target,
    core: int,
    rounds: int,
    costs: Costs,
    tell: Callable[[str], None],
) -> None:
    """Operations a second of each client, and what each costs it, as memcached answers: a process for each in each round.

    Raises:
        LabError: one of them could not be run.
    """
    chance = random.Random(0)
    cells = [(client, size) for client in clients for size in TIMES]
    found: dict[str, list[tuple[float, float]]] = {name(client.name, size): [] for client, size in cells}
    for turn in range(rounds):
        tell(f"clients, round {turn + 1} of {rounds}")
        for client, size in chance.sample(cells, len(cells)):
            found[name(client.name, size)].append(_client_costs(client, size, target, core))
    for cell, figures in found.items():
        costs.clients[cell] = [median(each) for each in zip(*figures, strict=True)]


def _client_costs(client: Implementation, size: int, target: Target, core: int) -> tuple[float, float]:
    """Operations a second, and CPU seconds for each, of one process."""
    module, _, made = client.entry.partition(":") if client.entry else ("", "", "")
    argv = [sys.executable, "-c", CLIENT, module, made, target.address[0], str(target.address[1])]
    ran = subprocess.run(
        pinned([*argv, str(size), str(TIMES[size])], core),
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if ran.returncode:
        raise LabError(f"{client.name} could not be measured: {ran.stderr.strip().splitlines()[-1]}")
    row = json.loads(ran.stdout)
    return row["rate"], row["cpu"]


def measure_inside(pid: int, kept: Path, parts: Sequence[str], rounds: int, core: int) -> None:
    """Measure these parts inside the namespace of memcached, and add them to what is kept."""
    costs = Costs.kept(kept)
    memcached = Target("memcached", pid, ("127.0.0.1", PORT))
    plan = load_plan(Path(__file__).parent)
    with ExitStack() as held:
        held.enter_context(on_core(pid, core))
        targets = [memcached]
        for server in plan.servers:
            running = held.enter_context(RunningServer(server.name, server.argv("127.0.0.1", 0), core, ROOT))
            targets.append(Target(server.name, running.pid, running.address))
        # first: nobody has memory to spare yet
        if "memory" in parts:
            measure_memory(targets, costs)
        for mix in EXCHANGES:
            if mix in parts:
                measure_rates(mix, targets, core, rounds, costs, tell)
        if "clients" in parts:
            rows = load_catalogue(ROOT / "implementations" / "catalogue.toml")
            clients = [
                row for row in rows if (row.protocol, row.role) == ("memcached", "client") and row.entry
            ]
            costs.clients.clear()
            measure_clients(clients, memcached, core, rounds, costs, tell)
    costs.keep(kept)


def measure(kept: Path, parts: Sequence[str], arguments: Sequence[str]) -> int:
    """Measure these parts, those beside memcached in a process inside its namespace; that one's exit code.

    Raises:
        LabError: something does not run.
    """
    if "board" in parts:
        costs = Costs.kept(kept)
        cost_board.measure(load_plan(Path(__file__).parent), ROOT, costs, tell)
        costs.keep(kept)
    if parts == ["board"]:
        return 0
    pid = fresh_memcached()
    command = [sys.executable, "-m", "suites.memcached.cost", *arguments, "--inside", str(pid)]
    return subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", *command], cwd=ROOT, check=False
    ).returncode


def tell(words: str) -> None:
    """Say what is measured now."""
    sys.stderr.write(f"{words}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m suites.memcached.cost",
        description="Measure servers beside memcached, and clients; write a page.",
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "memcached-cost.md", help="default: %(default)s"
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        help="measure this alone (may be repeated), and take the rest from what is kept",
    )
    parser.add_argument(
        "--kept",
        type=Path,
        default=ROOT / "results" / "memcached-cost.json",
        help="the figures of all parts; default: %(default)s",
    )
    parser.add_argument("--rounds", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="default: %(default)s")
    parser.add_argument("--inside", type=int, metavar="PID", help=argparse.SUPPRESS)
    given = [*(sys.argv[1:] if arguments is None else arguments)]
    options = parser.parse_args(given)
    parts = options.only or [*PARTS]
    kept = options.kept.resolve()
    try:
        if options.inside is not None:
            measure_inside(options.inside, kept, parts, options.rounds, options.core)
            return 0
        code = measure(kept, parts, given)
        if not code:
            servers = [server.name for server in load_plan(Path(__file__).parent).servers]
            replace_file(options.output, as_markdown(Costs.kept(kept), servers).encode())
        return code
    except KeyError as error:
        sys.stderr.write(f"no page yet: {error} was not measured\n")
        return 0
    except (LabError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{parser.prog}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
