"""Ask the server what it offers, with EHLO or else HELO, and send only a message that it has room for.

Knows the SIZE extension (RFC 1870): a message above the server's limit is not even begun.
"""

from __future__ import annotations

import re
import smtplib
import sys

from implementations.smtp import message
from implementations.smtp.command_line import Failure, Options, arguments, printable, report, run

COMPLETED = 250
PERMANENT_REFUSAL = 5  # first digit
_NUMBER = re.compile(r"[0-9]{1,20}")


def send(options: Options) -> int:
    """Print what the server offers, then send the message unless it is too large; returns the exit status."""
    octets = message.load(options.message, options.sender, options.recipients)
    with smtplib.SMTP(options.server, options.port, timeout=options.timeout) as session:
        greet(session)
        limit = size_limit(session)
        if limit is not None and len(octets) > limit:
            raise Failure(f"message of {len(octets)} octets not sent: the server takes at most {limit}")
        parameters = message.mail_options(session, [options.sender, *options.recipients], octets)
        refused = session.sendmail(options.sender, options.recipients, octets, parameters)
        return report(options.recipients, refused)


def greet(session: smtplib.SMTP) -> None:
    """Say EHLO; if that is refused, say HELO (RFC 5321, section 3.2). Raises smtplib.SMTPHeloError."""
    code, reply = session.ehlo()
    if code == COMPLETED:
        for keyword, parameters in session.esmtp_features.items():
            print(printable(f"offers {keyword.upper()} {parameters}"))
        return
    if code // 100 == PERMANENT_REFUSAL:
        code, reply = session.helo()
    if code != COMPLETED:
        raise smtplib.SMTPHeloError(code, reply)
    print("knows no extensions")


def size_limit(session: smtplib.SMTP) -> int | None:
    """Return the largest message in octets that the server takes, or None when it states no limit.

    RFC 1870, section 4: the parameter may be missing, and 0 means no fixed limit. Raises Failure when it
    is no number.
    """
    text = session.esmtp_features.get("size", "")
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Failure(f"the server states a SIZE that is no number: {text}")
    return int(text) or None


if __name__ == "__main__":
    sys.exit(
        run(send, arguments("ehlo", "Print what the server offers; send a message if it is not too large."))
    )
