"""Send a message over TLS whenever the server offers STARTTLS.

Knows RFC 3207: what the server said before TLS is forgotten, and EHLO is said again. Once TLS has been begun
there is no way back: if it fails, nothing is sent.
"""

from __future__ import annotations

import smtplib
import sys

from implementations.smtp import message
from implementations.smtp.command_line import Failure, Options, Parser, arguments, report, run, tls_context


def send(options: Options) -> int:
    """Send the message, over TLS if that is offered or required; returns the exit status."""
    octets = message.load(options.message, options.sender, options.recipients)
    context = tls_context(options.ca_file)
    with smtplib.SMTP(options.server, options.port, timeout=options.timeout) as session:
        session.ehlo_or_helo_if_needed()
        if session.has_extn("starttls"):
            session.starttls(context=context)
            session.ehlo()
            print("TLS started")
        elif options.require_tls:
            raise Failure("message not sent: the server does not offer STARTTLS")
        else:
            print("no TLS offered: sending in the clear")
        parameters = message.mail_options(session, [options.sender, *options.recipients], octets)
        refused = session.sendmail(options.sender, options.recipients, octets, parameters)
        return report(options.recipients, refused)


def parser() -> Parser:
    """Build the command line of this program."""
    built = arguments("tls", "Send a message over TLS, if the server offers STARTTLS.", tls=True)
    built.add_argument("--require-tls", action="store_true", help="send nothing if TLS is not offered")
    return built


if __name__ == "__main__":
    sys.exit(run(send, parser()))
