"""What the exemplar client puts into MAIL and RCPT, and how it will send the content.

Knows addresses, parameters and which extension allows what. Must not know in which order commands go out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from suites.smtp.contract import Transaction
from suites.smtp.exemplar_message import Nature, nature, with_line_ends, without_return_path
from suites.smtp.exemplar_syntax import XTEXT, BadSyntax, Path, parse_path, plain_local
from suites.smtp.exemplar_talk import Talk, Unsendable

#: Which extension a parameter belongs to.
EXTENSION_OF = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "AUTH": "AUTH",
    **dict.fromkeys(("RET", "ENVID", "NOTIFY", "ORCPT"), "DSN"),
}
#: What a value of the caller's has to look like, where the specification says more than esmtp-value.
_FORMS = {
    "RET": re.compile(r"FULL|HDRS", re.IGNORECASE),
    "NOTIFY": re.compile(
        r"NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2}", re.IGNORECASE
    ),
    "ENVID": XTEXT,
    "BODY": re.compile(r"7BIT|8BITMIME|BINARYMIME", re.IGNORECASE),
    "SIZE": re.compile(r"[0-9]{1,20}"),
    "ORCPT": re.compile(r"[A-Za-z0-9-]+;.+"),
}


@dataclass(frozen=True)
class Plan:
    """One transaction, ready to be said.

    Attributes:
        mail: the MAIL line.
        recipients: address as the caller wrote it → its RCPT line.
        content: with CRLF line ends, not stuffed.
        chunked: it goes by BDAT.
    """

    mail: str
    recipients: dict[str, str]
    content: bytes
    chunked: bool

    def narrowed(self, recipients: list[str]) -> Plan:
        """The same for some of the recipients."""
        return replace(self, recipients={name: self.recipients[name] for name in recipients})


class Planner(Talk):
    """Turns a transaction into a plan for the server at hand."""

    def plan(self, transaction: Transaction) -> Plan:
        """What to say.

        Raises:
            Unsendable: this message must not go to this server.
        """
        content = self.content_of(transaction["message"])
        kind = nature(content)
        utf8 = self.needs_utf8(transaction, kind)
        parameters = {
            **self.given(transaction["mail_options"]),
            **self.own_parameters(content, kind, utf8=utf8),
        }
        options = self.given(transaction["rcpt_options"])
        sender = transaction["mail_from"]
        path = self.address(sender, utf8=utf8) if sender else ""
        return Plan(
            mail=self.with_parameters(f"MAIL FROM:<{path}>", parameters),
            recipients={
                name: self.with_parameters(f"RCPT TO:<{self.address(name, utf8=utf8)}>", options)
                for name in transaction["recipients"]
            },
            content=content,
            chunked=self.by_chunks(),
        )

    def content_of(self, message: bytes) -> bytes:
        """The content to send: CRLF line ends, no Return-Path."""
        return without_return_path(with_line_ends(message))

    def by_chunks(self) -> bool:
        """Whether the content goes by BDAT."""
        return "CHUNKING" in self.extensions

    def with_parameters(self, line: str, parameters: dict[str, str | None]) -> str:
        """The line with its parameters behind it."""
        words = [word if value is None else f"{word}={value}" for word, value in parameters.items()]
        return " ".join([line, *words])

    # addresses

    def address(self, text: str, *, utf8: bool) -> str:
        """The mailbox as it goes between the brackets.

        Raises:
            Unsendable: it is none, or needs what this session has not.
        """
        try:
            path = self.parsed(text)
        except BadSyntax as error:
            raise Unsendable(f"{text!a} is no address") from error
        local, domain = self.local_part(path), path.domain
        if not utf8:
            domain = self.ascii_domain(domain)
            if not local.isascii():
                raise Unsendable(f"{text!a} needs SMTPUTF8")
        return f"{local}@{domain}" if domain else local

    def parsed(self, text: str) -> Path:
        """The address, understood; the bare postmaster is one too."""
        if text.lower() == "postmaster":
            return Path(text, "")
        path = parse_path(text)
        if text != path.mailbox:
            raise BadSyntax("a source route")
        return path

    def local_part(self, path: Path) -> str:
        """The local-part with as little quoting as possible (RFC 5321, section 4.1.2)."""
        return plain_local(path.local)

    def ascii_domain(self, domain: str) -> str:
        """The domain as A-labels (RFC 6531, section 3.7)."""
        try:
            return domain if domain.isascii() else domain.encode("idna").decode()
        except UnicodeError as error:
            raise Unsendable(f"{domain!a} is no domain") from error

    # parameters

    def given(self, options: list[str]) -> dict[str, str | None]:
        """The caller's options; each is well formed and offered.

        Raises:
            Unsendable: one is not.
        """
        found: dict[str, str | None] = {}
        for option in options:
            keyword, equals, value = option.partition("=")
            word = keyword.upper()
            if self.is_malformed(word, value if equals else None) or word in found:
                raise Unsendable(f"{option!a} is no parameter, or is given twice")
            if not self.is_offered(word):
                raise Unsendable(f"the server does not offer {word}")
            found[word] = value if equals else None
        return found

    def is_malformed(self, word: str, value: str | None) -> bool:
        """Whether a parameter of the caller's must not be sent as it is."""
        if word == "SMTPUTF8":
            return value is not None
        if value is None or not re.fullmatch(r"[!-<>-~\u0080-\U0010ffff]+", value):
            return True
        form = _FORMS.get(word)
        return form is not None and not form.fullmatch(value)

    def is_offered(self, word: str) -> bool:
        """Whether the server listed the extension a parameter belongs to."""
        return EXTENSION_OF.get(word, word) in self.extensions

    def own_parameters(self, content: bytes, kind: Nature, *, utf8: bool) -> dict[str, str | None]:
        """What the message asks for by itself."""
        found: dict[str, str | None] = {}
        body = self.body_of(kind, utf8=utf8)
        if body is not None:
            found["BODY"] = body
        if utf8:
            found["SMTPUTF8"] = None
        if "SIZE" in self.extensions:
            found["SIZE"] = self.size_of(content)
        return found

    def size_of(self, content: bytes) -> str:
        """The declared size: the content with its CRLFs, without dots added (RFC 1870, section 6)."""
        return str(len(content))

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        """The BODY value, ``None`` for none.

        Raises:
            Unsendable: the server does not take such content, and this client converts none.
        """
        if kind.binary:
            if not {"BINARYMIME", "CHUNKING"} <= self.extensions.keys():
                raise Unsendable("the server does not take binary parts")
            return "BINARYMIME"
        if kind.long_lines:
            raise Unsendable("a line of the message is longer than 998 octets")
        if not kind.high_body and not kind.high_header:
            return None
        if "8BITMIME" not in self.extensions or not (kind.mime or utf8):
            raise Unsendable("the message has 8-bit octets, which this server does not take as they are")
        return "8BITMIME"

    def needs_utf8(self, transaction: Transaction, kind: Nature) -> bool:
        """Whether SMTPUTF8 is due.

        Raises:
            Unsendable: it is, and the server does not offer it.
        """
        addresses = [transaction["mail_from"], *transaction["recipients"]]
        offered = "SMTPUTF8" in self.extensions
        high_local = any(not name.rpartition("@")[0].isascii() for name in addresses)
        if (high_local or kind.high_header) and not offered:
            raise Unsendable(
                "the addresses or the header fields need SMTPUTF8, which the server does not offer"
            )
        return kind.high_header or (offered and any(not name.isascii() for name in addresses))
