"""Mutants of the exemplar server: envelopes, addresses, data and limits (RFC 5321, sections 3, 4.1, 4.5 and 7)."""

from __future__ import annotations

import re
import threading

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path, plain_local
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()

# answers

breaks.answers(
    "data-250",
    "DATA is answered with 250.",
    {"DATA 354": "250 2.0.0 Go ahead"},
    "rfc5321-3.3-data-answered-354",
)
breaks.answers(
    "success-denied",
    "A message that was stored is answered with 451.",
    {". 250": "451 4.3.0 Trouble"},
    "rfc5321-4.1.1.4-success-is-confirmed",
)
breaks.answers(
    "failure-hidden",
    "A message that was not stored is answered with 250.",
    {". 451": "250 2.0.0 Ok", ". 552": "250 2.0.0 Ok"},
    "rfc5321-4.1.1.4-failure-is-confirmed",
)
breaks.answers(
    "relay-554",
    "Foreign recipients get 554.",
    {"RCPT 550": "554 5.7.1 No"},
    "rfc5321-3.6.2-relay-refused-550",
)

# content

breaks.rejects(
    "needs-from",
    "Messages without From are refused.",
    lambda content: b"\r\nFrom:" not in b"\r\n" + content or b"\r\nDate:" not in b"\r\n" + content,
    "rfc5321-3.3-defective-header-accepted",
)
breaks.rejects(
    "no-resent",
    "Messages with Resent fields are refused.",
    lambda content: b"Resent-" in content,
    "rfc5321-3.3-resent-fields-accepted",
)
breaks.rejects(
    "strict-trace",
    "Messages with a Received field without date are refused.",
    lambda content: re.search(rb"(?m)^Received:[^;]*$", content),
    "rfc5321-3.7.2-odd-trace-accepted",
)
breaks.rejects(
    "fifty-hops",
    "Messages with more than 50 Received fields are refused.",
    lambda content: content.count(b"Received:") > 50,
    "rfc5321-6.3-hundred-received-fields",
)
breaks.rejects(
    "few-header-recipients",
    "Messages with more than 100 addresses in the header are refused.",
    lambda content: content.count(b"@") > 100,
    "rfc5321-4.5.3.1.8-header-recipients-not-limited",
)
breaks.rejects(
    "small-messages",
    "Messages above 60,000 octets are refused.",
    lambda content: len(content) > 60_000,
    "rfc5321-4.5.3.1.7-message-64k",
)
breaks.stores(
    "lf-mended",
    "A bare LF is stored as a line end.",
    lambda content: re.sub(rb"(?<!\r)\n\.?", b"\r\n", content),
    "rfc5321-4.1.1.4-lf-ends-no-data-line",
)
breaks.stores(
    "blanks-dropped",
    "Blanks at the end of a line are dropped.",
    lambda content: re.sub(rb"[ \t]+\r\n", b"\r\n", content),
    "rfc5321-4.5.2-transformations-reversible",
)
breaks.stores(
    "controls-dropped",
    "Control characters are dropped.",
    lambda content: re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", b"", content),
    "rfc5321-4.5.2-all-characters-delivered",
)
breaks.stores(
    "dot-line-stored",
    "The final dot is stored.",
    lambda content: content + b".\r\n",
    "rfc5321-4.5.2-dot-line-ends-data",
)
breaks.stores(
    "lines-cut",
    "Lines are cut at 900 octets.",
    lambda content: re.sub(rb"([^\r\n]{900})[^\r\n]+", rb"\1", content),
    "rfc5321-4.5.3.1.6-text-line-1000",
)
breaks.stores(
    "to-rewritten",
    "The field To is made anew.",
    lambda content: re.sub(
        rb"(?m)^To:[^\r\n]*",
        b"To: undisclosed-recipients:;",
        b"To: x\r\n" * (b"\nTo:" not in content) + content,
    ),
    "rfc5321-7.2-envelope-does-not-alter-header",
)


@breaks("rfc5321-2.1-accepted-message-is-delivered")
class LosesMail(Session):
    """Accepted messages are lost."""

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        pass


@breaks("rfc5321-6.1-accepted-message-survives")
class StoresLater(Session):
    """Messages are stored a moment after they were accepted."""

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        threading.Timer(0.5, lambda: self.site.store(envelope, octets)).start()


@breaks("rfc5321-4.2.5-temporary-refusal-not-delivered")
class DeliversLater(Session):
    """What could not be stored, and was refused, is stored when it can be."""

    waiting: tuple[Envelope, bytes] | None = None

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        try:
            self.site.store(envelope, octets)
        except OSError:
            self.waiting = (envelope, octets)
            raise

    def on_line(self, line: bytes) -> None:
        if self.waiting is not None:
            try:
                self.site.store(*self.waiting)
            except OSError:
                super().on_line(line)
                return
            self.waiting = None
        super().on_line(line)


@breaks("rfc5321-4.2.5-permanent-refusal-not-delivered")
class DeliversRefused(Session):
    """Messages above the limit are refused and delivered."""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        if too_large and self.envelope is not None:
            self.keep(self.envelope, self.as_stored(self.envelope, content))
        super().finish(content, too_large=too_large)


@breaks("rfc5321-4.3.1-codes-mean-what-they-say")
class RefusesAndDelivers(Session):
    """Recipients that were refused get the message all the same."""

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        try:
            super().check_recipient(path, envelope)
        except Refused:
            envelope.recipients.append(path.mailbox)
            raise


@breaks("rfc5321-2.3.8-only-crlf-dot-crlf-ends-data")
class AnyDotLine(Session):
    """A dot between line ends of any kind ends the data."""

    def find_data_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        found = re.compile(rb"(?:\r\n|\r|\n)(\.(?:\r\n|\r(?=[^\n])|\n))").search(octets, max(start - 4, 0))
        return found.span(1) if found else (-1, -1)


@breaks("rfc5321-4.1.1.4-lf-dot-lf-not-end")
class LfDotLf(Session):
    """LF.LF ends the data."""

    def find_data_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        found = octets.find(b"\n.\n")
        return (found + 1, found + 3) if found >= 0 else super().find_data_end(octets, start)


@breaks("rfc5321-4.5.2-leading-dot-removed")
class KeepsDots(Session):
    """Doubled dots stay doubled."""

    def unstuff(self, content: bytes) -> bytes:
        return content


# envelopes


@breaks("rfc5321-4.1.1.2-mail-begins-anew", "rfc5321-3.3-many-transactions-one-session")
class Sticky(Session):
    """Recipients of an earlier transaction get the next message too."""

    earlier: tuple[str, ...] = ()

    def end_transaction(self) -> None:
        if self.envelope is not None:
            self.earlier = tuple(self.envelope.recipients)
        super().end_transaction()

    def begin(self, path: Path, parameters: dict[str, str | None]) -> None:
        super().begin(path, parameters)
        if self.envelope is not None:
            self.envelope.recipients.extend(self.earlier)


@breaks("rfc5321-4.1.1.4-buffers-cleared-after-data")
class KeepsEnvelope(Session):
    """The transaction stays open after the end of the data."""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        kept = self.envelope
        super().finish(content, too_large=too_large)
        self.envelope = kept


@breaks("rfc5321-4.1.1.3-recipients-add-up")
class LastRecipientOnly(Session):
    """Each RCPT takes the place of the one before."""

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        super().check_recipient(path, envelope)
        envelope.recipients.clear()


@breaks("rfc5321-3.3-data-without-recipient-refused")
class NobodyNeeded(Session):
    """DATA needs no recipient."""

    def ready_for_content(self) -> Envelope:
        if self.envelope is None:
            raise Refused(503, "5.5.1", "MAIL first")
        return self.envelope


@breaks("rfc5321-C-envelope-alone-routes")
class HeaderRoutes(Session):
    """Messages go to the addresses in the header too."""

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        head = octets.partition(b"\r\n\r\n")[0].decode("latin-1")
        for line in re.findall(r"(?im)^(?:To|Cc|Bcc):(.*)", head):
            envelope.recipients += re.findall(r"[\w.+-]+@lab\.example", line)
        super().keep(envelope, octets)


@breaks("rfc5321-7.2-server-keeps-blind-copies-blind")
class TellsRecipients(Session):
    """All recipients are named in a field of the message."""

    def trace(self, envelope: Envelope) -> str:
        return super().trace(envelope) + f"Apparently-To: {', '.join(envelope.recipients)}\r\n"


@breaks("rfc5321-4.1.1.3-route-not-in-reverse-path")
class RouteReversed(Session):
    """The names of a source route go into the reverse-path."""

    def rcpt(self, argument: str) -> None:
        super().rcpt(argument)
        route = re.match(r"TO:<(@[^:]+:)", argument, re.IGNORECASE)
        if route is not None and self.envelope is not None:
            self.envelope.sender = route[1] + self.envelope.sender


# addresses


@breaks("rfc5321-2.3.5-bare-postmaster-accepted")
class PostmasterNeedsDomain(Session):
    """RCPT TO:<postmaster> is a syntax error."""

    def is_special_path(self, inner: str, word: str) -> bool:
        return word == "FROM:" and super().is_special_path(inner, word)


@breaks("rfc5321-4.1.1.2-null-reverse-path-accepted")
class SenderNeeded(Session):
    """MAIL FROM:<> is a syntax error."""

    def is_special_path(self, inner: str, word: str) -> bool:
        return word == "TO:" and super().is_special_path(inner, word)


@breaks("rfc5321-4.5.1-postmaster-any-case")
class SmallPostmaster(Session):
    """The postmaster is known in small letters only."""

    def is_local(self, path: Path) -> bool:
        odd = path.local.lower() == "postmaster" and path.local != "postmaster"
        return not odd and super().is_local(path)


@breaks("rfc5321-4.5.1-postmaster-at-every-domain")
class NoPostmaster(Session):
    """There is no postmaster at the domain."""

    def is_local(self, path: Path) -> bool:
        return path.local.lower() != "postmaster" and super().is_local(path)


@breaks("rfc5321-2.3.11-foreign-local-part-not-interpreted")
class PercentHack(Session):
    """A local-part with % or ! is read as a route."""

    def is_local(self, path: Path) -> bool:
        return "%" in path.local or "!" in path.local or super().is_local(path)


@breaks("rfc5321-7.9-relay-filter")
class OpenRelay(Session):
    """Mail for anybody is accepted."""

    def is_local(self, path: Path) -> bool:
        return True


@breaks("rfc5321-5.1-no-inferred-domains")
class InfersDomains(Session):
    """A domain of one label is completed."""

    def recipient_of(self, path: Path) -> str:
        return super().recipient_of(path if path.domain != "lab" else Path(path.local, "lab.example"))

    def is_local(self, path: Path) -> bool:
        return path.domain == "lab" or super().is_local(path)


@breaks("rfc5321-2.4-server-local-part-case")
class SmallLetters(Session):
    """Local-parts are turned into small letters."""

    def recipient_of(self, path: Path) -> str:
        return super().recipient_of(path).lower()


@breaks("rfc5321-3.3-source-route-handled", "rfc5321-4.1.1.3-source-route-recognised")
class NoRoutes(Session):
    """A source route is a syntax error."""

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        if argument[len(word) :].startswith("<@"):
            raise Refused(501, "5.1.3", "What is that?")
        return super().path_of(argument, word)


@breaks("rfc5321-4.1.1.3-source-route-stripped")
class RoutesRefused(Session):
    """A source route is refused."""

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        if argument[len(word) :].startswith("<@"):
            raise Refused(553, "5.1.3", "No source routes")
        return super().path_of(argument, word)


@breaks("rfc5321-4.1.1-server-local-part-syntax")
class NoQuotes(Session):
    """Quoted local-parts are a syntax error."""

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        if '"' in argument:
            raise Refused(501, "5.1.3", "What is that?")
        return super().path_of(argument, word)


@breaks("rfc5321-4.1.2-quoted-forms-equal")
class QuotesDiffer(Session):
    """A mailbox in needless quotes is another mailbox, which does not exist."""

    def is_local(self, path: Path) -> bool:
        return plain_local(path.local) == path.local and super().is_local(path)


# limits


class Measuring(Session):
    """Refuses paths by their lengths."""

    local_limit, domain_limit, path_limit = 1000, 1000, 1000

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        path, rest = super().path_of(argument, word)
        lengths = (len(path.local), len(path.domain), len(path.mailbox))
        if any(length > limit for length, limit in zip(lengths, self.limits, strict=True)):
            raise Refused(501, "5.1.3", "Too long")
        return path, rest

    @property
    def limits(self) -> tuple[int, int, int]:
        """Octets of local-part, domain and mailbox."""
        return self.local_limit, self.domain_limit, self.path_limit


@breaks("rfc5321-4.5.3.1.1-local-part-64")
class ShortLocalPart(Measuring):
    """Local-parts above 63 octets are refused."""

    local_limit = 63


@breaks("rfc5321-4.5.3.1.2-domain-255")
class ShortDomain(Measuring):
    """Domains above 200 octets are refused."""

    domain_limit = 200

    def hello(self, argument: str, *, extended: bool) -> None:
        if len(argument) > self.domain_limit:
            raise Refused(501, "5.5.4", "Too long")
        super().hello(argument, extended=extended)


@breaks("rfc5321-4.5.3.1.3-path-256")
class ShortPath(Measuring):
    """Paths above 200 octets are refused."""

    path_limit = 200


@breaks("rfc5321-4.5.3.1.8-hundred-recipients")
class FiftyRecipients(Session):
    """A transaction has 50 recipients at most."""

    recipient_limit = 50


@breaks("rfc5321-4.5.3.1.8-recipient-limit-orderly")
class LimitForgets(Session):
    """A recipient above the limit makes the server forget the earlier ones."""

    def too_many(self) -> Refused:
        if self.envelope is not None:
            del self.envelope.recipients[1:]
        return super().too_many()


@breaks("rfc5321-4.5.3.1.10-recipient-limit-452")
class Limit451(Session):
    """Recipients above the limit get 451."""

    def too_many(self) -> Refused:
        return Refused(451, "4.5.3", "Too many recipients")
