"""Log in to a submission server and send a message: AUTH, and never without TLS.

Knows how to come by a password without showing it to others: from a file, the environment or a prompt, but
not from the command line, which every user of the machine can read.
"""

from __future__ import annotations

import binascii
import getpass
import os
import smtplib
import sys
import warnings
from pathlib import Path

from implementations.smtp import message
from implementations.smtp.command_line import (
    Failure,
    Options,
    Parser,
    arguments,
    explain,
    report,
    run,
    tls_context,
)

SUBMISSION_PORT = 587  # RFC 6409
PASSWORD_VARIABLE = "SMTP_PASSWORD"


def send(options: Options) -> int:
    """Start TLS, log in, send the message; returns the exit status."""
    octets = message.load(options.message, options.sender, options.recipients)
    context = tls_context(options.ca_file)
    password = read_password(options.password_file)
    with smtplib.SMTP(options.server, options.port, timeout=options.timeout) as session:
        session.ehlo_or_helo_if_needed()
        if not session.has_extn("starttls"):
            raise Failure("not logged in: the server does not offer STARTTLS, the password would be readable")
        session.starttls(context=context)
        log_in(session, options.user or options.sender, password)
        parameters = message.mail_options(session, [options.sender, *options.recipients], octets)
        refused = session.sendmail(options.sender, options.recipients, octets, parameters)
        return report(options.recipients, refused)


def log_in(session: smtplib.SMTP, user: str, password: str) -> None:
    """Log in with the first mechanism that both sides know. Raises Failure or smtplib.SMTPException."""
    try:
        session.login(user, password)
    except UnicodeEncodeError as error:
        raise Failure("not logged in: smtplib cannot send a user name or password beyond ASCII") from error
    except binascii.Error as error:
        raise Failure("not logged in: the server's challenge is not base64") from error


def read_password(path: str | None) -> str:
    """Take the password from the first line of the file `path`, the environment, or a prompt without echo.

    Raises Failure when there is none to be had.
    """
    if path is not None:
        try:
            password = Path(path).read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{path}: {explain(error)}") from error
    else:
        password = os.environ.get(PASSWORD_VARIABLE) or _ask()
    if not password:
        raise Failure("no password given")
    return password


def _ask() -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would echo: rather not
            return getpass.getpass("Password: ")
    except (getpass.GetPassWarning, EOFError) as error:
        raise Failure(f"no password given: use --password-file or {PASSWORD_VARIABLE}") from error


def parser() -> Parser:
    """Build the command line of this program."""
    built = arguments(
        "login",
        f"Log in over TLS and send a message. The password comes from --password-file, {PASSWORD_VARIABLE} "
        "or a prompt.",
        port=SUBMISSION_PORT,
        tls=True,
    )
    built.add_argument("--user", metavar="NAME", help="name to log in with (default: FROM)")
    built.add_argument("--password-file", metavar="FILE", help="file whose first line is the password")
    return built


if __name__ == "__main__":
    sys.exit(run(send, parser()))
