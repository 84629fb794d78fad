"""TLS contexts from the lab's certificates.

Knows which side a context is for; each tells an end of the stream without a close alert
from one with it. Must not know where certificates come from.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from lab.wire.authority import Leaf


def server_context(leaf: Leaf) -> ssl.SSLContext:
    """A server's context that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context


def client_context(authority: Path) -> ssl.SSLContext:
    """A client's context that trusts this authority alone and checks the name."""
    context = ssl.create_default_context(cafile=str(authority))
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    return context
