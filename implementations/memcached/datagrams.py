"""memcached by UDP: a request in one datagram, its answer in as many as it takes.

Protocol, "UDP protocol". Knows frames. Must not know sockets.
"""

from __future__ import annotations

import struct

from implementations.memcached.core import Conversation
from implementations.memcached.storage import Cache

#: Octets of a datagram here, as memcached has it; the frame is eight of them.
PAYLOAD_MAX = 1400
_FRAME = struct.Struct(">HHHH")
_PIECE = PAYLOAD_MAX - _FRAME.size
#: Octets of a longest answer; whoever wants more is better served by TCP.
ANSWER_MAX = 8 << 20
_TOO_LONG = b"SERVER_ERROR out of memory writing get response\r\n"


def answer(cache: Cache, datagram: bytes) -> list[bytes]:
    """The datagrams that answer one; none to what is no request, or asks for no answer.

    A request in several datagrams is dropped, as memcached does.
    """
    if len(datagram) <= _FRAME.size:
        return []
    request, _, total, _ = _FRAME.unpack_from(datagram)
    if total != 1:
        return []
    conversation = Conversation(cache)
    parts = [conversation.receive(datagram[_FRAME.size :])]
    size = len(parts[0])
    while conversation.more:
        parts.append(conversation.resume())
        size += len(parts[-1])
        if size > ANSWER_MAX:
            parts = [_TOO_LONG]
            break
    octets = b"".join(parts)
    pieces = [octets[at : at + _PIECE] for at in range(0, len(octets), _PIECE)]
    return [_FRAME.pack(request, number, len(pieces), 0) + piece for number, piece in enumerate(pieces)]
