"""What an SMTP implementation must offer to be judged here.

Knows the shape of one operation and of the configuration of a server; the features that
one may declare are listed in ``suite.toml``. Must not know any implementation. An
adapter satisfies it by its shape: it imports nothing of ours.
"""

from __future__ import annotations

from typing import Literal, NotRequired, Protocol, TypedDict

Security = Literal["none", "starttls", "tls"]


class Transaction(TypedDict):
    """One message to send; ``message`` is handed to the library as it stands."""

    mail_from: str
    recipients: list[str]
    message: bytes
    smtputf8: bool
    mail_options: list[str]
    rcpt_options: list[str]


class TransactionOutcome(TypedDict):
    """How one transaction ended; ``refused_recipients`` maps an address to its code and text."""

    outcome: Literal["done", "refused", "failed"]
    code: NotRequired[int]
    text: NotRequired[str]
    cause: NotRequired[str]
    refused_recipients: NotRequired[dict[str, tuple[int, str]]]


class Report(TransactionOutcome):
    """How the whole connection ended: the worst of it, and each transaction in the order tried."""

    transactions: list[TransactionOutcome]


class SmtpClient(Protocol):
    """A client under test: no-argument constructor, one method."""

    def send(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        ca_file: str | None,
        local_name: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
        transactions: list[Transaction],
    ) -> Report:
        """Run all transactions on one connection; ``timeout`` in seconds for each wait."""


class ServerConfiguration(TypedDict):
    """The JSON line a server command reads first.

    The server then prints ``{"ready": {"plain": PORT, "tls": PORT or null}}`` and stores
    each accepted message in ``deliver_to`` as ``<unique>.eml`` and ``<unique>.json``.
    """

    host: str
    hostname: str
    certificate: str
    key: str
    users: dict[str, str]
    maximum_size: int
    domains: list[str]
    deliver_to: str
