"""Mutants of the exemplar server: content from DATA to the place where it is stored (RFC 5321, sections 3.3, 4.1.1.4, 4.5)."""

from __future__ import annotations

import re
import threading

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path
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
