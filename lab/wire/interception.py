"""How the tap stands inside TLS, so that the transcript stays in clear.

Knows certificates' contexts and when a connection turns to TLS. The words that
make it turn are given as patterns: it must not know any protocol.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interception:
    """TLS on both sides of the tap.

    Attributes:
        toward_client: the server context shown to the client under test.
        toward_server: the client context used with the peer; ``None`` where TLS ends at the tap, for a peer that has none.
        server_name: the name asked for and checked at the peer.
        request: in what the client sends, ends with the words that ask for TLS; ``None`` for TLS from the first octet.
        reply: what the server's next stretch must be for the connection to turn.
    """

    toward_client: ssl.SSLContext
    toward_server: ssl.SSLContext | None
    server_name: str
    request: re.Pattern[bytes] | None = None
    reply: re.Pattern[bytes] | None = None

    @property
    def immediate(self) -> bool:
        """TLS from the first octet."""
        return self.request is None
