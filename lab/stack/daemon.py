"""Starts the Docker engine where no init does. Knows dockerd's pid files and its log, nothing of what runs on it.

The engine outlives the command that started it: a session of its own, its log in a file. Pid files that a dead engine
left behind are removed first, because dockerd takes a re-used pid for a living engine and refuses to start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections import deque
from pathlib import Path

from lab.errors import LabError
from lab.stack.engine import SYSTEM_SOCKET, Candidate, Engine, probe
from lab.stack.progress import Progress

LOG = Path("/var/log/erle-lab-dockerd.log")
# dockerd's own, and the one of the containerd that it starts as its child: (pid file, the program's name).
PID_FILES = (
    (Path("/var/run/docker.pid"), "dockerd"),
    (Path("/var/run/docker/containerd/containerd.pid"), "containerd"),
)
START_SECONDS = 60.0
SYSTEMD = Path("/run/systemd/system")


class EngineFailed(LabError):
    """The engine was started and ended, or did not answer in time; the message ends with its last log lines."""


def pid_of(pid_file: Path, program: str) -> int | None:
    """Return the pid in the file if a process of that name has it, else None."""
    try:
        pid = int(pid_file.read_text(encoding="ascii").strip())
        return pid if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == program else None
    except (OSError, ValueError):
        return None


def remove_stale_pid_files(pid_files: tuple[tuple[Path, str], ...] = PID_FILES) -> list[Path]:
    """Remove the pid files whose process is gone or is another program; return them."""
    stale = [path for path, program in pid_files if path.exists() and pid_of(path, program) is None]
    for path in stale:
        path.unlink(missing_ok=True)
    return stale


def start(progress: Progress, *, log: Path = LOG, seconds: float = START_SECONDS) -> Engine:
    """Start the installed engine and wait until it answers. Needs root.

    Raises `EngineFailed` with the log's last lines where it ends, or does not answer within `seconds`.
    """
    if os.geteuid() != 0:
        raise EngineFailed("only root can start the container engine", remedy="sudo ./erle doctor --fix")
    progress.update("engine", "starting")
    began = time.monotonic()
    if SYSTEMD.is_dir():
        started = subprocess.run(
            ["systemctl", "start", "docker"], capture_output=True, text=True, timeout=seconds, check=False
        )
        if started.returncode != 0:
            raise EngineFailed(f"systemctl start docker failed: {started.stderr.strip()}")
        process = None
    else:
        process = _spawn(log)
    engine = _wait(process, log, began + seconds)
    progress.update("engine", "running", f"{engine.name} {engine.version}, {time.monotonic() - began:.1f} s")
    return engine


def _spawn(log: Path) -> subprocess.Popen[bytes] | None:
    """Start dockerd as a daemon, unless one is already coming up; return its process."""
    binary = shutil.which("dockerd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise EngineFailed("dockerd is not installed", remedy="erle doctor --fix")
    path, program = PID_FILES[0]
    if pid_of(path, program) is not None:
        return None
    remove_stale_pid_files()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [binary, "--host", f"unix://{SYSTEM_SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )


def _wait(process: subprocess.Popen[bytes] | None, log: Path, deadline: float) -> Engine:
    import docker.errors

    candidate = Candidate("started by the lab", f"unix://{SYSTEM_SOCKET}")
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, docker.errors.DockerException):
            return probe(candidate)
        if process is not None and process.poll() is not None:
            raise EngineFailed(f"dockerd ended with exit code {process.returncode}: {last_lines(log)}")
        time.sleep(0.1)
    raise EngineFailed(f"dockerd did not answer in time: {last_lines(log)}")


def last_lines(log: Path, count: int = 3) -> str:
    """Return the end of the engine's log on one line."""
    try:
        with log.open(encoding="utf-8", errors="replace") as stream:
            return " | ".join(line.strip() for line in deque(stream, maxlen=count)) or f"{log} is empty"
    except OSError as error:
        return f"no log ({error.strerror})"
