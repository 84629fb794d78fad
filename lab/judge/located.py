"""Mistakes in the lab's own data files, told with file, line and remedy.

Knows how to find the line of a TOML table. Must not know what the tables mean.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from lab.errors import LabError


class DataError(LabError):
    """A data file has a mistake: the message names the file, the line and what to do."""


def read_toml(path: Path) -> dict[str, object]:
    """The file's tables.

    Raises:
        DataError: the file is missing, is not UTF-8 or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"{path}: the file is missing"
        raise DataError(message) from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 at octet {error.start}"
        raise DataError(message) from error
    except tomllib.TOMLDecodeError as error:
        message = f"{path}: not TOML: {error}"
        raise DataError(message) from error


def table_line(path: Path, table: str, index: int) -> int:
    """The 1-based line of the ``index``-th (from 0) ``[[table]]`` in the file."""
    header = re.compile(rf"^\s*\[\[\s*{re.escape(table)}\s*\]\]")
    seen = -1
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if header.match(line):
            seen += 1
            if seen == index:
                return number
    return 1


class Table:
    """One ``[[table]]`` of a file, read field by field; every mistake is located."""

    def __init__(self, path: Path, name: str, index: int, fields: object) -> None:
        self._path = path
        self._name = name
        self._index = index
        if not isinstance(fields, dict):
            raise self.mistake("is not a table", f"write it as [[{name}]]")
        self._fields: dict[str, object] = fields

    def mistake(self, what: str, remedy: str) -> DataError:
        """The error to raise for this table."""
        line = table_line(self._path, self._name, self._index)
        return DataError(f"{self._path}:{line}: [[{self._name}]] {what}; {remedy}")

    def only(self, *known: str) -> None:
        """Raises DataError when the table has a field that is not known."""
        for field in self._fields:
            if field not in known:
                raise self.mistake(f"has an unknown field {field!r}", f"fields are: {', '.join(known)}")

    def has(self, field: str) -> bool:
        """Whether the field is there."""
        return field in self._fields

    def word(self, field: str, default: str | None = None, *, among: tuple[str, ...] | None = None) -> str:
        """A non-empty string."""
        value = self._fields.get(field, default)
        if not isinstance(value, str) or not value.strip():
            raise self.mistake(f"needs a text in {field!r}", f'write {field} = "…"')
        if among is not None and value not in among:
            raise self.mistake(f"has {field} = {value!r}", f"it is one of: {', '.join(among)}")
        return value

    def words(self, field: str, default: list[str] | None = None) -> tuple[str, ...]:
        """A list of strings."""
        value = self._fields.get(field, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.mistake(f"needs a list of texts in {field!r}", f'write {field} = ["…"]')
        return tuple(value)

    def numbers(self, field: str) -> tuple[int, ...]:
        """A list of whole numbers; none when the field is missing."""
        value = self._fields.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, int) for item in value):
            raise self.mistake(f"needs a list of numbers in {field!r}", f"write {field} = [1, 2]")
        return tuple(value)

    def number(self, field: str, *, least: int) -> int:
        """A whole number, at least `least`."""
        value = self._fields.get(field)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.mistake(f"needs a number in {field!r}, {least} or more", f"write {field} = {least}")
        return value


def tables(path: Path, name: str, data: dict[str, object]) -> list[Table]:
    """All ``[[name]]`` tables of the file."""
    rows = data.get(name, [])
    if not isinstance(rows, list):
        message = f"{path}: {name!r} is not a list of tables; write each as [[{name}]]"
        raise DataError(message)
    return [Table(path, name, index, row) for index, row in enumerate(rows)]
