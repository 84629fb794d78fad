"""The exemplar server's mail transaction: MAIL, RCPT, DATA, BDAT, and what the end of the data leads to.

Knows RFC 5321, sections 3.3 and 4.1.1, and the parameters of RFC 1870, 3030, 3461, 4954, 6152 and 6531. Must not
know sockets, nor how a message is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from suites.smtp.exemplar_auth import Authentication
from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_submission import complete
from suites.smtp.exemplar_syntax import (
    UTF8_ADDRESS,
    XTEXT,
    BadSyntax,
    Path,
    parse_parameters,
    parse_path,
    plain_local,
    split_brackets,
)
from suites.smtp.exemplar_trace import Passage, received_field, without_return_path

Checks = dict[str, Callable[[str | None], None]]


class Transactions(Authentication):
    """What a session does with mail.

    Attributes:
        recipient_limit: so many recipients a transaction may have.
        client_name: the argument of the latest EHLO or HELO; empty before it.
        extended: whether that was an EHLO.
        envelope: the transaction in progress.
    """

    recipient_limit = 1000
    client_name = ""
    extended = False
    envelope: Envelope | None = None
    _chunks_failed = False

    def in_transaction(self) -> bool:
        """Whether MAIL was accepted and its transaction is not over."""
        return self.envelope is not None

    def end_transaction(self) -> None:
        """Forget sender, recipients and data."""
        self.envelope = None
        self._chunks_failed = False

    # MAIL

    def mail(self, argument: str) -> None:
        """MAIL FROM:<reverse-path> parameters."""
        if not self.client_name:
            raise Refused(503, "5.5.1", "EHLO or HELO comes first")
        if self.envelope is not None:
            raise Refused(503, "5.5.1", "A transaction is open already")
        path, rest = self.path_of(argument, "FROM:")
        parameters = self.checked(rest, self.mail_checks())
        self.check_sender(path, parameters)
        self.begin(path, parameters)
        self.reply(250, "2.1.0", "Sender ok")

    def begin(self, path: Path, parameters: dict[str, str | None]) -> None:
        """Open the transaction."""
        words = [word if value is None else f"{word}={value}" for word, value in parameters.items()]
        self.envelope = Envelope(path.mailbox, parameters, declared=words)

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        """The path after ``FROM:`` or ``TO:``, and what follows it."""
        try:
            if argument[: len(word)].upper() != word:
                raise BadSyntax(f"Syntax: {word}<address>")
            inner, rest = split_brackets(argument[len(word) :])
            if self.is_special_path(inner, word):
                return Path(inner, ""), rest
            return parse_path(inner), rest
        except BadSyntax as error:
            raise self.bad_path(word, str(error)) from error

    def bad_path(self, word: str, what: str) -> Refused:
        """Refuse a path that follows another form."""
        return Refused(501, "5.1.7" if word == "FROM:" else "5.1.3", what)

    def is_special_path(self, inner: str, word: str) -> bool:
        """The null path in MAIL, and the postmaster without a domain in RCPT."""
        return inner == "" if word == "FROM:" else inner.lower() == "postmaster"

    def checked(self, rest: str, checks: Checks) -> dict[str, str | None]:
        """The parameters, each found good; every one occurs once.

        Raises:
            Refused: one is unknown, malformed or given twice.
        """
        try:
            pairs = self.parameters_of(rest)
        except BadSyntax as error:
            raise Refused(501, "5.5.4", str(error)) from error
        found: dict[str, str | None] = {}
        for keyword, value in pairs:
            check = checks.get(keyword)
            if check is None:
                raise self.unknown_parameter(keyword)
            if keyword in found:
                raise self.repeated_parameter(keyword)
            check(value)
            found[keyword] = value
        return found

    def parameters_of(self, rest: str) -> list[tuple[str, str | None]]:
        """What follows the path, keywords in capitals."""
        return parse_parameters(rest)

    def unknown_parameter(self, keyword: str) -> Refused:
        """Refuse a parameter that belongs to no extension offered."""
        return Refused(555, "5.5.4", f"Unknown parameter {keyword[:64]}")

    def repeated_parameter(self, keyword: str) -> Refused:
        """Refuse a second parameter of the same name."""
        return Refused(501, "5.5.4", f"{keyword} is given twice")

    def mail_checks(self) -> Checks:
        """The parameters that MAIL may have."""
        return {
            "SIZE": self.check_size,
            "BODY": self.check_body,
            "SMTPUTF8": self.check_flag,
            "AUTH": self.check_auth_parameter,
            "RET": self.check_ret,
            "ENVID": self.check_envid,
        }

    def check_size(self, value: str | None) -> None:
        """SIZE=octets (RFC 1870, section 6)."""
        if value is None or not re.fullmatch(r"[0-9]{1,20}", value):
            raise Refused(501, "5.5.4", "Syntax: SIZE=octets")
        if int(value) > self.site.maximum_size:
            raise self.too_large()

    def too_large(self) -> Refused:
        """Refuse a message above the limit."""
        return Refused(552, "5.3.4", "Message is larger than this host takes")

    def check_body(self, value: str | None) -> None:
        """BODY=7BIT, 8BITMIME (RFC 6152) or BINARYMIME (RFC 3030)."""
        if value is None or value.upper() not in {"7BIT", "8BITMIME", "BINARYMIME"}:
            raise Refused(501, "5.5.4", "BODY is 7BIT, 8BITMIME or BINARYMIME")

    def check_flag(self, value: str | None) -> None:
        """SMTPUTF8, which has no value (RFC 6531, section 3.4)."""
        if value is not None:
            raise Refused(501, "5.5.4", "SMTPUTF8 has no value")

    def check_auth_parameter(self, value: str | None) -> None:
        """AUTH=xtext; nobody's word is trusted (RFC 4954, section 5)."""
        if value is None or not XTEXT.fullmatch(value):
            raise Refused(501, "5.5.4", "Syntax: AUTH=xtext")

    def check_ret(self, value: str | None) -> None:
        """RET=FULL or HDRS (RFC 3461, section 4.3)."""
        if value is None or value.upper() not in {"FULL", "HDRS"}:
            raise Refused(501, "5.5.4", "RET is FULL or HDRS")

    def check_envid(self, value: str | None) -> None:
        """ENVID=xtext of at most 100 characters (RFC 3461, section 4.4)."""
        if value is None or not XTEXT.fullmatch(value) or len(value) > 100:
            raise Refused(501, "5.5.4", "Syntax: ENVID=xtext")

    def check_sender(self, path: Path, parameters: dict[str, str | None]) -> None:
        """Refuse a sender that is well formed but cannot be."""
        if not path.ascii_only and "SMTPUTF8" not in parameters:
            raise Refused(550, "5.6.7", "This address needs SMTPUTF8")
        if self.site.port == "submission" and path.domain and not is_qualified(path.domain):
            raise Refused(554, "5.1.8", "The sender's domain is not fully qualified")

    # RCPT

    def rcpt(self, argument: str) -> None:
        """RCPT TO:<forward-path> parameters."""
        if self.envelope is None:
            raise Refused(503, "5.5.1", "MAIL comes first")
        path, rest = self.path_of(argument, "TO:")
        self.checked(rest, self.rcpt_checks())
        self.check_recipient(path, self.envelope)
        self.envelope.recipients.append(self.recipient_of(path))
        self.reply(250, "2.1.5", "Recipient ok")

    def recipient_of(self, path: Path) -> str:
        """The mailbox to deliver to."""
        return f"{plain_local(path.local)}@{path.domain}" if path.domain else path.local

    def rcpt_checks(self) -> Checks:
        """The parameters that RCPT may have."""
        return {"NOTIFY": self.check_notify, "ORCPT": self.check_orcpt}

    def check_notify(self, value: str | None) -> None:
        """NOTIFY=NEVER, or a list of SUCCESS, FAILURE and DELAY (RFC 3461, section 4.1)."""
        words = (value or "").upper().split(",")
        if words != ["NEVER"] and not {"SUCCESS", "FAILURE", "DELAY"}.issuperset(words):
            raise Refused(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY")

    def check_orcpt(self, value: str | None) -> None:
        """ORCPT=type;address (RFC 3461, section 4.2; RFC 6533, section 3)."""
        kind, semicolon, address = (value or "").partition(";")
        grammar = UTF8_ADDRESS if kind.lower() == "utf-8" else XTEXT
        if (
            not semicolon
            or not re.fullmatch(r"[A-Za-z0-9-]+", kind)
            or not address
            or not grammar.fullmatch(address)
        ):
            raise Refused(501, "5.5.4", "Syntax: ORCPT=type;xtext")

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        """Refuse a recipient that mail cannot be delivered to here."""
        if not path.ascii_only and not envelope.utf8:
            raise Refused(553, "5.6.7", "This address needs SMTPUTF8")
        if self.site.port == "submission" and path.domain and not is_qualified(path.domain):
            raise Refused(554, "5.1.2", "The recipient's domain is not fully qualified")
        if not self.is_local(path):
            raise self.no_relay()
        if len(envelope.recipients) >= self.recipient_limit:
            raise self.too_many()

    def too_many(self) -> Refused:
        """Refuse a recipient above the limit; those before it stay."""
        return Refused(452, "4.5.3", "Too many recipients")

    def no_relay(self) -> Refused:
        """Refuse mail for other hosts."""
        return Refused(550, "5.7.1", "Nothing is relayed from here")

    def is_local(self, path: Path) -> bool:
        """Whether mail for the address ends here: any mailbox of our domains, and this host's postmaster."""
        if path.domain.lower() in {name.lower() for name in self.site.domains}:
            return True
        at_host = path.domain.lower() in {"", self.site.hostname.lower()}
        return at_host and plain_local(path.local).lower() == "postmaster"

    # DATA

    def data(self, argument: str) -> None:
        """DATA."""
        self.bare("DATA", argument)
        envelope = self.ready_for_content()
        if envelope.chunks is not None or self.is_binary(envelope):
            raise Refused(503, "5.5.1", "This transaction goes on with BDAT")
        self.reply(354, "", "End data with <CR><LF>.<CR><LF>")
        self.begin_data()

    def is_binary(self, envelope: Envelope) -> bool:
        """Whether MAIL said BODY=BINARYMIME."""
        return (envelope.parameters.get("BODY") or "").upper() == "BINARYMIME"

    def bare(self, verb: str, argument: str) -> None:
        """Refuse an argument where none belongs."""
        if argument:
            raise Refused(501, "5.5.4", f"{verb} has no argument")

    def ready_for_content(self) -> Envelope:
        """The transaction, if it has somebody to deliver to."""
        if self.envelope is None:
            raise Refused(503, "5.5.1", "MAIL comes first")
        if not self.envelope.recipients:
            raise Refused(503, "5.5.1", "RCPT comes first")
        return self.envelope

    def on_data(self, content: bytes, *, too_large: bool) -> None:
        """The dot line came."""
        self.verb = "."
        self.finish(content, too_large=too_large or len(content) > self.site.maximum_size)

    # BDAT

    def bdat(self, argument: str) -> None:
        """BDAT octets [LAST]; the octets are read before anything is answered (RFC 3030, section 2)."""
        found = re.fullmatch(r"([0-9]{1,20})( LAST)?", argument, re.IGNORECASE)
        if found is None:
            raise Refused(501, "5.5.4", "Syntax: BDAT octets [LAST]")
        size, last = int(found[1]), bool(found[2])
        refusal = self.chunk_refusal(size)
        if refusal is None:
            self.begin_chunk(size, self.take_chunk, lambda: self.end_chunk(size, last=last))
        else:
            self._chunks_failed = self.envelope is not None
            self.begin_chunk(
                size, self._throw_away, lambda: self.reply(refusal.code, refusal.status, refusal.text)
            )

    def chunk_refusal(self, size: int) -> Refused | None:
        """Why a chunk of this size is not taken, or ``None``."""
        if self._chunks_failed:
            return Refused(503, "5.5.1", "A chunk of this transaction has failed; RSET comes first")
        try:
            envelope = self.ready_for_content()
        except Refused as refusal:
            return refusal
        if len(envelope.chunks or b"") + size > self.site.maximum_size:
            return self.too_large()
        return None

    def take_chunk(self, piece: bytes) -> None:
        """A part of a chunk."""
        if self.envelope is not None:
            if self.envelope.chunks is None:
                self.envelope.chunks = bytearray()
            self.envelope.chunks += piece

    def end_chunk(self, size: int, *, last: bool) -> None:
        """A chunk is complete."""
        if last and self.envelope is not None:
            self.finish(bytes(self.envelope.chunks or b""), too_large=False)
        else:
            self.reply(250, "2.0.0", f"{size} octets taken")

    # the end

    def finish(self, content: bytes, *, too_large: bool) -> None:
        """Keep the message for good, or say that it was not kept; the transaction is over in any case."""
        envelope = self.envelope
        if envelope is None:
            raise RuntimeError("content came without a transaction")
        self.end_transaction()
        try:
            if too_large:
                raise self.too_large()
            self.keep(envelope, self.as_stored(envelope, content))
        except Refused as refusal:
            self.reply(refusal.code, refusal.status, refusal.text)
        except OSError:
            self.reply(451, "4.3.0", "The message could not be stored")
        else:
            self.reply(250, "2.0.0", "Message accepted")

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        """Store the message; OSError when it cannot be stored."""
        self.site.store(envelope, octets)

    def as_stored(self, envelope: Envelope, content: bytes) -> bytes:
        """The message with its trace fields, completed where it came by submission."""
        if self.site.port == "submission":
            content = complete(content, envelope.sender, self.site.hostname)
        head = f"Return-Path: <{envelope.sender}>\r\n".encode()
        return head + self.trace(envelope).encode() + self.delivered(content)

    def trace(self, envelope: Envelope) -> str:
        """The time stamp line (RFC 5321, section 4.4)."""
        return received_field(self.passage(envelope))

    def delivered(self, content: bytes) -> bytes:
        """What is stored of the content itself."""
        return without_return_path(content)

    def passage(self, envelope: Envelope) -> Passage:
        """How this message came here."""
        return Passage(
            client_name=self.client_name,
            client_address=self.site.peer,
            hostname=self.site.hostname,
            protocol=self.protocol(envelope),
            cipher=self.cipher,
            recipient=envelope.recipients[0] if len(envelope.recipients) == 1 else None,
            utf8=envelope.utf8,
        )

    def protocol(self, envelope: Envelope) -> str:
        """The word of the WITH clause (RFC 3848; RFC 6531, section 3.7.3)."""
        if not self.extended:
            return "SMTP"
        letters = ("S" if self.cipher else "") + ("A" if self.user is not None else "")
        return ("UTF8SMTP" if envelope.utf8 else "ESMTP") + letters


def is_qualified(domain: str) -> bool:
    """Whether a domain has several labels, or is a literal (RFC 6409, section 4.2)."""
    return domain.startswith("[") or "." in domain
