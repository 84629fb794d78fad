"""Mutants of the exemplar server: CHUNKING, DSN and SMTPUTF8 (RFC 3030, 3461, 6531)."""

from __future__ import annotations

import re

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path, parse_parameters
from suites.smtp.exemplar_transaction import Checks
from suites.smtp.mutants_server import ServerBreeder, without

breaks = ServerBreeder()

# CHUNKING and BINARYMIME

breaks.lists(
    "binarymime-alone",
    "BINARYMIME is offered without CHUNKING.",
    without("CHUNKING"),
    "rfc3030-3-binarymime-needs-chunking",
)
breaks.lacks("no-data", "DATA is answered with 502.", "DATA", "rfc3030-2-data-still-works")
breaks.answers(
    "chunk-354",
    "A chunk is answered with 354.",
    {"BDAT 250": "354 - Go on"},
    "rfc3030-2-each-chunk-250",
)
breaks.answers(
    "mixed-501",
    "BDAT and DATA out of place get 501.",
    {"BDAT 503": "501 5.5.1 No", "DATA 503": "501 5.5.1 No"},
    "rfc3030-2-bdat-after-last-503",
    "rfc3030-2-data-after-bdat-503",
    "rfc3030-3-data-after-binarymime-503",
)
breaks.rejects(
    "binary-suspected",
    "A message that calls itself binary is refused.",
    lambda content: b"encoding: binary" in content.lower(),
    "rfc3030-3-undeclared-binary-accepted",
)
breaks.stores(
    "binary-mended",
    "Lone LF and CR are stored as line ends.",
    lambda content: re.sub(rb"\r\n|\r|\n", b"\r\n", content),
    "rfc3030-3-binary-preserved",
)


@breaks("rfc3030-2-chunks-joined")
class ChunksUnstuffed(Session):
    """Dots at the beginning of lines are taken from chunks."""

    def end_chunk(self, size: int, *, last: bool) -> None:
        if self.envelope is not None and self.envelope.chunks is not None:
            self.envelope.chunks[:] = self.unstuff(bytes(self.envelope.chunks)) + b"\r\n"
        super().end_chunk(size, last=last)


@breaks("rfc3030-2-zero-length-last")
class EmptyChunk(Session):
    """A chunk without octets is a syntax error."""

    def bdat(self, argument: str) -> None:
        if argument.startswith("0"):
            raise Refused(501, "5.5.4", "Nothing?")
        super().bdat(argument)


@breaks("rfc3030-2-failed-chunk-read-first", "rfc3030-2-pipelined-chunks-discarded")
class ChunkLeftThere(Session):
    """The octets of a chunk that is refused are taken for commands."""

    def bdat(self, argument: str) -> None:
        found = re.match(r"\d+", argument)
        refusal = self.chunk_refusal(int(found[0])) if found is not None else None
        if refusal is not None:
            raise refusal
        super().bdat(argument)


@breaks("rfc3030-2-rset-drops-chunks")
class KeepsChunks(Session):
    """RSET keeps the chunks for the next transaction."""

    old: bytes = b""

    def rset(self, argument: str) -> None:
        if self.envelope is not None:
            self.old = bytes(self.envelope.chunks or b"")
        super().rset(argument)

    def begin(self, path: Path, parameters: dict[str, str | None]) -> None:
        super().begin(path, parameters)
        if self.envelope is not None and self.old:
            self.envelope.chunks = bytearray(self.old)

    def data(self, argument: str) -> None:
        kept = b""
        if self.envelope is not None and self.old:
            kept, self.envelope.chunks = bytes(self.old), None
        super().data(argument)
        self.prefix = kept

    prefix: bytes = b""

    def finish(self, content: bytes, *, too_large: bool) -> None:
        super().finish(self.prefix + content, too_large=too_large)


@breaks("rfc3030-2-arbitrary-octets-survived")
class GarbageCloses(Session):
    """What is no command closes the connection without a word."""

    def on_line(self, line: bytes) -> None:
        if (line.isascii() and line.replace(b" ", b"").isalnum()) or b":" in line:
            super().on_line(line)
        else:
            self.closing = True


# DSN


@breaks(
    "rfc3461-4.1-notify-any-case",
    "rfc3461-4.3-ret-any-case",
)
class DsnInCapitals(Session):
    """NOTIFY and RET are understood in capitals only."""

    def check_notify(self, value: str | None) -> None:
        super().check_notify(self.capitals(value))

    def check_ret(self, value: str | None) -> None:
        super().check_ret(self.capitals(value))

    def capitals(self, value: str | None) -> str | None:
        """The value, if it has no small letter."""
        if value != (value or "").upper():
            raise Refused(501, "5.5.4", "What?")
        return value


@breaks(
    "rfc3461-4.1-notify-never-with-others-501",
    "rfc3461-4.5-ret-envid-twice-501",
    "rfc3461-4.5-notify-orcpt-twice-501",
    "rfc3461-5.1-invalid-ret-envid-501",
    "rfc3461-5.1-invalid-notify-orcpt-501",
    "rfc6531-3.4-parameter-has-no-value-server",
)
class TakesAnyValue(Session):
    """Parameters are taken whatever their values, and twice."""

    def checked(self, rest: str, checks: Checks) -> dict[str, str | None]:
        return {word.partition("=")[0].upper(): word.partition("=")[2] or None for word in rest.split()}


@breaks("rfc3461-5.1-ret-envid-no-ground-to-refuse", "rfc3461-5.1-valid-ret-envid-same-reply")
class NoRet(Session):
    """MAIL with RET or ENVID is refused."""

    def check_ret(self, value: str | None) -> None:
        raise Refused(550, "5.7.1", "No reports")

    def check_envid(self, value: str | None) -> None:
        raise Refused(550, "5.7.1", "No reports")


@breaks("rfc3461-5.1-notify-orcpt-no-ground-to-refuse", "rfc3461-5.1-valid-notify-orcpt-same-reply")
class NoNotify(Session):
    """RCPT with NOTIFY or ORCPT is refused."""

    def check_notify(self, value: str | None) -> None:
        raise Refused(551, "5.7.1", "No reports")

    def check_orcpt(self, value: str | None) -> None:
        raise Refused(551, "5.7.1", "No reports")


@breaks("rfc3461-5.4-parameter-lengths")
class ShortParameters(Session):
    """Values above 90 characters are refused."""

    def parameters_of(self, rest: str) -> list[tuple[str, str | None]]:
        if any(len(word) > 90 for word in rest.split()):
            raise Refused(501, "5.5.4", "Too long")
        return parse_parameters(rest)


breaks.limits("dsn-short-lines", "Command lines end at 1000 octets.", 1000, "rfc3461-5.4-command-line-1036")
breaks.limits(
    "extension-short-lines",
    "Command lines end at 640 octets.",
    640,
    "rfc3461-5.4-command-line-with-all-extensions",
)
breaks.limits("utf8-short-mail", "MAIL ends at 512 octets.", 512, "rfc6531-3.1-mail-line-10-longer")

# SMTPUTF8

breaks.lists(
    "utf8-without-8bitmime",
    "SMTPUTF8 is offered without 8BITMIME.",
    without("8BITMIME"),
    "rfc6531-3.1-8bitmime-announced",
)
breaks.answers(
    "non-ascii-554",
    "Addresses that need SMTPUTF8 get 554.",
    {"MAIL 550": "554 5.6.7 No", "RCPT 553": "554 5.6.7 No"},
    "rfc6531-3.5-non-ascii-refusal-codes",
)
breaks.answers(
    "vrfy-non-ascii-501",
    "VRFY of a name that needs SMTPUTF8 is answered with 501.",
    {"VRFY 550": "501 5.6.7 No"},
    "rfc6531-3.7.4.2-vrfy-252-or-550",
)
breaks.answers(
    "vrfy-yes",
    "VRFY's 250 holds no mailbox.",
    {"VRFY 250": "250 2.1.5 Yes", "VRFY 252": "250 2.1.5 Yes"},
    "rfc6531-3.7.4.2-vrfy-250-has-mailbox",
)
breaks.answers(
    "vrfy-form",
    "VRFY's 250 has words behind the mailbox.",
    {"VRFY 250": "250 2.1.5 <a@lab.example> is well", "VRFY 252": "250 2.1.5 <a@lab.example> may be well"},
    "rfc6531-3.7.4.2-vrfy-250-form",
)
breaks.answers(
    "vrfy-umlaut",
    "VRFY answers in UTF-8.",
    {
        "VRFY 250": "250 2.1.5 Jürg <user0@lab.example>",
        "VRFY 252": "252 2.1.5 für später",
        "VRFY 550": "550 5.1.1 Jürg",
    },
    "rfc6531-3.7.4.2-vrfy-ascii-without-parameter",
)
breaks.answers(
    "no-umlaut",
    "Refusals are in UTF-8.",
    {"* 500": "500 5.5.1 unverständlich", "* 553": "553 5.6.7 nö", "NOOP 501": "501 5.5.2 nö"},
    "rfc6531-3.7.4.2-replies-ascii-otherwise",
)
breaks.answers(
    "moved-umlaut",
    "Foreign recipients get 551 with an address in UTF-8.",
    {"RCPT 550": "551 5.7.1 try <jürg@lab.example>", "RCPT 553": "551 5.6.7 try <jürg@lab.example>"},
    "rfc6531-3.7.4.1-no-utf8-in-251-551",
)


@breaks("rfc6531-3.2-mailboxes-accepted")
class AsciiMailboxes(Session):
    """Mailboxes are ASCII, with the parameter too."""

    def path_of(self, argument: str, word: str) -> tuple[Path, str]:
        path, rest = super().path_of(argument, word)
        if not path.ascii_only:
            raise Refused(501, "5.1.3", "What is that?")
        return path, rest


@breaks("rfc6531-3.2-dsn-implies-rfc6533")
class AsciiOrcpt(Session):
    """ORCPT knows no address of type utf-8."""

    def check_orcpt(self, value: str | None) -> None:
        if (value or "").lower().startswith("utf-8"):
            raise Refused(501, "5.5.4", "What is that?")
        super().check_orcpt(value)


@breaks("rfc6531-3.3-malformed-utf8-refused")
class AnyOctets(Session):
    """Octets that are no UTF-8 are taken as Latin-1."""

    def on_line(self, line: bytes) -> None:
        super().on_line(line.decode("latin-1").encode())


@breaks("rfc6531-3.4-non-ascii-without-parameter-refused")
class Utf8Always(Session):
    """Non-ASCII addresses need no parameter."""

    def check_sender(self, path: Path, parameters: dict[str, str | None]) -> None:
        pass

    def check_recipient(self, path: Path, envelope: Envelope) -> None:
        pass


@breaks("rfc6531-3.6-body-8bitmime-combined")
class Utf8OrBody(Session):
    """SMTPUTF8 and BODY exclude one another."""

    def check_sender(self, path: Path, parameters: dict[str, str | None]) -> None:
        if {"SMTPUTF8", "BODY"} <= parameters.keys():
            raise Refused(501, "5.5.4", "One of them")
        super().check_sender(path, parameters)


@breaks("rfc6531-3.7.1-ehlo-reply-domain-ascii")
class UnicodeHello(Session):
    """The EHLO reply has a U-label."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        if self.verb == "EHLO" and code == 250:
            texts = (f"{texts[0]} hällo.example", *texts[1:])
        super().reply(code, status, *texts)


@breaks("rfc6531-3.7.3-trace-u-label")
class AsciiTrace(Session):
    """The Received field has A-labels."""

    def trace(self, envelope: Envelope) -> str:
        return re.sub(r"from \S+", f"from {self.client_name}", super().trace(envelope), count=1)


breaks.traces(
    "trace-esmtp",
    "The WITH clause says ESMTP for messages with SMTPUTF8.",
    lambda field: field.replace("UTF8SMTP", "ESMTP"),
    "rfc6531-3.7.3-with-utf8smtp",
)
