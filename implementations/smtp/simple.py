"""Send a message with smtplib: connect, say who it is from and for whom, hand it over.

Knows smtplib's plainest use, without TLS or login; `tls` and `login` add those.
"""

from __future__ import annotations

import smtplib
import sys

from implementations.smtp import message
from implementations.smtp.command_line import Options, arguments, report, run


def send(options: Options) -> int:
    """Send the message in the clear; returns the exit status."""
    octets = message.load(options.message, options.sender, options.recipients)
    with smtplib.SMTP(options.server, options.port, timeout=options.timeout) as session:
        parameters = message.mail_options(session, [options.sender, *options.recipients], octets)
        refused = session.sendmail(options.sender, options.recipients, octets, parameters)
        return report(options.recipients, refused)


if __name__ == "__main__":
    sys.exit(run(send, arguments("simple", "Send a message to a mail server, without TLS.")))
