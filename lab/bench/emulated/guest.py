"""The first process of the guest: mounts what Python needs, measures, prints, and powers off.

Knows Linux without an init system, and processor time of processes. Must not know a protocol.

The kernel runs it from `/init` (`lab/bench/emulated/booting.py` writes that file); the task is in `/task.json`, what is found is
printed on the console, each line with MARK before it, because the kernel prints there too.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.bench.control_group import ControlGroup
from lab.bench.emulated.serving import Loading, Serving, Trouble, load_of

MARK = "@erle "
PYTHON = "/usr/bin/python3.11"
SECONDS_A_LOAD = 120
SECONDS_TO_START = 120.0
SECONDS_TO_REST = 20.0
PAUSE_SECONDS = 0.01
#: Readings that must be the same, one after the other, before a server is believed to rest.
SAME = 2
CGROUPS = Path("/sys/fs/cgroup")
SETTINGS = {"PYTHONHASHSEED": "0", "PYTHONPATH": "/srv/erle", "PYTHONDONTWRITEBYTECODE": "1"}
MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("tmpfs", "/tmp", "tmpfs"),  # noqa: S108  the guest's own
    ("tmpfs", "/run", "tmpfs"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2"),
    ("debugfs", "/sys/kernel/debug", "debugfs"),
)
# linux/sockios.h, linux/if.h, linux/reboot.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
LINUX_REBOOT_CMD_POWER_OFF = 0x4321FEDC
MOST_FILES = 20_000
#: The kernel's longest turns, in nanoseconds.
SCHEDULER = {"latency_ns": 1_000_000_000, "min_granularity_ns": 1_000_000_000}


def prepare() -> None:
    """Mount the kernel's file systems, and take the loopback interface up."""
    libc = ctypes.CDLL(None, use_errno=True)
    for source, folder, kind in MOUNTS:
        if libc.mount(source.encode(), folder.encode(), kind.encode(), 0, None):
            raise OSError(ctypes.get_errno(), f"{folder} cannot be mounted")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack_from("H", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    Path("/proc/sys/net/core/somaxconn").write_text("4096", encoding="ascii")


def take_turns() -> None:
    """Let the server and the load, started after this, run until they wait: each answers or asks all that has come.

    As on the board and natively (lab/bench/turns.py); here turns are longer still, for all
    processes, and each gets the same addresses. Not first in, first out: the kernel's own threads would not get their turn.
    """
    for name, value in SCHEDULER.items():
        (Path("/sys/kernel/debug/sched") / name).write_text(str(value), encoding="ascii")
    Path("/proc/sys/kernel/randomize_va_space").write_text("0", encoding="ascii")
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def power_off() -> None:
    """End the guest, and with it QEMU."""
    libc = ctypes.CDLL(None)
    libc.sync()
    libc.reboot(ctypes.c_uint(LINUX_REBOOT_CMD_POWER_OFF))


def say(value: Mapping[str, object]) -> None:
    """Print one line for the world outside."""
    print(f"{MARK}{json.dumps(value)}", flush=True)


class Group:
    """A control group for a server."""

    def __init__(self, name: str) -> None:
        self._group = ControlGroup(CGROUPS / name)

    def start(self, argv: Sequence[str]) -> Serving:
        """Start a server in it: this process goes in, and comes out again."""
        # This is the guest's /tmp.
        self._group.entrance.write_text("0", encoding="ascii")
        try:
            return Serving(argv, SETTINGS, Path("/tmp/log"), SECONDS_TO_START)  # noqa: S108
        finally:
            (CGROUPS / "cgroup.procs").write_text("0", encoding="ascii")

    def at_rest(self) -> float:
        """Seconds of processor time used once it uses no more. Raises `Trouble`."""
        end = time.monotonic() + SECONDS_TO_REST
        last, same = self._group.cpu_seconds(), 0
        while same < SAME:
            if time.monotonic() > end:
                raise Trouble(f"the server has not come to rest within {SECONDS_TO_REST:g} s")
            time.sleep(PAUSE_SECONDS)
            now = self._group.cpu_seconds()
            same = same + 1 if now == last else 0
            last = now
        return last


def measured(task: Mapping[str, Any]) -> Iterator[dict[str, object]]:  # Any: JSON
    """Every figure, as it is found; the trouble of a server that does not start, or of a cell in which it fails."""
    given_up: set[tuple[str, int]] = set()
    with Loading(task["exchanges"]) as loading:
        for repeat in range(task["repeats"]):
            for server in task["servers"]:
                name = server["name"]
                argv = [
                    word.replace("{python}", PYTHON).replace("{binary}", f"/programs/{name}")
                    for word in server["argv"]
                ]
                cells = [each for each in server["cells"] if (name, each) not in given_up]
                try:
                    while cells:
                        for found in _process(task["cells"], server, argv, cells, loading):
                            if "trouble" in found:
                                given_up.add((name, found["cell"]))
                            yield {"server": name, "repeat": repeat, **found}
                except (Trouble, OSError) as error:
                    yield {"server": name, "trouble": str(error)}


def _process(
    cells: Sequence[Mapping[str, int]],
    server: Mapping[str, Any],
    argv: Sequence[str],
    left: list[int],
    loading: Loading,
) -> Iterator[dict[str, Any]]:
    """One process, for the cells that are left until one is in trouble; what was tried is taken from them."""
    group = Group(server["name"])
    with group.start(argv) as serving:
        while left:
            number = left.pop(0)
            request = load_of(cells[number], server["concurrency"])

            def used(request: Mapping[str, float] = request) -> float:
                taken: list[float] = []

                def take() -> None:
                    taken.append(group.at_rest())

                loading.run(serving.address, {**request, "deadline": SECONDS_A_LOAD}, take, take)
                return taken[1] - taken[0]

            try:
                used()  # warms up
                figure = round(used() * 1e6) / request["questions"]
            except Trouble as error:
                yield {"cell": number, "trouble": str(error)}
                return
            yield {"cell": number, "system-cpu": figure}


def main() -> None:
    """Do the task, and power off, whatever happens."""
    try:
        prepare()
        take_turns()
        say({"kernel": os.uname().release})
        for found in measured(json.loads(Path("/task.json").read_text(encoding="utf-8"))):
            say(found)
        say({"done": True})
    except Exception as error:  # noqa: BLE001  the guest has no one else who could tell
        say({"error": f"{type(error).__name__}: {error}"})
    finally:
        power_off()


if __name__ == "__main__":
    main()
