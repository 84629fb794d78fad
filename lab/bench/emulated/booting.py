"""Boots the guest, gives it its task, and passes on what it finds. A program that runs in the container `bench`.

Knows QEMU's full system emulation and Linux's initial file systems (initramfs). Must not know what is measured.

    python3 -m lab.bench.emulated.booting TASK

TASK is that of `counting`; `seconds` is how long the guest may say nothing. Time in the guest is counted in instructions (`-icount`):
it does not depend on the machine, nor on what else it does.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from lab.bench.emulated import guest
from lab.bench.emulated.counting import BOARD, CHECKOUT, cross, lacking
from lab.bench.emulated.serving import Trouble

KERNEL = Path("/boot/board/vmlinuz")
CPU = "cortex-a15"
MEMORY_MIB = 1024
ICOUNT = "shift=1,align=off,sleep=off"
CONSOLE_LINES = 12
INIT = f"#!{guest.PYTHON} -I\nimport sys\nsys.path.insert(0, '{CHECKOUT}')\nfrom lab.bench.emulated import guest\nguest.main()\n"


class Silent(Trouble):
    """The guest said nothing for too long, or ended early; the message ends with its last lines."""


def command(initrd: Path, kernel: Path = KERNEL) -> list[str]:
    """The command that boots a guest with this initial file system."""
    return [
        *("qemu-system-arm", "-M", "virt", "-cpu", CPU, "-m", str(MEMORY_MIB), "-smp", "1"),
        *("-icount", ICOUNT, "-rtc", "base=2026-01-01,clock=vm"),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        # A kernel that panics ends the guest at once: its last lines say why.
        *("-append", "console=ttyAMA0 quiet panic=-1 random.trust_bootloader=on"),
        *("-nodefaults", "-no-user-config", "-nographic", "-serial", "stdio", "-no-reboot"),
    ]


def console(argv: list[str], seconds: float) -> Iterator[str]:
    """Run a guest and yield the lines of its console. Raises `Silent` when none comes for so long.

    The guest is ended when the iteration is.
    """
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        last: deque[str] = deque(maxlen=CONSOLE_LINES)
        try:
            for line in _lines(process.stdout, seconds, last):
                last.append(line)
                yield line
        finally:
            process.kill()


def _lines(pipe: IO[bytes] | None, seconds: float, last: deque[str]) -> Iterator[str]:
    if pipe is None:
        raise RuntimeError("the guest was started without a console")
    said = b""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            shown = said.decode("utf-8", "replace")
            raise Silent(
                f"the guest said nothing for {seconds:g} s; its last lines: {' | '.join([*last, shown])}"
            )
        piece = os.read(pipe.fileno(), 65536)
        if not piece:
            return
        *lines, said = (said + piece).split(b"\n")
        for line in lines:
            end = time.monotonic() + seconds
            yield line.decode("utf-8", "replace").rstrip("\r")


def initrd(task: Mapping[str, Any], folder: Path) -> Path:  # Any: JSON
    """Write the guest's initial file system: the board's, and a second archive with what is measured."""
    added = folder / "added"
    for source, name in (
        (CHECKOUT / "implementations", "implementations"),
        (CHECKOUT / "lab/bench", "lab/bench"),
    ):
        for path in source.rglob("*.py"):
            target = added / CHECKOUT.relative_to("/") / name / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (added / "programs").mkdir()
    for server in task["servers"]:
        if server["source"]:
            program = added / "programs" / server["name"]
            program.write_bytes(cross(CHECKOUT / server["source"], Path("/work")).read_bytes())
            program.chmod(0o755)
    (added / "task.json").write_text(json.dumps(task), encoding="utf-8")
    (added / "init").write_text(INIT, encoding="utf-8")
    (added / "init").chmod(0o755)
    archive = folder / "initrd"
    with archive.open("wb") as file:
        for root in (BOARD, added):
            _archive(root, file)
    return archive


def _archive(root: Path, file: IO[bytes]) -> None:
    names = "\0".join(str(path.relative_to(root)) for path in [root, *sorted(root.rglob("*"))])
    done = subprocess.run(
        ["cpio", "--create", "--format=newc", "--null", "--quiet", "--reproducible", "--owner=0:0"],
        input=names.encode(),
        capture_output=True,
        cwd=root,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"cpio: {done.stderr.decode('utf-8', 'replace').strip()[:500]}")
    file.write(done.stdout)


def found(task: Mapping[str, Any]) -> Iterator[dict[str, object]]:  # Any: JSON
    """Every line that the guest has for the world outside. Raises `Trouble`."""
    lacks = lacking(task["servers"])
    for name, module in lacks.items():
        yield {"server": name, "lacks": module}
    servers = [server for server in task["servers"] if server["name"] not in lacks]
    last: deque[str] = deque(maxlen=CONSOLE_LINES)
    with tempfile.TemporaryDirectory(dir="/work") as name:
        archive = initrd({**task, "servers": servers}, Path(name))
        for line in console(command(archive), task["seconds"]):
            last.append(line)
            _, mark, text = line.partition(guest.MARK)
            if not mark:
                continue
            value: dict[str, object] = json.loads(text)
            if "error" in value:
                raise Trouble(f"the guest: {value['error']}")
            if "done" in value:
                return
            yield value
    raise Silent(f"the guest ended early; its last lines: {' | '.join(last)}")


def main() -> int:
    """Do the task; one JSON line for each thing that is found."""
    # Ended from outside, the guest is ended as well.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    print(json.dumps({"pid": os.getpid()}), flush=True)
    try:
        for line in found(json.loads(sys.argv[1])):
            print(json.dumps(line), flush=True)
    except Trouble as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
