"""Names things by what they are made from. Knows hashing, nothing of what is hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

DIGITS = 12


def digest_of(parts: Iterable[str]) -> str:
    """Return a short digest of these texts; the boundaries between them count."""
    state = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        state.update(len(encoded).to_bytes(8, "big") + encoded)
    return state.hexdigest()[:DIGITS]


def digest_of_folder(folder: Path) -> str:
    """Return a digest of the names, the contents and the executable bits of all the files below `folder`."""
    parts: list[str] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            executable = "x" if path.stat().st_mode & 0o100 else "-"
            parts += [path.relative_to(folder).as_posix(), executable, path.read_bytes().decode("latin-1")]
    return digest_of(parts)
