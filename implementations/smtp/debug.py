"""Send a message and print the conversation with the server as it goes.

Knows smtplib's debugging output, which it moves to standard output; standard error has the one line that
says what went wrong, if something did.
"""

from __future__ import annotations

import contextlib
import smtplib
import sys

from implementations.smtp import message
from implementations.smtp.command_line import Options, arguments, report, run

SERVICE_READY = 220


def send(options: Options) -> int:
    """Send the message in the clear, printing each command and reply; returns the exit status."""
    octets = message.load(options.message, options.sender, options.recipients)
    with contextlib.redirect_stderr(sys.stdout), smtplib.SMTP(timeout=options.timeout) as session:
        session.set_debuglevel(1)  # before the connection is made, so that the greeting is seen too
        code, greeting = session.connect(options.server, options.port)
        if code != SERVICE_READY:
            raise smtplib.SMTPConnectError(code, greeting)
        parameters = message.mail_options(session, [options.sender, *options.recipients], octets)
        refused = session.sendmail(options.sender, options.recipients, octets, parameters)
        return report(options.recipients, refused)


if __name__ == "__main__":
    sys.exit(run(send, arguments("debug", "Send a message, printing the conversation with the server.")))
