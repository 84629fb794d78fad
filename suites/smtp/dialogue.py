"""One conversation with a server, written down before it is held: command lines, messages, and how they are cut.

Knows how a line with places in it becomes octets. Must not know who says it to whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

#: The recipient whose local-part has the full length (RFC 5321, section 4.5.3.1.1).
LONG = 99
#: From this one on recipients are a crowd.
CROWD = 100
#: Octets of a message or a line, and characters of a conversation, that are shown to people.
SHOWN = 80
SAID = 4000
_PLACE = re.compile(r"\{(\d+)\}")
_FILL = re.compile(r"\{fill (\d+)\}")


class _Printer(Protocol):
    def text(self, obj: str) -> None: ...


@dataclass(frozen=True)
class Command:
    """One command line.

    Attributes:
        line: without its CRLF; ``{0}``, ``{1}``, … stand for addresses of the host's own, ``{99}`` for a long one;
            ``{fill 512}`` stands for as many letters as give the line so many octets, CRLF included.
        kind: the word by which an exclusion names it.
        needs: features without which it is not said.
    """

    line: str
    kind: str = ""
    needs: frozenset[str] = frozenset()

    @property
    def verb(self) -> str:
        """The first word in capitals."""
        return self.line.split(" ", 1)[0].upper()

    @property
    def places(self) -> list[int]:
        """The recipients that it names."""
        return [int(number) for number in _PLACE.findall(self.line)]

    def octets(self, addresses: Callable[[int], str]) -> bytes:
        """What is sent."""
        line = _PLACE.sub(lambda found: addresses(int(found[1])), self.line)
        if (fill := _FILL.search(line)) is not None:
            head, tail = line[: fill.start()], line[fill.end() :]
            line = head + "x" * (int(fill[1]) - len(f"{head}{tail}\r\n".encode())) + tail
        return line.encode() + b"\r\n"

    def __repr__(self) -> str:
        return repr(self.line) if len(self.line) <= SHOWN else f"<{self.kind}>"


DATA = Command("DATA")


@dataclass(frozen=True)
class Step:
    """Commands that leave together; their replies are read before the next step.

    Attributes:
        commands: one, or several where the host takes groups (RFC 2920).
        content: the body of a message that goes where the last command is DATA and was answered with 354.
        joined: the message leaves together with the next step (RFC 2920, section 3.1).
    """

    commands: tuple[Command, ...]
    content: bytes | None = None
    joined: bool = False

    def __repr__(self) -> str:
        said = " + ".join(map(repr, self.commands))
        if self.content is None:
            return said
        more = f" … ({len(self.content)} octets)" if len(self.content) > SHOWN else ""
        return f"{said} and {self.content[:SHOWN]!r}{more}" + (" +" if self.joined else "")


@dataclass(frozen=True)
class Conversation:
    """Steps from the greeting on, and the sizes in which all that is sent is cut."""

    steps: tuple[Step, ...]
    cut: tuple[int, ...] = ()

    def __repr__(self) -> str:
        said = repr(list(self.steps))
        return f"{said if len(said) <= SAID else f'{said[:SAID]} …'}, cut by {list(self.cut)}"

    def _repr_pretty_(self, printer: _Printer, _cycle: object) -> None:
        """Show the same where Hypothesis prints a value (it would print all fields in full)."""
        printer.text(repr(self))
