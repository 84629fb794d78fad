"""The message that the five SMTP programs send, as octets ready for the wire, and what it asks of a server.

Knows the email package and which SMTP extension a message needs. Must not know the command line or a socket.
"""

from __future__ import annotations

import re
import smtplib
from collections.abc import Sequence
from email import policy
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path

from implementations.smtp.command_line import Failure, explain

MAXIMUM_LINE = 998  # octets before CRLF: RFC 5322, section 2.1.1; RFC 5321, section 4.5.3.1.6

_LINE_END = re.compile(rb"\r\n|\r|\n")


def load(path: str | None, sender: str, recipients: Sequence[str]) -> bytes:
    """Read the message in the file `path`, or make a test message when there is no path.

    Every line ends with CRLF in what is returned (RFC 5321, section 2.3.8). Raises Failure when the file
    cannot be read, is empty, or has a line too long for SMTP.
    """
    if path is None:
        return _test_message(sender, recipients)
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"{path}: {explain(error)}") from error
    if not octets.strip():
        raise Failure(f"{path}: no message in it")
    lines = _LINE_END.split(octets)
    for number, line in enumerate(lines, start=1):
        if len(line) > MAXIMUM_LINE:
            raise Failure(f"{path}: line {number} has {len(line)} octets, {MAXIMUM_LINE} are allowed")
    return b"\r\n".join(lines if not lines[-1] else [*lines, b""])


def mail_options(session: smtplib.SMTP, addresses: Sequence[str], message: bytes) -> list[str]:
    """Find the parameters of MAIL that this message needs, greeting the server first if nobody has.

    Raises Failure when the server does not offer an extension that the message cannot do without.
    """
    session.ehlo_or_helo_if_needed()
    header, _, _ = message.partition(b"\r\n\r\n")
    options = []
    if not header.isascii() or not all(address.isascii() for address in addresses):  # RFC 6531
        _require(session, "SMTPUTF8", "an address or a header field is not ASCII")
        options.append("SMTPUTF8")
    if not message.isascii():  # RFC 6152
        _require(session, "8BITMIME", "the message is not ASCII")
        options.append("BODY=8BITMIME")
    return options


def _require(session: smtplib.SMTP, extension: str, reason: str) -> None:
    if not session.has_extn(extension):
        raise Failure(f"the server does not offer {extension}, and {reason}")


def _test_message(sender: str, recipients: Sequence[str]) -> bytes:
    message = EmailMessage(policy=policy.SMTPUTF8)
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Subject"] = "A test message"
    message.set_content("This message was sent by Python's smtplib.\n")
    return message.as_bytes()
