"""What SASL mechanisms have to say, computed here so that no library's bug hides itself.

Knows PLAIN and CRAM-MD5 (RFC 4616, RFC 2195). Must not know who says it.
"""

from __future__ import annotations

import hmac

from suites.smtp.mailhost import Account


def plain_responses(account: Account) -> list[list[bytes]]:
    """The exchanges of PLAIN for an account: who acts may be left away or be named (RFC 4616, section 2)."""
    name, password = account.username.encode(), account.password.encode()
    return [[b"\0".join((acting, name, password))] for acting in (b"", name)]


def cram_response(account: Account, challenge: bytes) -> bytes:
    """What CRAM-MD5 has to say to a challenge (RFC 2195, section 2)."""
    return f"{account.username} {hmac.digest(account.password.encode(), challenge, 'md5').hex()}".encode()
