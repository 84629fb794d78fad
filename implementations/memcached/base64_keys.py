"""Keys in base64, decoded as memcached does: characters of no meaning are passed over, the end is at the first padding.

Knows nothing but octets.
"""

from __future__ import annotations

import binascii

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_OTHERS = bytes(octet for octet in range(256) if octet not in _ALPHABET)
_QUAD = 4
_PADDING_MAX = 2


def decode(text: bytes) -> bytes | None:
    """What `text` stands for, or None where memcached refuses it."""
    text = text.translate(None, _OTHERS)
    if not text or len(text) % _QUAD:
        return None
    padding = text.find(b"=")
    if padding >= 0:
        text = text[: padding - padding % _QUAD + _QUAD]
    pads = text.count(b"=")
    if pads > _PADDING_MAX:
        return None
    octets = binascii.a2b_base64(text.replace(b"=", b"A"))
    return octets[:-pads] if pads else octets


def encode(octets: bytes) -> bytes:
    """Octets in base64."""
    return binascii.b2a_base64(octets, newline=False)
