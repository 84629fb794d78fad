"""Lets the kernel run armv7 programs through qemu. Knows binfmt_misc, nothing of Docker or the board's image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.errors import LabError

FOLDER = Path("/proc/sys/fs/binfmt_misc")
ENTRY = "qemu-arm"
INTERPRETER = Path("/usr/bin/qemu-arm-static")
# arch-test is what mmdebstrap asks whether it may bootstrap another architecture.
PACKAGES = ("qemu-user-static", "binfmt-support", "arch-test")
PACKAGED_LINE = Path("/usr/lib/binfmt.d/qemu-arm.conf")
# The head of a 32-bit little-endian ARM executable (ELF header, e_ident to e_machine), and the bits that count in it.
_MAGIC = r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


class BinfmtFailed(LabError):
    """The kernel refused the entry, or it cannot be made here."""


def flags(folder: Path = FOLDER) -> str | None:
    """Return the flags of an enabled armv7 entry, or None. Flag F: containers need no qemu of their own."""
    try:
        lines = (folder / ENTRY).read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    if "enabled" not in lines:
        return None
    return next((line.removeprefix("flags:").strip() for line in lines if line.startswith("flags:")), "")


def register() -> None:
    """Mount binfmt_misc and enter armv7 with flag F. Needs root and the packages; raises `BinfmtFailed`."""
    if os.geteuid() != 0:
        raise BinfmtFailed("only root can register armv7 with the kernel", remedy="sudo ./erle doctor --fix")
    if not (FOLDER / "register").exists():
        mounted = subprocess.run(
            ["mount", "-t", "binfmt_misc", "binfmt_misc", str(FOLDER)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if mounted.returncode != 0:
            raise BinfmtFailed(f"binfmt_misc cannot be mounted: {mounted.stderr.strip()}")
    if "F" in (flags() or ""):
        return
    try:
        if (FOLDER / ENTRY).exists():
            (FOLDER / ENTRY).write_text("-1")  # an entry without F: take it out
        (FOLDER / "register").write_text(_line())
    except OSError as error:
        raise BinfmtFailed(f"the kernel refused the armv7 entry: {error.strerror}") from error


def _line() -> str:
    """Return the distribution's own entry, or one made here where the package carries none."""
    try:
        packaged = PACKAGED_LINE.read_text(encoding="ascii").strip()
    except OSError:
        packaged = ""
    if packaged.rpartition(":")[2].find("F") >= 0:
        return packaged
    if not INTERPRETER.exists():
        raise BinfmtFailed(f"{INTERPRETER} is missing", remedy=f"sudo apt-get install {' '.join(PACKAGES)}")
    return f":{ENTRY}:M::{_MAGIC}:{_MASK}:{INTERPRETER}:OCF"
