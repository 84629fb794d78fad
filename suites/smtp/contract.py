"""What an SMTP implementation must offer to be judged here, and the features it may declare.

Knows the shape of one operation and of the configuration of a server. Must not know
any implementation. An adapter satisfies it by its shape: it imports nothing of ours.
"""

from __future__ import annotations

from typing import Literal, NotRequired, Protocol, TypedDict

Security = Literal["none", "starttls", "tls"]

#: The words an implementation may declare, and what each promises.
FEATURES: dict[str, str] = {
    "starttls": "offers or uses STARTTLS (RFC 3207)",
    "implicit-tls": "TLS from the first octet (RFC 8314, section 3.3)",
    "submission": "has a submission port that asks for authentication (RFC 6409)",
    "auth-plain": "AUTH PLAIN (RFC 4954, RFC 4616)",
    "auth-login": "AUTH LOGIN",
    "auth-cram-md5": "AUTH CRAM-MD5 (RFC 2195)",
    "auth-digest-md5": "AUTH DIGEST-MD5",
    "size": "SIZE (RFC 1870)",
    "8bitmime": "8BITMIME (RFC 6152)",
    "pipelining": "PIPELINING (RFC 2920): a server lists it, a client sends commands in groups",
    "smtputf8": "SMTPUTF8 (RFC 6531)",
    "chunking": "BDAT (RFC 3030)",
    "binarymime": "BODY=BINARYMIME (RFC 3030)",
    "dsn": "RET, ENVID, NOTIFY, ORCPT (RFC 3461)",
    "enhanced-status-codes": "replies carry enhanced status codes (RFC 2034)",
    "vrfy": "VRFY answers about mailboxes",
    "expn": "EXPN answers about lists",
    "help": "HELP answers with text",
    "trace": "server: adds a Received field to what it stores",
    "delivery": "server: what it accepts can be read back by the suite",
    "reuse": "client: several transactions on one connection",
    "partial-recipients": "client: goes on when some recipients are refused, and says which",
    "local-name": "client: the name it says in EHLO can be chosen",
}


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
