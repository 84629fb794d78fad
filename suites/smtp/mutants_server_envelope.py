"""Mutants of the exemplar server: envelopes, addresses and limits (RFC 5321, sections 3, 4.1, 4.5 and 7)."""

from __future__ import annotations

import re

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path, plain_local
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()


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
