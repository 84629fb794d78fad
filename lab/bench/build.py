"""Building a C source of the checkout for this machine.

Knows the compiler. Must not know what the program does.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from lab.errors import LabError

FLAGS: Final = ("-O2", "-Wall", "-Wextra")


def build(source: Path, folder: Path) -> Path:
    """Build the source, once for its contents, into `folder`; returns the program.

    Raises:
        LabError: there is no compiler, or it refuses the source.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LabError(
            f"{source.name} needs a C compiler, and there is none", "apt-get install gcc libc6-dev"
        )
    digest = hashlib.sha256(" ".join(FLAGS).encode() + source.read_bytes()).hexdigest()[:16]
    program = folder / f"{source.stem}-{digest}"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    partial = program.with_name(f".{program.name}.{os.getpid()}")
    done = subprocess.run(
        [compiler, *FLAGS, "-o", str(partial), str(source)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        partial.unlink(missing_ok=True)
        raise LabError(
            f"{source} could not be built: {done.stderr.strip()[:2000]}", "apt-get install gcc libc6-dev"
        )
    partial.replace(program)
    return program


def compiler_version() -> str:
    """The first line of `cc --version`, or ``none``."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return "none"
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.partition("\n")[0]
