"""Mutants of the exemplar server: SIZE, 8BITMIME, PIPELINING and status codes (RFC 1870, 6152, 2920, 2034)."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable

from suites.smtp.exemplar_edge import Edge
from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path
from suites.smtp.mutants_server import ServerBreeder, instead, without

breaks = ServerBreeder()

for _keyword, _spec in (
    ("8BITMIME", "rfc6152-2"),
    ("PIPELINING", "rfc2920-2"),
    ("ENHANCEDSTATUSCODES", "rfc2034-3"),
    ("CHUNKING", "rfc3030-2"),
    ("DSN", "rfc3461-2"),
    ("SMTPUTF8", "rfc6531-3.1"),
):
    breaks.lists(
        f"{_keyword.lower()}-with-parameter",
        f"The {_keyword} line has a parameter.",
        instead(_keyword, f"{_keyword} YES"),
        f"{_spec}-keyword-without-parameter",
    )

# SIZE

breaks.lists("size-missing", "SIZE is not offered.", without("SIZE"), "rfc5321-4.5.3.1.7-size-offered")
breaks.lists(
    "size-in-megabytes", "SIZE has a unit.", instead("SIZE", "SIZE 20MB"), "rfc1870-3-keyword-syntax"
)
breaks.limits("size-short-mail", "MAIL ends at 512 octets.", 512, "rfc1870-3-mail-line-26-longer")


@breaks("rfc1870-4-too-large-message-552", "rfc1870-7-declared-too-large-552")
class TooLarge554(Session):
    """A message above the limit gets 554."""

    def too_large(self) -> Refused:
        return Refused(554, "5.3.4", "Too large")


@breaks("rfc1870-4-limit-is-accepted")
class LimitExcluded(Session):
    """A message as large as the limit is too large."""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        super().finish(content, too_large=too_large or len(content) >= self.site.maximum_size)


@breaks("rfc1870-6-not-end-of-content")
class DeclaredIsAll(Session):
    """No more is stored than was declared."""

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        size = envelope.parameters.get("SIZE")
        super().keep(envelope, octets[: int(size)] if size else octets)


@breaks("rfc1870-6.1-declared-size-checked")
class DeclaredIgnored(Session):
    """The declared size is not looked at."""

    def check_size(self, value: str | None) -> None:
        pass


@breaks("rfc1870-6.3-no-552-after-promise")
class CountsDots(Session):
    """Dots that were doubled count as content."""

    def unstuff(self, content: bytes) -> bytes:
        self.counted = len(content)
        return super().unstuff(content)

    counted = 0

    def finish(self, content: bytes, *, too_large: bool) -> None:
        super().finish(content, too_large=too_large or self.counted > self.site.maximum_size)


# 8BITMIME

breaks.lists(
    "no-8bitmime", "8BITMIME is not offered.", without("8BITMIME"), "rfc5321-2.4-eightbitmime-offered"
)
breaks.stores(
    "seven-bits",
    "The eighth bit of each octet is cleared.",
    lambda content: bytes(octet & 127 for octet in content),
    "rfc6152-3-data-octets-preserved",
    "rfc6152-3-delivered-unchanged",
    "rfc6531-3.2-headers-preserved",
)


@breaks("rfc6152-2-body-values-accepted")
class BodyInCapitals(Session):
    """BODY values are known in capitals only."""

    def check_body(self, value: str | None) -> None:
        if value != (value or "").upper():
            raise Refused(501, "5.5.4", "What?")
        super().check_body(value)


# PIPELINING


class Holding(Edge):
    """Holds replies back while more input is there or expected."""

    def send(self, connection: socket.socket, session: Session) -> None:
        if not self.holds(session):
            super().send(connection, session)

    def holds(self, session: Session) -> bool:
        """Whether to wait."""
        return bool(session.unread)


breaks("rfc2920-3.2-no-buffering-of-group-enders")(Holding)


@breaks("rfc2920-3.2-no-buffering-of-unknown-commands")
class HoldsUnknown(Holding):
    """Replies to unknown commands are held back while a command is unfinished."""

    def holds(self, session: Session) -> bool:
        return bool(session.unread) and session.output.startswith(b"500")


@breaks("rfc2920-3.2-replies-flushed-when-idle")
class HoldsEnvelope(Holding):
    """Replies to RCPT are held back until DATA."""

    def holds(self, session: Session) -> bool:
        return session.verb == "RCPT" and b"2.1.5" in session.output


@breaks("rfc2920-3.2-replies-in-order")
class RefusalsFirst(Session):
    """Of the replies to a group the refusals come first."""

    def receive(self, octets: bytes) -> None:
        super().receive(octets)
        replies = re.findall(rb"(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n", bytes(self.output))
        refusals = [reply for reply in replies if reply[:1] == b"5"]
        self.output[:] = b"".join([*refusals, *(reply for reply in replies if reply not in refusals)])


@breaks("rfc2920-3.2-data-only-with-recipients", "rfc2920-3.2-empty-message-not-sent")
class DataForNobody(Session):
    """DATA needs no recipient, and what comes is stored for those that were refused."""

    refused: tuple[str, ...] = ()

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        try:
            super().check_recipient(path, envelope)
        except Refused:
            self.refused = (path.mailbox,)
            raise

    def ready_for_content(self) -> Envelope:
        if self.envelope is not None and not self.envelope.recipients:
            self.envelope.recipients.extend(self.refused)
        return super().ready_for_content()


@breaks("rfc2920-3.2-no-assumptions-on-next-command")
class ExpectsRcpt(Session):
    """After MAIL only RCPT is expected."""

    after_mail = False

    def handler(self, verb: str) -> Callable[[str], None]:
        expected, self.after_mail = self.after_mail, verb == "MAIL"
        if expected and verb not in {"RCPT", "MAIL"}:
            raise Refused(503, "5.5.1", "RCPT was expected")
        return super().handler(verb)


@breaks("rfc2920-3.2-input-never-lost")
class RefusalDropsInput(Session):
    """A refusal throws away what came behind the command."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        super().reply(code, status, *texts)
        if code >= 500:
            self.drop_input()


@breaks("rfc2920-3.1-message-and-next-group")
class EndDropsInput(Session):
    """What came behind the end of the data is thrown away."""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        super().finish(content, too_large=too_large)
        self.drop_input()


@breaks("rfc2920-3.2-text-tells-command")
class AlwaysOk(Session):
    """Every positive reply has the same text."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        if code == 250 and len(texts) == 1:
            super().reply(250, "2.0.0", "Ok")
        else:
            super().reply(code, status, *texts)


# enhanced status codes


class Restatused(Session):
    """Gives other enhanced status codes."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        super().reply(code, self.status(code, status), *texts)

    def status(self, code: int, status: str) -> str:
        """The code in place of the right one."""
        return status


@breaks("rfc2034-3-code-followed-by-space")
class DashedStatus(Session):
    """A hyphen stands behind the status code."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        return super().reply_octets(code, [re.sub(r"^(\d\.\d\.\d) ", r"\1-", line) for line in lines])


@breaks("rfc2034-4-code-starts-the-text")
class StatusBehind(Session):
    """The status code stands at the end."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        return super().reply_octets(code, [re.sub(r"^(\d\.\d\.\d) (.*)$", r"\2 \1", line) for line in lines])


@breaks("rfc2034-4-all-2xx-4xx-5xx-replies")
class SometimesNone(Restatused):
    """Replies to commands out of order, and unknown ones, have no status code."""

    def status(self, code: int, status: str) -> str:
        return "" if code in {500, 503, 221, 252} else status


@breaks("rfc2034-4-none-in-3xx")
class StatusIn354(Restatused):
    """A 354 has a status code."""

    def status(self, code: int, status: str) -> str:
        return "2.0.0" if code == 354 else status


@breaks("rfc2034-4-class-agrees")
class ClassDiffers(Restatused):
    """Refusals of the 5yz kind carry a temporary status code."""

    def status(self, code: int, status: str) -> str:
        return re.sub(r"^5", "4", status)


@breaks("rfc2034-4-same-code-in-each-line")
class LinesDiffer(Session):
    """Each line of a reply has a status code of its own."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        texts = [
            re.sub(r"^(\d\.\d\.)\d", rf"\g<1>{number}", line) if number else line
            for number, line in enumerate(lines)
        ]
        return super().reply_octets(code, texts)


@breaks("rfc2034-4-also-after-helo")
class NoStatusAfterHelo(Restatused):
    """After HELO there are no status codes."""

    def status(self, code: int, status: str) -> str:
        return status if self.extended else ""
