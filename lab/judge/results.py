"""Writing ``results/<run>/``: verdicts as they come, the run's own record at its end.

Knows the files and their form (docs/results.md). Must not know how a verdict was reached.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from lab.errors import LabError

SCHEMA = 1


def new_run_id(now: datetime | None = None) -> str:
    """An id that sorts by time: ``20261122T173000Z-1a2b3c``."""
    moment = now or datetime.now(UTC)
    return f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def host_facts() -> dict[str, object]:
    """What the run ran on."""
    return {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 0,
        "python": platform.python_version(),
    }


class RunWriter:
    """The folder of one run; created with its first verdict."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started = datetime.now(UTC)
        self._verdicts: TextIO | None = None

    @property
    def id(self) -> str:
        """The run's id."""
        return self.directory.name

    def add(self, row: Mapping[str, object]) -> None:
        """Append one verdict; it is on the disk when this returns, should the run be killed.

        Raises:
            LabError: the disk takes no more.
        """
        try:
            if self._verdicts is None:
                self.directory.mkdir(parents=True, exist_ok=True)
                # a line is one write: it is whole in the file, or not there
                self._verdicts = (self.directory / "verdicts.jsonl").open("a", encoding="utf-8")
            self._verdicts.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._verdicts.flush()
        except OSError as error:
            raise _full(self.directory, error) from error

    def replace_verdicts(self, rows: list[dict[str, object]]) -> None:
        """Write all verdicts anew, as they stand after the comparison with the reference server."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self._close()
        self._write("verdicts.jsonl", lines)

    def finish(self, record: Mapping[str, object]) -> None:
        """Write ``run.json`` and make this run the latest."""
        whole = {
            "schema": SCHEMA,
            "id": self.id,
            "started": self.started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": host_facts(),
            **record,
        }
        self._close()
        self._write("run.json", json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        self._write("../latest", f"{self.id}\n")

    def _close(self) -> None:
        if self._verdicts is not None:
            self._verdicts.close()
            self._verdicts = None

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise _full(self.directory, error) from error


def _full(directory: Path, error: OSError) -> LabError:
    return LabError(f"the results could not be written to {directory}: {error.strerror or error}")
