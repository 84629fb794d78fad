"""Putting a report in its place: whole or not at all, and never over something that is not a report of ours.

It knows files and folders; it must not know what a report says.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lab.errors import LabError

MARK: Final = ".erle-report.json"


class OutputError(LabError):
    """The report could not be put where it was asked for."""


def _is_ours(folder: Path) -> bool:
    try:
        mark = json.loads((folder / MARK).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(mark, dict) and "erle-report" in mark


def replace_folder(target: Path, kind: str, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder beside `target`, then put it in the place of `target`.

    An error leaves `target` as it was. Raises OutputError when `target` is a file, or a folder that neither is empty nor
    carries our mark, or when the file system refuses.
    """
    target = target.absolute()
    taken = os.path.lexists(target)
    if taken and (target.is_symlink() or not target.is_dir()):
        raise OutputError(f"{target}: is there and is no folder; choose another --output")
    if taken and not _is_ours(target) and any(target.iterdir()):
        raise OutputError(f"{target}: is there and is no report of erle's; choose another --output")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
    except OSError as error:
        raise OutputError(f"{error.filename or target}: {error.strerror}") from error
    try:
        fill(fresh)
        (fresh / MARK).write_text(json.dumps({"erle-report": kind}) + "\n", "utf-8")
        fresh.chmod(0o755)
        if taken:
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
            target.rename(old / target.name)
            try:
                fresh.rename(target)
            except OSError:
                (old / target.name).rename(target)
                raise
            finally:
                shutil.rmtree(old)
        else:
            fresh.rename(target)
    except OSError as error:
        raise OutputError(f"{error.filename or target}: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_file(target: Path, data: bytes) -> None:
    """Write `data` beside `target`, then rename it into place. Raises OutputError."""
    if target.is_dir():
        raise OutputError(f"{target}: is a folder; --output names a file here")
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise OutputError(f"{error.filename or target}: {error.strerror}") from error
