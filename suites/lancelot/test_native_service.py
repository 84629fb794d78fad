"""The door to the server in C takes a program that was built elsewhere, of just this source and for this processor."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lab.bench.crossing import for_board
from suites.lancelot.subjects import IN_C, ROOT, SOURCE

DIGEST = hashlib.sha256((ROOT / SOURCE).read_bytes()).hexdigest()[:16]

#: What a program that was built here says.
HERE = '{"ready": {"plain": '


def started(programs: Path) -> str:
    """What comes first from the door, which is told of these programs."""
    with subprocess.Popen(
        [sys.executable, "-m", IN_C],
        cwd=ROOT,
        env={**os.environ, "ERLE_PROGRAMS": str(programs)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as door:
        assert door.stdin is not None
        assert door.stdout is not None
        door.stdin.write(json.dumps({"host": "127.0.0.1", "port": 0}) + "\n")
        door.stdin.flush()
        said = door.stdout.readline()
        door.stdin.close()
    return said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"server_epoll-{DIGEST}.{platform.machine()}", "built elsewhere: --service"),
        (f"server_epoll-{DIGEST}.armv7x", HERE),
        (f"server_epoll-{'0' * 16}.{platform.machine()}", HERE),
    ],
    ids=["this", "another processor's", "another source's"],
)
def test_a_program_built_elsewhere(tmp_path: Path, name: str, said: str) -> None:
    """Taken where it fits; else it is built here."""
    program = tmp_path / name
    program.write_text('#!/bin/sh\necho "built elsewhere: $*"\n', "utf-8")
    program.chmod(0o755)
    assert started(tmp_path).startswith(said)


@pytest.mark.arm
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_the_board_s_program_is_the_board_s() -> None:
    """A 32-bit ARM program (ELF, machine 40), named after its source; a second time it is there."""
    program = for_board(ROOT, ROOT / SOURCE)
    program.unlink()
    again = for_board(ROOT, ROOT / SOURCE)
    octets = again.read_bytes()
    assert again.name == f"server_epoll-{DIGEST}.armv7l"
    assert (octets[:5], octets[18]) == (b"\x7fELF\x01", 40)
    assert for_board(ROOT, ROOT / SOURCE).stat().st_mtime_ns == again.stat().st_mtime_ns
