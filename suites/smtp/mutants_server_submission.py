"""Mutants of the exemplar server: message submission (RFC 6409)."""

from __future__ import annotations

import re
import time

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path
from suites.smtp.mutants_server import ServerBreeder, without

breaks = ServerBreeder()

breaks.answers("no-esmtp", "EHLO is answered with 502.", {"EHLO 250": "502 - No"}, "rfc6409-3.1-esmtp-spoken")
breaks.answers(
    "refusals-521",
    "Refusals carry 521.",
    {"* 530": "521 5.7.0 No", "* 501": "521 5.5.4 No", "* 550": "521 5.7.1 No", "* 554": "521 5.7.1 No"},
    "rfc6409-7-no-521",
    "rfc6409-4.1-general-rejection-554",
)
breaks.answers(
    "illegal-address-554",
    "Illegal addresses get 554.",
    {"MAIL 501": "554 5.1.7 No", "RCPT 501": "554 5.1.3 No"},
    "rfc6409-5.1-illegal-address-501",
)
breaks.answers(
    "illegal-address-accepted",
    "Illegal addresses are accepted.",
    {"MAIL 501": "250 2.1.0 Ok", "RCPT 501": "250 2.1.5 Ok"},
    "rfc6409-5.1-illegal-envelope-address-rejected",
)
breaks.answers(
    "improper-domain-552",
    "Domains that are not fully qualified get 552.",
    {"MAIL 554": "552 5.1.8 No", "RCPT 554": "552 5.1.2 No"},
    "rfc6409-4.2-improper-domain-554",
)
for _keyword, _clause in (
    ("PIPELINING", "7-pipelining-supported"),
    ("ENHANCEDSTATUSCODES", "7-enhanced-status-codes-supported"),
    ("DSN", "7-dsn-supported"),
    ("8BITMIME", "7-8bitmime-supported"),
):
    breaks.lists(
        f"submission-without-{_keyword.lower()}",
        f"{_keyword} is missing.",
        without(_keyword),
        f"rfc6409-{_clause}",
    )
for _verb in ("ETRN", "ATRN"):
    breaks.lists(
        f"{_verb.lower()}-on-offer",
        f"{_verb} is listed.",
        lambda lines, verb=_verb: [*lines, verb],  # type: ignore[misc]  # the verb of this turn is bound
        f"rfc6409-7-no-{_verb.lower()}",
    )


@breaks("rfc6409-3.2-null-return-path-permitted")
class SenderNeededHere(Session):
    """The null return path is refused."""

    def check_sender(self, path: Path, parameters: dict[str, str | None]) -> None:
        if not path.domain:
            raise Refused(550, "5.7.1", "Say who you are")
        super().check_sender(path, parameters)


@breaks("rfc6409-4.2-envelope-domains-qualified")
class PartialDomains(Session):
    """Domains of one label are accepted in the envelope as they are."""

    def check_sender(self, path: Path, parameters: dict[str, str | None]) -> None:
        pass

    def is_local(self, path: Path) -> bool:
        return "." not in path.domain or super().is_local(path)

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        if "." in path.domain:
            super().check_recipient(path, envelope)


@breaks("rfc6409-4.2-incomplete-domains-not-expanded")
class Completes(Session):
    """Whatever does not end in a known domain is completed."""

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        if path.domain.endswith("sales"):
            return
        super().check_recipient(path, envelope)

    def recipient_of(self, path: Path) -> str:
        whole = super().recipient_of(path)
        return f"{whole}.lab.example" if path.domain.endswith("sales") else whole


class NotCompleted(Session):
    """Messages are stored as they came, with nothing but a Message-ID put behind their fields."""

    def as_stored(self, envelope: Envelope, content: bytes) -> bytes:
        head = f"Return-Path: <{envelope.sender}>\r\n".encode() + self.trace(envelope).encode()
        fields, blank, body = content.partition(b"\r\n\r\n")
        return head + fields + b"\r\nMessage-ID: <added@lab.example>" + blank + body


breaks(
    "rfc6409-4.2-header-domains-qualified",
    "rfc6409-5.1-illegal-header-address-rejected",
    "rfc6409-8-delivered-message-conforms",
)(NotCompleted)


@breaks("rfc6409-8.3-message-id-added")
class NoMessageId(Session):
    """A missing Message-ID stays missing."""

    def as_stored(self, envelope: Envelope, content: bytes) -> bytes:
        head = f"Return-Path: <{envelope.sender}>\r\n".encode() + self.trace(envelope).encode()
        return head + content


@breaks("rfc6409-8.1-sender-field-valid")
class OddSender(Session):
    """A Sender field is added that holds a user's bare name."""

    def delivered(self, content: bytes) -> bytes:
        return f"Sender: {self.user}\r\n".encode() + super().delivered(content)


@breaks("rfc6409-8.8-forward-address-not-rewritten")
class RewritesForward(Session):
    """Destination addresses are turned into small letters, their tags cut off."""

    def recipient_of(self, path: Path) -> str:
        return re.sub(r"\+[^@]*", "", super().recipient_of(path).lower())

    def delivered(self, content: bytes) -> bytes:
        return re.sub(rb"(?m)^To:[^\n]*", lambda found: found[0].lower(), super().delivered(content))


@breaks("rfc6409-5.3-replies-within-two-minutes")
class Slow(Session):
    """The end of the data is answered after more than two minutes."""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        time.sleep(121)
        super().finish(content, too_large=too_large)
