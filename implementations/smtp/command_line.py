"""The command line that the five SMTP programs share: arguments, one line for each failure, exit status.

Knows argparse and the errors that smtplib, ssl and sockets raise. Must not know what a program sends or when.
"""

from __future__ import annotations

import argparse
import re
import signal
import smtplib
import socket
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import NoReturn

MAXIMUM_SECONDS = 86_400.0
EXIT_STATUS = "Exit status: 0 accepted for every recipient, 1 refused or failed, 2 wrong arguments."

# RFC 5321, section 4.1.2: a dot-string or a quoted string, '@', a domain or an address literal; RFC 6531
# lets letters beyond ASCII in. What smtplib would cut off or rewrite, as a backslash, is not let in.
_SPECIAL = r'\s\x00-\x1f\x7f\ud800-\udfff()<>\[\]:;@\\,"'
_ATOMS = rf"[^{_SPECIAL}]+"
_QUOTED = r'"[^"\\\x00-\x1f\x7f\ud800-\udfff]*"'
_LITERAL = rf"\[[^{_SPECIAL}]+(?::[^{_SPECIAL}]*)*\]"
_ADDRESS = re.compile(rf"(?:{_ATOMS}|{_QUOTED})@(?:{_ATOMS}|{_LITERAL})")

_REFUSED: Mapping[type[smtplib.SMTPResponseException], str] = {  # what smtplib had asked for
    smtplib.SMTPConnectError: "no service",
    smtplib.SMTPHeloError: "greeting refused",
    smtplib.SMTPAuthenticationError: "login refused",
    smtplib.SMTPSenderRefused: "sender refused",
    smtplib.SMTPDataError: "message refused",
}


class Failure(Exception):
    """The program cannot do what was asked; the text is the one line that the user sees."""


class Options(argparse.Namespace):
    """What the command line said."""

    server: str
    sender: str
    recipients: list[str]
    port: int
    timeout: float
    deadline: float
    message: str | None
    ca_file: str | None
    require_tls: bool
    user: str | None
    password_file: str | None


class Parser(argparse.ArgumentParser):
    """An argument parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(2, f"{self.prog}: {printable(message)} (--help tells more)\n")


def arguments(name: str, purpose: str, *, port: int = 25, tls: bool = False) -> Parser:
    """Build the parser of program `name`; with `tls` it also takes the certificates to trust."""
    parser = Parser(
        prog=f"python -m implementations.smtp.{name}",
        description=purpose,
        epilog=EXIT_STATUS,
        allow_abbrev=False,  # `--password` must not be read as `--password-file`
    )
    parser.add_argument("server", type=_server, metavar="SERVER", help="name or address of the mail server")
    parser.add_argument(
        "sender", type=_address, metavar="FROM", help="envelope sender, such as ann@lab.example"
    )
    parser.add_argument("recipients", type=_address, nargs="+", metavar="TO", help="envelope recipients")
    parser.add_argument("--port", type=_port, default=port, help="TCP port (default: %(default)s)")
    parser.add_argument(
        "--message", metavar="FILE", help="send this message, header and body (default: a short test message)"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="longest wait for the server at each step (default: %(default)s)",
    )
    parser.add_argument(
        "--deadline",
        type=_seconds,
        default=300.0,
        metavar="SECONDS",
        help="longest time for everything together (default: %(default)s)",
    )
    if tls:
        parser.add_argument(
            "--ca-file",
            metavar="FILE",
            help="certificates (PEM) that may vouch for the server (default: those of the system)",
        )
    return parser


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Verify the server's certificate and name. Raises Failure when `ca_file` (PEM) cannot be used."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise Failure(f"{ca_file}: {explain(error)}") from error


def run(
    program: Callable[[Options], int],
    parser: Parser,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse the arguments, run `program`, and turn what it raises into one line on standard error.

    Returns the exit status. smtplib's timeout holds for one wait, and a server that sends a little now and
    then never lets it end: the deadline does, and goes on ringing so that it also ends a farewell that drags.
    """
    options, unknown = parser.parse_known_args(argv, namespace=Options())
    if unknown:
        names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        # what follows an option may be a password: it is not repeated
        parser.error(f"unrecognized arguments: {' '.join(names or unknown)}")
    signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, options.deadline, 1.0)
    try:
        try:
            return program(options)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (Failure, OSError) as error:  # smtplib's and ssl's exceptions are OSErrors
        print(f"{parser.prog}: {options.server}: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130


def report(recipients: Sequence[str], refused: Mapping[str, tuple[int, bytes]]) -> int:
    """Print who will get the message, raise Failure for those who will not; returns the exit status."""
    accepted = [recipient for recipient in recipients if recipient not in refused]
    print(f"accepted for {', '.join(accepted)}")
    if refused:
        raise Failure(f"recipients refused: {_refusals(refused)}")
    return 0


def explain(error: Exception) -> str:
    """Say in one printable line what went wrong."""
    if type(error) is smtplib.SMTPResponseException and isinstance(error.__context__, Exception):
        error = error.__context__  # leaving its `with` block, smtplib complains of QUIT over the real reason
    match error:
        case smtplib.SMTPException():
            sentence = _smtp_sentence(error)
        case ssl.SSLCertVerificationError():
            sentence = f"certificate not accepted: {error.verify_message}"
        case ssl.SSLError():
            sentence = f"TLS failed: {error.reason or error}"
        case socket.gaierror():
            sentence = f"name not found: {error.strerror}"
        case TimeoutError():
            sentence = "timed out"
        case OSError(strerror=str(reason)):
            sentence = reason
        case _:
            sentence = str(error)
    return printable(sentence)


def _smtp_sentence(error: smtplib.SMTPException) -> str:
    match error:
        case smtplib.SMTPRecipientsRefused():
            return f"every recipient refused: {_refusals(error.recipients)}"
        case smtplib.SMTPResponseException() if error.smtp_code < 0:  # smtplib's word for no reply code
            return f"malformed reply: {_text(error.smtp_error)}"
        case smtplib.SMTPResponseException():
            refused = _REFUSED.get(type(error), "the server refused")
            return f"{refused}: {error.smtp_code} {_text(error.smtp_error)}"
        case smtplib.SMTPServerDisconnected() if isinstance(error.__context__, TimeoutError):
            return "timed out"
    return str(error)


def printable(text: str) -> str:
    """Put `text`, which may come from a stranger, on one line that does nothing to a terminal."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{address} ({code} {_text(words)})" for address, (code, words) in refused.items())


def _text(words: bytes | str) -> str:
    return words if isinstance(words, str) else words.decode("utf-8", "backslashreplace")


def _too_late(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError("timed out")


def _server(text: str) -> str:
    try:
        text.encode("idna")
    except UnicodeError:
        text = ""
    if not text:
        raise argparse.ArgumentTypeError("is no name or address of a server")
    return text


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no mail address (local-part@domain)")
    return text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port (1 to 65535)")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAXIMUM_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in seconds (above 0, at most one day)")
    return seconds
