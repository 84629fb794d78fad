"""What the tap may do to the octets that pass in one direction.

Knows segments, delays, cuts and corruption, all counted in octets of the clear
stream. Must not know any protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lab.wire.segmentation import Segmentation, whole

#: fin: close both sides in order; rst: reset both; half-close: end this direction only;
#: silence: pass nothing more in either direction and keep both connections open.
CutKind = Literal["fin", "rst", "half-close", "silence"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Break the connection after ``after`` octets of this direction have passed."""

    after: int
    kind: CutKind


@dataclass(frozen=True, slots=True)
class Corruption:
    """Change the octet at offset ``at`` of this direction by XOR with ``mask`` (1 to 255)."""

    at: int
    mask: int

    def apply(self, data: bytes, offset: int) -> bytes:
        """The data, changed where the octet falls into it; ``offset`` is the stream offset of its first octet."""
        index = self.at - offset
        if not 0 <= index < len(data):
            return data
        changed = bytearray(data)
        changed[index] ^= self.mask
        return bytes(changed)


@dataclass(frozen=True, slots=True)
class Treatment:
    """All that is done to one direction.

    Attributes:
        segmentation: how each passing stretch is cut.
        coalesce: seconds to hold octets so that those that follow join them in one segment.
        delay: seconds each stretch is held.
        cut: where the connection breaks.
        corruption: which octet changes.
    """

    segmentation: Segmentation = whole
    coalesce: float = 0.0
    delay: float = 0.0
    cut: Cut | None = None
    corruption: Corruption | None = None


UNTOUCHED = Treatment()
