"""Fills the checkout's virtual environment with the locked requirements and the checkout itself.

Knows venv, pip, and the distribution's package of venv; runs on the standard library alone. Must not know what the lab
does with what is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lab.bootstrap import Environment
from lab.errors import LabError
from lab.stack import apt
from lab.stack.progress import Lines

UNFINISHED = "unfinished"
# What pip says when nobody answered, as opposed to an answer that does not please it.
UNREACHABLE = (
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Name or service not known",
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Connection refused",
    "Network is unreachable",
)


def install(environment: Environment, requirements: str, *, may_install: bool = False) -> None:
    """Bring the environment up to `requirements` ("run" or "dev"); two at once do it one after the other.

    `may_install` allows the distribution's package of venv to be installed if Python comes without it. Raises `LabError`.
    """
    try:
        with _locked(environment.root / ".venv.lock"):
            # Another start may have done it while this one waited.
            if not environment.is_ready(requirements):
                _install(environment, requirements, may_install=may_install)
    except OSError as error:
        raise LabError(f"cannot make {environment.folder}: {error.strerror or error}") from error


def _install(environment: Environment, requirements: str, *, may_install: bool) -> None:

    began = time.monotonic()
    stamped = environment.stamped()
    fresh = UNFINISHED in stamped or not stamped or not environment.python.exists()
    if fresh:
        _require_ownership(environment, stamped)
        _require_venv(may_install=may_install)
        shutil.rmtree(environment.folder, ignore_errors=True)
        environment.folder.mkdir()
    environment.stamp.write_text(f"{UNFINISHED}\n", encoding="ascii")
    try:
        if fresh:
            _tell(f"making {environment.folder} with Python {sys.version.split()[0]}")
            _make_venv(environment)
        _pip(environment, requirements)
    except BaseException:
        if fresh:
            shutil.rmtree(environment.folder, ignore_errors=True)
        raise
    # The development tools stand on the same locked versions, so what is installed for a run stays.
    done = {environment.digest("run"), environment.digest(requirements)}
    whole = environment.stamp.with_suffix(".new")
    whole.write_text("".join(f"{line}\n" for line in sorted(done)), encoding="ascii")
    whole.replace(environment.stamp)
    _tell(f"ready after {time.monotonic() - began:.0f} s")


def _require_ownership(environment: Environment, stamped: Sequence[str]) -> None:
    """Refuse to remove an environment that somebody else made under the same name."""
    folder = environment.folder
    if not stamped and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LabError(
            f"{folder} was not made by ./erle", remedy=f"move it away or delete it: rm -r {folder}"
        )


def _require_venv(*, may_install: bool) -> None:
    """See that this Python can make environments with pip in them; Debian packages that part by itself."""
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    missing = f"{sys.executable} comes without venv and ensurepip"
    if not apt.is_available():
        raise LabError(missing, remedy="install your system's package of Python's venv")
    if not may_install:
        raise LabError(missing, remedy=f"sudo apt-get install {package}   (or: ./erle --fix)")
    progress = Lines()
    if apt.candidate_version(package) is None and os.geteuid() == 0:
        apt.update(progress)
    apt.install([package], progress)
    importlib.invalidate_caches()
    if importlib.util.find_spec("ensurepip") is None:
        raise LabError(
            f"{missing}, and {package} did not bring them", remedy="start ./erle with Debian's own python3"
        )


def _make_venv(environment: Environment) -> None:

    done = subprocess.run(
        [sys.executable, "-m", "venv", str(environment.folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise LabError(f"python -m venv failed: {_last_line(done.stdout + done.stderr)}")


def _pip(environment: Environment, requirements: str) -> None:
    """Install the locked requirements, every file checked by its hash, and then the checkout itself in place."""
    locked = environment.root / "requirements" / f"{requirements}.txt"
    total = sum("==" in line for line in locked.read_text(encoding="utf-8").splitlines())
    _tell(f"installing {total} packages ({locked.name})")
    # Compiled in parallel afterwards, which is quicker than pip's way.
    _run_pip(
        environment, ["--require-hashes", "--only-binary", ":all:", "--no-compile", "-r", str(locked)], total
    )
    _compile(environment)
    _run_pip(environment, ["--no-deps", "--no-build-isolation", "--editable", str(environment.root)], 0)


def _run_pip(environment: Environment, arguments: Sequence[str], total: int) -> None:

    command = [str(environment.python), "-m", "pip", "install", "--no-input", *arguments]
    settings = {"PIP_PROGRESS_BAR": "off", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_RETRIES": "2"}
    lines: list[str] = []
    with subprocess.Popen(
        command,
        # What the user set for a slow or distant registry goes first.
        env={**settings, **os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        assert pip.stdout is not None  # noqa: S101 - a pipe was asked for
        begun = 0
        for line in pip.stdout:
            lines.append(line.rstrip())
            if line.startswith("Collecting ") and total:
                begun += 1
                _tell_in_place(f"{begun}/{total} {line.split()[1].split('==')[0]}")
            elif line.startswith("Installing collected") and total:
                _tell_in_place(f"unpacking {total} packages")
    _tell_in_place("")
    if pip.returncode != 0:
        raise _pip_failure(lines)


def _pip_failure(lines: Sequence[str]) -> LabError:
    said = "\n".join(lines)
    if any(word in said for word in UNREACHABLE):
        return LabError(
            "the package registry does not answer, and ./erle needs it once, to fill .venv",
            remedy="check the connection; a proxy goes into HTTPS_PROXY, a mirror into PIP_INDEX_URL; then start again",
        )
    if "(from versions: none)" in said:
        missing = (
            next(line for line in lines if "(from versions: none)" in line)
            .split("requirement ")[-1]
            .split()[0]
        )
        return LabError(
            f"the package registry does not answer, or has no {missing}",
            remedy="check the connection, HTTPS_PROXY and PIP_INDEX_URL; then start again",
        )
    if "No space left on device" in said:
        return LabError(
            "the disk is full: .venv needs about 300 MB", remedy="free some space and start again"
        )
    errors = [line for line in lines if line.lstrip().startswith("ERROR")] or list(lines[-3:])
    return LabError(f"pip could not install the requirements: {' '.join(errors[:3])}")


def _compile(environment: Environment) -> None:
    """Compile what pip unpacked, on all processors; a file that does not compile fails when it is imported."""
    _tell_in_place("compiling")
    paths = [str(path) for path in environment.folder.glob("lib/python*/site-packages")]
    subprocess.run(
        [str(environment.python), "-m", "compileall", "-q", "-j", "0", *paths],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    _tell_in_place("")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock for as long as the block runs; the system releases it if this process dies."""
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("another start is installing; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _tell(text: str) -> None:
    print(f"erle: {text}", file=sys.stderr, flush=True)


def _tell_in_place(text: str) -> None:
    """Show passing progress on a terminal only, always on the same line; '' clears it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text and f'erle: {text}'}", end="", file=sys.stderr, flush=True)
