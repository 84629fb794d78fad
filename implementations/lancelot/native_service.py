"""The judge's door to the server in C: `python -m implementations.lancelot.native_service`.

Reads the line of configuration as `service` does, builds `native/server_epoll.c` once for its contents, and becomes that
program. Where `ERLE_PROGRAMS` names a folder with the program built for this processor, that is the one: the board has no
compiler. Knows the compiler, and where what was built is kept. Must not know what the program does.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from implementations.lancelot.command_line import Failure, Parser, guarded
from implementations.lancelot.service import read_configuration

SOURCE = Path(__file__).with_name("native") / "server_epoll.c"
FLAGS = ("-O2", "-Wall", "-Wextra")
#: Seconds that the compiler may take.
PATIENCE = 60


def built(source: Path) -> Path:
    """Build a program unless it was built before; return it. Raises Failure and OSError."""
    if (given := _given(source)) is not None:
        return given
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Failure(f"{source.name} needs a C compiler, and there is none (apt-get install gcc libc6-dev)")
    state = " ".join([compiler, *FLAGS]).encode() + source.read_bytes()
    program = _shelf() / f"{source.stem}-{hashlib.sha256(state).hexdigest()[:16]}"
    if program.exists():
        return program
    # several servers may be started at once: each builds its own, and the last one's stays
    partial = program.with_name(f".{program.name}.{os.getpid()}")
    command = [compiler, *FLAGS, "-o", str(partial), str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        partial.unlink(missing_ok=True)
        raise Failure(f"{source.name} could not be built within {PATIENCE} s") from error
    if done.returncode:
        partial.unlink(missing_ok=True)
        raise Failure(f"{source.name} could not be built: {done.stderr.strip()[:2000]}")
    partial.replace(program)
    return program


def _given(source: Path) -> Path | None:
    """The program that was built elsewhere, of just this source, for this processor; None where there is none."""
    folder = os.environ.get("ERLE_PROGRAMS")
    if not folder:
        return None
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    program = Path(folder, f"{source.stem}-{digest}.{platform.machine()}")
    return program if program.exists() else None


def _shelf() -> Path:
    """Where programs are kept that were built: the user's own cache, which nobody else writes to."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    shelf = Path(cache, "erle-lab", "lancelot")
    shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shelf


def main(argv: Sequence[str] | None = None) -> int:
    """Become the server; returns the exit status when that is not possible."""
    parser = Parser(
        prog="python -m implementations.lancelot.native_service",
        description="Start the server in C by a line of JSON on standard input; serve until that ends.",
        epilog='Try it:  (echo \'{"host": "127.0.0.1"}\'; sleep 60) | python -m implementations.lancelot.native_service',
        allow_abbrev=False,
    )
    parser.parse_args(argv)

    def work() -> None:
        words = read_configuration()
        program = built(SOURCE)
        os.execv(program, [str(program), "--service", *words])  # noqa: S606 - no shell, an argv list

    return guarded(parser.prog, work)


if __name__ == "__main__":
    sys.exit(main())
