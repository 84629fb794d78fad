"""Labs of a test's own: a checkout in a temporary folder, with the product's compose.yaml or one of the test's.

Knows the stack's interface and Docker. Judges nothing. Servers are small ones that start at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.stack import lifecycle
from lab.stack.engine import Engine, EngineMissing, find_engine
from lab.stack.project import Lab
from lab.stack.service import Service

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0


def engine_or_skip() -> Engine:
    """Return the engine; skip the test, with the reason, where there is none."""
    try:
        return find_engine()
    except EngineMissing as error:
        pytest.skip(str(error))


@contextmanager
def temporary_lab(folder: Path, *, compose: str | None = None) -> Iterator[Lab]:
    """Give a lab whose checkout is `folder`, and leave nothing of it on the engine."""
    engine_or_skip()
    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8") if compose is None else compose
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    lab = Lab.here(folder)
    try:
        yield lab
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        lifecycle.down(lab)
        shutil.rmtree(lab.state, ignore_errors=True)


def running(lab: Lab) -> set[str]:
    """Return the names of the lab's running services."""
    return {service.name for service in lifecycle.services(lab).values() if service.state == "running"}


def started_at(service: Service) -> str:
    """Return when the container was started: another time means that it was started again."""
    with service.engine.session() as client:
        return str(client.api.inspect_container(service.container)["State"]["StartedAt"])


HOLD = """
import sys
from pathlib import Path
from lab.stack.leases import Lease
from lab.stack.progress import Lines
from lab.stack.project import Lab
with Lease(Lab.here(Path(sys.argv[1])), sys.argv[2:], progress=Lines(sys.stderr)) as lease:
    print(*sorted(service.container for service in lease.services.values()), flush=True)
    sys.stdin.readline()
"""


def holder(lab: Lab, *servers: str) -> subprocess.Popen[str]:
    """Start a process that holds a lease until its standard input ends; it prints a line when the servers are ready.

    Its progress goes to its standard error.
    """
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lab.root), *servers],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ready(process: subprocess.Popen[str]) -> list[str]:
    """Wait until the holder says that its servers are ready; return their containers."""
    if process.stdout is None:
        pytest.fail("the holder has no output")
    return process.stdout.readline().split()


def let_go(process: subprocess.Popen[str]) -> int:
    """Let the holder give back its lease and end; return its exit code."""
    process.communicate("\n", timeout=SECONDS)
    return process.returncode


def cut_down(process: subprocess.Popen[str]) -> int:
    """Kill the holder so that it cannot clean up (SIGKILL); return its exit code."""
    process.kill()
    process.communicate(timeout=SECONDS)
    return process.returncode
