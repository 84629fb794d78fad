"""Making hostile text visible: controls, line ends, directional marks and octets that are no text.

It knows characters and octets; it must not know runs or pages. Nothing it returns can steer a terminal, turn the direction of
a line round, or hide in a zero width.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# Control, format (directional marks and zero widths are among them), surrogate, private use, unassigned, line and
# paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_unseen(character: str) -> bool:
    """Whether a character would be invisible or act on the text around it. Combining marks stay as they are."""
    return unicodedata.category(character) in _UNSEEN


def name_of(character: str) -> str:
    """A visible stand-in: the control picture (U+2400 block) for ASCII controls, `⟨U+202E⟩` for the others."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    return f"⟨U+{code:04X}⟩"


def text(value: str, keep: str = "") -> str:
    """The same text with every unseen character replaced by its stand-in, except those in `keep`."""
    if value.isascii() and value.isprintable():
        return value
    return "".join(name_of(one) if one not in keep and is_unseen(one) else one for one in value)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of octets of one kind: `text`, `control` (a stand-in), `octet` (`\\xNN`), `wide` (UTF-8), `end` (of line).

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
        octet = data[at]
        if octet == 0x0D and data[at + 1 : at + 2] == b"\n":
            put(Piece("end", "␍␊", "0D 0A"))
            at += 2
            continue
        if octet == 0x0A:
            put(Piece("end", "␊", "0A"))
        elif octet < 0x20 or octet == 0x7F:
            put(Piece("control", name_of(chr(octet)), f"{octet:02X}"))
        elif octet < 0x80:
            plain.append(chr(octet))
        else:
            wide = _wide(data[at : at + 4])
            put(wide[0])
            at += wide[1]
            continue
        at += 1
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
