"""Counts what servers execute per request on the emulated board. A program that runs in the container `bench`.

Knows QEMU's user mode and its plugin. Must not know a protocol.

    python3 -m lab.bench.emulated.counting TASK

TASK is JSON: `exchanges` as `lab.bench.load` wants them; `servers`, each with `name`, `argv`, `source` (a C file, or null),
`needs` (a Python module, or null) and `concurrency` (how many connections it serves at a time, or null); `cells`, each with
`connections`, `idle`, `depth` and `questions`; `repeats`, how many processes of each server are measured.

Counted is what the server executes while connections that were open before ask in step: what it costs to accept and to close
them, and the first questions, are in no figure.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from lab.bench.emulated.counters import Counters, Counts, NotCounting
from lab.bench.emulated.serving import Loading, Serving, Trouble, load_of
from lab.bench.turns import take_turns

BOARD = Path("/board")
PYTHON = BOARD / "usr/bin/python3.11"
CHECKOUT = Path("/srv/erle")
PLUGIN = CHECKOUT / "lab/bench/native/count.c"
CPU = "cortex-a8"
#: Of so many loads of one process, after a first that warms it up, the least counts: something else on the machine may have come
#: between.
LOADS = 3
SECONDS_A_LOAD = 90
#: chrt(1): the server runs when the load waits, and at no other time, whoever else has taken the core meanwhile.
BEHIND = ("chrt", "--idle", "0")


def build(source: Path, compiler: Sequence[str], folder: Path) -> Path:
    """Build a C source, once for its contents, and return the result. Raises `Trouble` with the compiler's words."""
    digest = hashlib.sha256(" ".join(compiler).encode() + source.read_bytes()).hexdigest()[:16]
    result = folder / f"{source.stem}-{digest}"
    if not result.exists():
        partial = result.with_name(f".{result.name}.{os.getpid()}")
        done = subprocess.run(
            [*compiler, "-o", str(partial), str(source)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise Trouble(f"{source.name} could not be built: {done.stderr.strip()[:1000]}")
        partial.replace(result)
    return result


def lacking(servers: Sequence[Mapping[str, Any]]) -> dict[str, str]:  # Any: JSON
    """Which servers need a module that the board does not have, each with that module."""
    folders = [BOARD / "usr/lib/python3/dist-packages", BOARD / "usr/lib/python3.11"]
    needs = {server["name"]: server["needs"] for server in servers if server["needs"]}
    return {
        name: module
        for name, module in needs.items()
        if not any((folder / module).exists() for folder in folders)
    }


def plugin(folder: Path) -> Path:
    """Build the plugin."""
    return build(PLUGIN, ["gcc", "-O2", "-shared", "-fPIC", "-ftls-model=initial-exec"], folder)


def cross(source: Path, folder: Path) -> Path:
    """Build a program for the board."""
    return build(source, ["arm-linux-gnueabihf-gcc", "-O2", "-mcpu=cortex-a8"], folder)


def emulated(argv: Sequence[str], plugin: Path, counters: Path) -> list[str]:
    """The command that runs `argv` on the emulated board and counts into `counters`."""
    settings = {"PYTHONHASHSEED": "0", "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    environment = [word for name, value in settings.items() for word in ("-E", f"{name}={value}")]
    return [
        *BEHIND,
        "qemu-arm",
        "-cpu",
        CPU,
        "-L",
        str(BOARD),
        *environment,
        "-plugin",
        f"{plugin},counters={counters}",
        *argv,
    ]


class Counting:
    """The measurement of one task; `folder` is for what it builds and writes."""

    def __init__(self, task: Mapping[str, Any], folder: Path) -> None:  # Any: JSON
        self._task = task
        self._folder = folder
        self._plugin = plugin(folder)
        #: Cells of servers that are not asked for again.
        self._given_up: set[tuple[str, int]] = set()

    def all(self) -> Iterator[dict[str, object]]:
        """Every figure, as it is found; the trouble of a server that does not start, or of a cell in which it fails."""
        lacks = lacking(self._task["servers"])
        for name, module in lacks.items():
            yield {"server": name, "lacks": module}
        servers = [server for server in self._task["servers"] if server["name"] not in lacks]
        with Loading(self._task["exchanges"]) as loading:
            for repeat in range(self._task["repeats"]):
                for server in servers:
                    cells = [each for each in server["cells"] if (server["name"], each) not in self._given_up]
                    try:
                        while cells:
                            yield from self._server(server, repeat, cells, loading)
                    except (Trouble, NotCounting, OSError) as error:
                        yield {"server": server["name"], "trouble": str(error)}

    def _server(
        self, server: Mapping[str, Any], repeat: int, cells: list[int], loading: Loading
    ) -> Iterator[dict[str, object]]:
        """One process, for these cells until one is in trouble; what was tried is taken from them."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            counted = Path(name) / "counters"
            argv = emulated(self._argv(server), self._plugin, counted)
            with Serving(argv, {}, Path(name) / "log") as serving, Counters(counted) as counters:
                while cells:
                    number = cells.pop(0)
                    about = {"server": server["name"], "cell": number}
                    cell = self._task["cells"][number]
                    try:
                        found = per_request(serving, counters, loading, cell, server["concurrency"])
                    except (Trouble, NotCounting) as error:
                        self._given_up.add((server["name"], number))
                        yield {**about, "trouble": str(error)}
                        return
                    yield {**about, "repeat": repeat, "instructions": found[0], "system-calls": found[1]}

    def _argv(self, server: Mapping[str, Any]) -> list[str]:
        binary = ""
        if server["source"]:
            binary = str(cross(CHECKOUT / server["source"], self._folder))
        words: Sequence[str] = server["argv"]
        return [word.replace("{python}", str(PYTHON)).replace("{binary}", binary) for word in words]


def per_request(
    serving: Serving,
    counters: Counters,
    loading: Loading,
    cell: Mapping[str, int],
    concurrency: int | None,
) -> tuple[float, float]:
    """Instructions and system calls per request of one cell."""
    request = load_of(cell, concurrency)

    def counts() -> Counts:
        taken: list[Counts] = []

        def take() -> None:
            taken.append(counters.at_rest(serving.pid))

        loading.run(serving.address, {**request, "deadline": SECONDS_A_LOAD}, take, take)
        return taken[1] - taken[0]

    counts()
    found = [counts() for _ in range(LOADS)]
    return tuple(min(values) / cell["questions"] for values in zip(*map(astuple, found), strict=True))


def main() -> int:
    """Do the task; one JSON line for each thing that is found."""
    # Ended from outside, servers are ended as well.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    print(json.dumps({"pid": os.getpid()}), flush=True)
    # an emulated server answers a wake-up's questions in one turn
    take_turns(max(os.sched_getaffinity(0)))
    try:
        for line in Counting(json.loads(sys.argv[1]), Path("/work")).all():
            print(json.dumps(line), flush=True)
    except Trouble as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
