"""Making hostile text visible: controls, line ends, directional marks and octets that are no text.

It knows characters and octets; it must not know runs or pages. Nothing it returns can steer a terminal, turn the direction of
a line round, or hide in a zero width.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Final

# Control, format (directional marks and zero widths are among them), surrogate, private use, unassigned, line and
# paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_SHORT: Final = {"\t": r"\t", "\r": r"\r"}


def is_unseen(character: str) -> bool:
    """Whether a character would be invisible or act on the text around it. Combining marks stay as they are."""
    return unicodedata.category(character) in _UNSEEN


def name_of(character: str) -> str:
    """A visible stand-in: `⟨U+202E⟩`."""
    return f"⟨U+{ord(character):04X}⟩"


def text(value: str, keep: str = "") -> str:
    """The same text with every unseen character replaced by its stand-in, except those in `keep`."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(name_of(one) if one not in keep and is_unseen(one) else one for one in value)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of octets of one kind: `text`, `control`, `octet` (no text), `wide` (UTF-8), `end` (CR LF), `bare` (LF alone).

    `octets` is the hexadecimal form of what a stand-in stands for, empty for plain text.
    """

    kind: str
    shown: str
    octets: str = ""


def pieces(data: bytes) -> list[Piece]:
    """Octets as pieces, in order, nothing lost: joining what the pieces stand for gives `data` again."""
    found: list[Piece] = []
    plain: list[str] = []

    def put(piece: Piece) -> None:
        if plain:
            found.append(Piece("text", "".join(plain)))
            plain.clear()
        found.append(piece)

    at = 0
    while at < len(data):
        character, length = chr(data[at]), 1
        if data.startswith(b"\r\n", at):
            length = 2
            put(Piece("end", r"\r\n", "0D 0A"))
        elif character == "\n":
            put(Piece("bare", r"\n", "0A"))
        elif not character.isascii():
            wide, length = _wide(data[at : at + 4])
            put(wide)
        elif character.isprintable():
            plain.append(character)
        else:
            code = f"{ord(character):02x}"
            put(Piece("control", _SHORT.get(character, rf"\x{code}"), code.upper()))
        at += length
    if plain:
        found.append(Piece("text", "".join(plain)))
    return found


def _wide(window: bytes) -> tuple[Piece, int]:
    for length in range(2, len(window) + 1):
        try:
            character = window[:length].decode("utf-8")
        except UnicodeDecodeError:
            continue
        octets = window[:length].hex(" ").upper()
        # A mark that combines would be drawn onto its neighbour: named instead.
        if is_unseen(character) or unicodedata.combining(character):
            return Piece("control", name_of(character), octets), length
        return Piece("wide", character, octets), length
    return Piece("octet", f"\\x{window[0]:02x}", f"{window[0]:02X}"), 1
