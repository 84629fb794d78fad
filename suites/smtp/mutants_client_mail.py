"""Mutants of the exemplar client: addresses, content, 8-bit content and UTF-8 (RFC 5321, 1870, 6152, 6531)."""

from __future__ import annotations

import re
from dataclasses import replace

from suites.smtp.contract import Transaction, TransactionOutcome
from suites.smtp.exemplar_client import Client, Progress
from suites.smtp.exemplar_envelope import Plan
from suites.smtp.exemplar_message import Nature, stuffed, with_line_ends
from suites.smtp.exemplar_syntax import Path
from suites.smtp.exemplar_talk import Garbled, Reply, Turned, Unsendable
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()

# addresses

breaks.says(
    "routes",
    "Recipients have a source route.",
    r"^RCPT TO:<",
    "RCPT TO:<@relay.lab.example:",
    "rfc5321-3.3-no-source-routes",
    "rfc5321-3.6.1-no-invalid-source-routes",
)
breaks.says(
    "daemon",
    "The null path is sent as an address.",
    r"^MAIL FROM:<>",
    "MAIL FROM:<MAILER-DAEMON@lab.example>",
    "rfc5321-4.1.1.2-null-reverse-path-sent",
)


class Readdressing(Client):
    """Makes something else of local-parts."""

    def local_part(self, path: Path) -> str:
        return self.made(super().local_part(path))

    def made(self, local: str) -> str:
        """What is sent for a local-part."""
        return local


@breaks("rfc5321-2.3.11-local-part-left-alone")
class CutsTags(Readdressing):
    """What follows a plus, a percent sign or an exclamation mark is cut off."""

    def made(self, local: str) -> str:
        return re.sub(r"[+%!].*", "", local)


@breaks("rfc5321-2.4-client-local-part-case")
class SendsSmallLetters(Readdressing):
    """Local-parts are sent in small letters."""

    def made(self, local: str) -> str:
        return local.lower()


@breaks("rfc5321-4.1.1-client-local-part-syntax", "rfc6531-3.3-atext-extension-has-no-ascii")
class Unquotes(Client):
    """Local-parts are sent without the quotes that they need, and with whatever the caller wrote."""

    def address(self, text: str, *, utf8: bool) -> str:
        return text.replace('"', "")


@breaks("rfc5321-4.1.2-minimal-quoting")
class KeepsQuotes(Client):
    """Needless quotes are sent."""

    def local_part(self, path: Path) -> str:
        return path.local


@breaks("rfc5321-4.1.2-no-control-characters-in-commands")
class Unchecked(Client):
    """Addresses and names are sent as the caller wrote them."""

    def address(self, text: str, *, utf8: bool) -> str:
        return text

    def checked_name(self, name: str | None) -> str | None:
        return name

    def is_malformed(self, word: str, value: str | None) -> bool:
        return False


# content

breaks.sends(
    "line-added",
    "An empty line is added at the end.",
    lambda content: content + b"\r\n",
    "rfc5321-4.1.1.4-no-extra-line-at-end",
)
breaks.sends(
    "end-not-mended",
    "A last line without line end stays so.",
    lambda content: content.removesuffix(b"\r\n"),
    "rfc5321-4.1.1.4-missing-final-crlf-mended",
)
breaks.sends(
    "blanks-dropped-at-ends",
    "Blanks at the ends of lines are dropped.",
    lambda content: re.sub(rb"[ \t]+\r\n", b"\r\n", content),
    "rfc5321-4.5.2-content-unchanged",
)


@breaks(
    "rfc5321-2.3.8-bare-lf-not-sent",
    "rfc5321-2.3.8-bare-cr-not-sent",
    "rfc5321-2.4-eightbitmime-no-licence",
    "rfc3030-2-text-lines-crlf",
    "rfc3030-3-local-newlines-reversed",
    "rfc3030-3-canonical-encoding",
    "rfc3030-3-text-parts-crlf",
)
class LineEndsLeft(Client):
    """Line ends are sent as the caller wrote them."""

    def content_of(self, message: bytes) -> bytes:
        return message if message.endswith(b"\r\n") else message + b"\r\n"


@breaks("rfc5321-4.5.2-leading-dot-doubled")
class DotsLeft(Client):
    """Dots at the beginning of a line are not doubled."""

    def as_data(self, content: bytes) -> bytes:
        return content + b".\r\n"


@breaks("rfc5321-4.4-no-return-path-sent")
class ReturnPathSent(Client):
    """A Return-Path field is sent along."""

    def content_of(self, message: bytes) -> bytes:
        return with_line_ends(message)


@breaks("rfc5321-4.5.3.1-client-long-lines-avoided")
class LongLines(Client):
    """Lines of any length are sent."""

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        return super().body_of(replace(kind, long_lines=False), utf8=utf8)


@breaks("rfc5321-7.2-client-keeps-blind-copies-blind")
class TellsAll(Client):
    """All recipients are named in a field of the message."""

    def plan(self, transaction: Transaction) -> Plan:
        plan = super().plan(transaction)
        field = f"Apparently-To: {', '.join(transaction['recipients'])}\r\n".encode()
        return replace(plan, content=field + plan.content)


@breaks("rfc5321-4.5.4.1-one-copy-for-many-recipients")
class CopyForEach(Client):
    """Each recipient gets a transaction."""

    def run_one(self, transaction: Transaction, outcomes: list[TransactionOutcome]) -> None:
        for recipient in transaction["recipients"]:
            super().run_one({**transaction, "recipients": [recipient]}, outcomes)


# transactions


@breaks("rfc5321-3.3-no-data-without-354")
class DataAnyway(Client):
    """The content is sent whatever DATA was answered."""

    def send_data(self, plan: Plan, progress: Progress) -> Reply | None:
        if progress.data is None:
            progress.data = self.command("DATA")
        progress.data = replace(progress.data, code=354)
        return super().send_data(plan, progress)


@breaks("rfc5321-4.5.3.1.8-hundred-at-a-time")
class SurplusLost(Client):
    """Recipients above the server's limit are not tried again."""

    def send_to_rest(
        self, plan: Plan, progress: Progress, notes: dict[str, tuple[int, str]]
    ) -> dict[str, tuple[int, str]]:
        return {}


@breaks("rfc5321-4.5.3.1.10-552-at-rcpt-survived")
class GivesUpAt552(Client):
    """A 552 to one recipient ends the session."""

    def sort(self, progress: Progress, recipient: str, reply: Reply) -> None:
        if reply.code == 552:
            raise Turned(reply)
        super().sort(progress, recipient, reply)


# SIZE

breaks.says("size-hex", "SIZE is said in hexadecimal.", r"SIZE=\d+", "SIZE=0x400", "rfc1870-3-value-syntax")
breaks.says("size-twice", "SIZE is said twice.", r"( SIZE=\d+)", r"\1\1", "rfc1870-6-one-size-parameter")


@breaks("rfc5321-4.5.3.1.7-size-used")
class NoSize(Client):
    """The size is not declared."""

    def own_parameters(self, content: bytes, kind: Nature, *, utf8: bool) -> dict[str, str | None]:
        found = super().own_parameters(content, kind, utf8=utf8)
        found.pop("SIZE", None)
        return found


@breaks("rfc1870-6-counts-content")
class DeclaresDots(Client):
    """The declared size counts dots added, and the last one."""

    def size_of(self, content: bytes) -> str:
        return str(len(stuffed(content)))


@breaks("rfc1870-6-estimate-not-too-small")
class TooSmall(Client):
    """The declared size is too small."""

    def size_of(self, content: bytes) -> str:
        return str(len(content) * 9 // 10)


@breaks("rfc1870-6.2-452-rset-or-quit", "rfc1870-6.2-552-rset-or-quit")
class GoesOn(Client):
    """After a refusal of MAIL the recipients are said all the same."""

    def envelope_one_by_one(self, plan: Plan) -> Progress:
        progress = Progress(self.command(plan.mail))
        for line in plan.recipients.values():
            self.command(line)
        return progress

    def send_envelope(self, plan: Plan) -> Progress:
        return self.envelope_one_by_one(plan)


# 8-bit content

breaks.says("body-twice", "BODY is said twice.", r"( BODY=\w+)", r"\1\1", "rfc6152-3-one-body-parameter")
breaks.says(
    "body-missing",
    "BODY is not said.",
    r" BODY=\w+",
    "",
    "rfc6152-3-body-parameter",
    "rfc3030-3-body-binarymime-on-mail",
)


@breaks("rfc5321-2.4-no-eight-bit-without-extension", "rfc6152-3-no-eightbit-without-8bitmime")
class EightBitAnyway(Client):
    """8-bit content is sent to a server that does not take it."""

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        try:
            return super().body_of(kind, utf8=utf8)
        except Unsendable:
            return None

    def needs_utf8(self, transaction: Transaction, kind: Nature) -> bool:
        return super().needs_utf8(transaction, replace(kind, high_header=False))


@breaks("rfc5321-2.4-eightbitmime-only-for-mime")
class BodyForAll(Client):
    """BODY=8BITMIME is said for messages that are no MIME."""

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        return super().body_of(replace(kind, mime=True), utf8=utf8)


@breaks("rfc6152-3-conversion-lossless", "rfc6152-3-conversion-valid")
class StripsBits(Client):
    """For a server that takes 7 bits only the eighth is cleared."""

    def content_of(self, message: bytes) -> bytes:
        content = super().content_of(message)
        return content if "8BITMIME" in self.extensions else bytes(octet & 127 for octet in content)


# SMTPUTF8

breaks.says(
    "utf8-value",
    "SMTPUTF8 has a value.",
    r" SMTPUTF8",
    " SMTPUTF8=1",
    "rfc6531-3.4-parameter-has-no-value-client",
)
breaks.says(
    "utf8-missing", "SMTPUTF8 is not said.", r" SMTPUTF8", "", "rfc6531-3.4-parameter-supplied-when-needed"
)


@breaks("rfc6531-3.4-parameter-not-supplied-in-vain")
class Utf8InVain(Client):
    """SMTPUTF8 is said whenever it is offered."""

    def needs_utf8(self, transaction: Transaction, kind: Nature) -> bool:
        return super().needs_utf8(transaction, kind) or "SMTPUTF8" in self.extensions


@breaks(
    "rfc5321-2.4-envelope-in-ascii",
    "rfc6531-3.2-nothing-internationalized-without-offer",
    "rfc6531-3.7-domain-form-client",
)
class Utf8Anyway(Client):
    """Addresses and fields in UTF-8 are sent to a server that does not offer SMTPUTF8."""

    def address(self, text: str, *, utf8: bool) -> str:
        return super().address(text, utf8=True)

    def needs_utf8(self, transaction: Transaction, kind: Nature) -> bool:
        return False

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        return super().body_of(replace(kind, high_header=False, mime=True), utf8=utf8)


@breaks("rfc6531-3.1-keyword-parameters-ignored")
class PlainKeyword(Client):
    """A SMTPUTF8 line with parameters counts as none."""

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        found = super().parse_extensions(reply)
        return {word: words for word, words in found.items() if word != "SMTPUTF8" or not words}


@breaks("rfc6531-3.7.1-ehlo-domain-ascii")
class UnicodeName(Client):
    """The client's name is said in UTF-8."""

    def checked_name(self, name: str | None) -> str | None:
        return name


@breaks("rfc6531-3.7.4.1-utf8-in-251-551-accepted")
class AsciiReplies(Client):
    """A reply that is not ASCII is none."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        if not line.isascii():
            raise Garbled("not ASCII")
        return super().parse_line(line)
