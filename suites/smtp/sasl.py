"""SASL in SMTP: the client's half of PLAIN, LOGIN and CRAM-MD5, as the driver speaks it and as cases expect it of clients.

Knows RFC 4616 (PLAIN), the LOGIN of the world, RFC 2195 (CRAM-MD5) and the frame that RFC 4954 puts around
them. Judges nothing: every reply is handed back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from suites.smtp.mailhost import Account
from suites.smtp.replies import Reply
from suites.smtp.session import SmtpSession


def plain(username: bytes, password: bytes, authorize: bytes = b"") -> bytes:
    """The message of PLAIN in base64, from octets that need not be UTF-8."""
    return base64.b64encode(authorize + b"\0" + username + b"\0" + password)


def credentials(account: Account) -> bytes:
    """The message of PLAIN that is right for the account."""
    return plain(account.username.encode(), account.password.encode())


def challenge_of(reply: Reply) -> bytes:
    """The octets of a 334 reply's text, as they came.

    Raises:
        AssertionError: the reply is none, or has several lines.
    """
    assert reply.octets.startswith(b"334 "), f"a challenge was expected, {reply} came"
    assert reply.octets.count(b"\r\n") == 1, f"the challenge has several lines: {reply}"
    return reply.octets[4:].removesuffix(b"\r\n")


def begin(session: SmtpSession, mechanism: str) -> bytes:
    """AUTH without an initial response; the first challenge as it came, still in base64."""
    return challenge_of(session.command(f"AUTH {mechanism}"))


def authenticate(session: SmtpSession, mechanism: str, account: Account) -> Reply:
    """A whole exchange without an initial response; the reply to its last line.

    Raises:
        AssertionError: the server asked for something else than the mechanism has it ask.
        ValueError: a challenge is no base64, or the mechanism is none of the three.
    """
    challenge = base64.b64decode(begin(session, mechanism), validate=True)
    match mechanism:
        case "PLAIN":
            return session.command(credentials(account))
        case "LOGIN":
            challenge_of(session.command(base64.b64encode(account.username.encode())))
            return session.command(base64.b64encode(account.password.encode()))
        case "CRAM-MD5":
            digest = hmac.new(account.password.encode(), challenge, hashlib.md5).hexdigest()
            return session.command(base64.b64encode(f"{account.username} {digest}".encode()))
    raise ValueError(f"the driver does not speak {mechanism}")


def plain_responses(account: Account) -> list[list[bytes]]:
    """The exchanges of PLAIN for an account: who acts may be left away or be named (RFC 4616, section 2)."""
    name, password = account.username.encode(), account.password.encode()
    return [[b"\0".join((acting, name, password))] for acting in (b"", name)]


def cram_response(account: Account, challenge: bytes) -> bytes:
    """What CRAM-MD5 has to say to a challenge (RFC 2195, section 2)."""
    return f"{account.username} {hmac.digest(account.password.encode(), challenge, 'md5').hex()}".encode()
