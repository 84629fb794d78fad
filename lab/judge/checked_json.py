"""JSON that somebody else wrote, checked field by field: errors name the file, the line and the field.

It knows JSON; it must not know what the fields mean.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.errors import LabError


class RunError(LabError):
    """A results folder cannot be read; the message names the file and, where there is one, the line."""


def parse(where: str, text: str | bytes) -> object:
    """The value of a JSON text. Raises RunError, naming `where` it stands."""
    try:
        value: object = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RunError(f"{where}: not JSON: {error}") from error
    return value


class Fields:
    """A JSON object whose fields are checked as they are read; each reader raises RunError for a field of another kind."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise RunError(f"{where}: expected an object, found {_kind(value)}")
        self._where = where
        self._values: dict[str, object] = value

    def _wrong(self, key: str, wanted: str) -> RunError:
        found = _kind(self._values[key]) if key in self._values else "nothing"
        return RunError(f"{self._where}: '{key}' should be {wanted}, found {found}")

    def names(self) -> tuple[str, ...]:
        """The keys of the object, in order."""
        return tuple(self._values)

    def text(self, key: str) -> str:
        """A string."""
        value = self._values.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def text_or_none(self, key: str) -> str | None:
        """A string, or None where the field is null or missing."""
        return None if self._values.get(key) is None else self.text(key)

    def word(self, key: str, words: tuple[str, ...]) -> str:
        """One of these words."""
        value = self.text(key)
        if value not in words:
            raise RunError(f"{self._where}: '{key}' should be one of {', '.join(words)}, found {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; none where the field is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "a list of strings")
        return tuple(value)

    def number(self, key: str) -> float:
        """A number."""
        value = self._values.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        """A number, or None where the field is null or missing."""
        return None if self._values.get(key) is None else self.number(key)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers; none where the field is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        ):
            raise self._wrong(key, "a list of numbers")
        return tuple(float(item) for item in value)

    def integer_or_none(self, key: str) -> int | None:
        """A whole number, or None where the field is null or missing."""
        value = self._values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self._wrong(key, "a whole number")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._values.get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def plain(self, key: str) -> dict[str, str]:
        """A flat object shown as it stands: every value as text."""
        values = self._values.get(key, {})
        if not isinstance(values, dict):
            raise self._wrong(key, "an object")
        return {str(name): "" if value is None else str(value) for name, value in values.items()}

    def child(self, key: str) -> Fields:
        """An object within; an empty one where the field is missing."""
        return Fields(f"{self._where}: {key}", self._values.get(key, {}))

    def child_or_none(self, key: str) -> Fields | None:
        """An object within, or None where the field is null or missing."""
        return None if self._values.get(key) is None else self.child(key)

    def children(self, key: str) -> Iterator[Fields]:
        """A list of objects; none where the field is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        for number, item in enumerate(value):
            yield Fields(f"{self._where}: {key}[{number}]", item)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
