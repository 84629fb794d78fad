"""TLS records told from commands in octets that were read without TLS (RFC 8446, section 5.1).

Knows the head of a record. Must not know what is inside one.
"""

from __future__ import annotations

#: change_cipher_spec, alert, handshake, application_data.
CONTENT_TYPES = range(0x14, 0x18)
HANDSHAKE = 0x16


def begins_handshake(octets: bytes) -> bool:
    """Whether the first octets are the head of a record with a handshake message."""
    return octets[:2] == bytes([HANDSHAKE, 0x03])


def outside_records(octets: bytes) -> bytes:
    """What is left once the TLS records at the front are taken away; a record cut short counts as one."""
    while len(octets) >= 2 and octets[0] in CONTENT_TYPES and octets[1] == 0x03:
        octets = octets[5 + int.from_bytes(octets[3:5]) :]
    return octets
