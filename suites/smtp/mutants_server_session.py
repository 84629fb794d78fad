"""Mutants of the exemplar server: its names, its commands and its replies (RFC 5321, sections 2, 4.1 and 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from suites.smtp.exemplar_framing import Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.mutants_server import ServerBreeder, instead, without

breaks = ServerBreeder()

breaks.answers(
    "no-ehlo", "EHLO is answered with 502.", {"EHLO 250": "502 - No"}, "rfc5321-2.2.1-ehlo-supported"
)
breaks.lacks("no-helo", "HELO is answered with 502.", "HELO", "rfc5321-2.2.1-helo-supported")
breaks.lacks("no-noop", "NOOP is answered with 502.", "NOOP", "rfc5321-4.5.1-required-commands")
breaks.lacks("no-vrfy", "VRFY is answered with 502.", "VRFY", "rfc5321-4.5.1-vrfy-supported")
breaks.lacks("no-expn", "EXPN is answered with 502.", "EXPN", "rfc5321-3.5.1-expn-supported")
breaks.lacks("no-help", "HELP is answered with 502.", "HELP", "rfc5321-4.1.1.8-help-supported")
breaks.lists(
    "private-keyword",
    "EHLO lists a keyword that nobody registered.",
    lambda lines: [*lines, "FROBNICATE"],
    "rfc5321-2.2.2-only-registered-keywords",
)
breaks.lists(
    "keyword-syntax",
    "An EHLO line has an equals sign after its keyword.",
    instead("SIZE", "SIZE=20971520"),
    "rfc5321-4.1.1.1-ehlo-reply-syntax",
)
breaks.lists(
    "help-unlisted", "HELP works and is not listed.", without("HELP"), "rfc5321-4.1.1.1-commands-listed"
)
breaks.lists("expn-unlisted", "EXPN works and is not listed.", without("EXPN"), "rfc5321-3.5.2-expn-listed")
breaks.lists(
    "etrn-listed",
    "ETRN is listed and answered with 502.",
    lambda lines: [*lines, "ETRN"],
    "rfc5321-4.2.4-no-listing-of-unimplemented",
)
breaks.answers(
    "rset-500", "RSET is answered with 500.", {"RSET 250": "500 5.5.1 No"}, "rfc5321-4.1.1.5-rset-250"
)
breaks.answers(
    "everything-known",
    "Unknown commands are answered with 250.",
    {"* 500": "250 2.0.0 Ok"},
    "rfc5321-4.1.5-server-only-registered-verbs",
)
breaks.answers(
    "private-unknown-501",
    "Unknown commands are answered with 501.",
    {"* 500": "501 5.5.1 No"},
    "rfc5321-4.1.5-unknown-private-command-500",
    "rfc5321-4.2.4-500-for-unknown",
)
breaks.answers(
    "unimplemented-500",
    "Commands known and not implemented are answered with 500.",
    {"* 502": "500 5.5.1 No"},
    "rfc5321-4.2.4-502-for-known-unimplemented",
)
breaks.answers(
    "order-501", "Commands out of order get 501.", {"* 503": "501 5.5.1 No"}, "rfc5321-4.1.4-out-of-order-503"
)
breaks.answers(
    "rcpt-first",
    "RCPT without MAIL is answered with 250.",
    {"RCPT 503": "250 2.1.5 Ok"},
    "rfc5321-3.3-rcpt-before-mail",
)
breaks.answers(
    "bad-ehlo-504",
    "A bad EHLO is answered with 504.",
    {"EHLO 501": "504 - No"},
    "rfc5321-4.1.4-bad-ehlo-codes",
)
breaks.answers(
    "arguments-554",
    "DATA, RSET and QUIT with arguments get 554.",
    {"DATA 501": "554 5.5.4 No", "RSET 501": "554 5.5.4 No", "QUIT 501": "554 5.5.4 No"},
    "rfc5321-4.3.2-arguments-to-bare-commands-501",
)
breaks.answers(
    "noop-251", "NOOP is answered with 251.", {"NOOP 250": "251 2.0.0 Ok"}, "rfc5321-4.3.1-replies-as-tabled"
)
breaks.answers(
    "unlisted-code",
    "RSET is answered with a code of nobody's.",
    {"RSET 250": "253 2.0.0 Ok", "NOOP 250": "253 2.0.0 Ok"},
    "rfc5321-4.2-only-listed-codes",
)
breaks.answers(
    "sixes",
    "NOOP is answered with 650.",
    {"NOOP 250": "650 - Ok", "RSET 250": "650 - Ok"},
    "rfc5321-4.2-first-digit-two-to-five",
)
breaks.answers(
    "invalid-characters-500",
    "Invalid characters are answered with 500.",
    {"MAIL 501": "500 5.5.2 No", "RCPT 501": "500 5.5.2 No"},
    "rfc5321-4.1.2-invalid-characters-501",
    "rfc5321-4.1.4-bad-mail-argument-501",
)
breaks.answers(
    "malformed-accepted",
    "Malformed paths are accepted.",
    {"MAIL 501": "250 2.1.0 Ok", "RCPT 501": "250 2.1.5 Ok"},
    "rfc5321-4.1.2-malformed-path-rejected",
)
breaks.answers(
    "sender-unclassified",
    "A sender that is not acceptable is answered with 354.",
    {"MAIL 501": "354 - Hm"},
    "rfc5321-3.3-unacceptable-sender-classified",
)
breaks.answers(
    "verified-by-syntax",
    "VRFY answers 250 to whatever is well formed.",
    {"VRFY 252": "250 2.1.5 <somebody@lab.example>", "VRFY 550": "250 2.1.5 <somebody@lab.example>"},
    "rfc5321-3.5.3-vrfy-250-only-if-verified",
)
breaks.answers(
    "unverified-504",
    "VRFY answers 504 to whatever it is asked.",
    {"VRFY 252": "504 5.5.4 No", "VRFY 250": "504 5.5.4 No"},
    "rfc5321-3.5.3-vrfy-unverified-codes",
)
for _name, _text, _what, _clause in (
    (
        "vrfy-says-yes",
        "User exists",
        "VRFY's 250 names no mailbox.",
        "rfc5321-3.5.1-vrfy-success-names-mailbox",
    ),
    (
        "vrfy-one-label",
        "<user0@lab>",
        "VRFY's domain is partial.",
        "rfc5321-3.5.2-vrfy-mailbox-fully-qualified",
    ),
    (
        "vrfy-bare",
        "user0@lab.example",
        "VRFY's address has no brackets.",
        "rfc5321-3.5.2-vrfy-pointed-brackets",
    ),
    (
        "vrfy-foreign",
        "<user0@elsewhere.example>",
        "VRFY's address is refused.",
        "rfc5321-3.5.2-vrfy-address-usable",
    ),
    (
        "vrfy-route",
        "<@mx.lab.example:user0@lab.example>",
        "VRFY gives a route.",
        "rfc5321-3.5.2-vrfy-no-paths",
    ),
):
    _answer = f"250 2.1.5 {_text}"
    breaks.answers(_name, _what, {"VRFY 250": _answer, "EXPN 250": _answer}, _clause)


# names


@breaks("rfc5321-2.3.4-server-named-not-numbered")
class Numbered(Session):
    """The server calls itself by its address."""

    def greet(self) -> None:
        self.reply(220, "", "[127.0.0.1] ESMTP")


@breaks("rfc5321-2.3.5-server-no-local-alias")
class LocalAlias(Session):
    """The server calls itself localhost."""

    def greet(self) -> None:
        self.reply(220, "", "localhost ESMTP")


@breaks("rfc5321-4.1.2-server-name-ldh")
class Underscored(Session):
    """The server's name has an underscore."""

    def greet(self) -> None:
        self.reply(220, "", "mx_1.lab.example ESMTP")


@breaks("rfc5321-4.2-greeting-names-server")
class Nameless(Session):
    """The greeting does not begin with the server's name."""

    def greet(self) -> None:
        self.reply(220, "", "ESMTP ready")


# lines


@breaks("rfc5321-2.3.8-bare-lf-ends-no-command")
class LfEndsCommands(Session):
    """A bare LF ends a command line."""

    def find_line_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        found = re.compile(rb"\r?\n").search(octets, start)
        return found.span() if found else (-1, -1)


@breaks("rfc5321-2.3.8-bare-cr-ends-no-command")
class CrEndsCommands(Session):
    """A bare CR ends a command line."""

    def find_line_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        found = re.compile(rb"\r\n|\r(?=[^\n])").search(octets, start)
        return found.span() if found else (-1, -1)


@breaks("rfc5321-2.4-no-action-before-crlf")
class Hasty(Session):
    """A command is acted upon as soon as its verb is there; what is left of its line is skipped."""

    skipping = False

    def find_line_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        end, following = super().find_line_end(octets, start)
        if end < 0 and not self.skipping and octets.upper() == b"NOOP":
            self.skipping = True
            return len(octets), len(octets)
        return end, following

    def on_line(self, line: bytes) -> None:
        if self.skipping and not line:
            self.skipping = False
            return
        super().on_line(line)


@breaks("rfc5321-2.3.8-replies-end-in-crlf")
class LfReplies(Session):
    """All lines of a reply but the last end in a bare LF."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        octets = super().reply_octets(code, lines)
        return octets.replace(b"\r\n", b"\n", octets.count(b"\r\n") - 1)


@breaks("rfc5321-4.2-no-bare-codes")
class BareCodes(Session):
    """Positive replies of one line are only a code."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        texts = list(lines)
        return (
            f"{code}\r\n".encode() if len(texts) == 1 and code == 250 else super().reply_octets(code, texts)
        )


@breaks("rfc5321-4.2-reply-syntax")
class Bell(Session):
    """Replies ring a bell."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        return super().reply_octets(code, [f"{line}\a" for line in lines])


@breaks("rfc5321-4.3.2-three-digit-codes")
class FourDigits(Session):
    """Codes have four digits."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        return super().reply_octets(code * 10 if code == 250 else code, lines)


@breaks("rfc5321-4.2.1-same-code-on-all-lines")
class MixedCodes(Session):
    """The lines before the last carry another code."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        octets = super().reply_octets(code, lines)
        return octets.replace(f"{code}-".encode(), f"{code + 1}-".encode())


@breaks("rfc5321-4.5.3.1-server-long-replies-avoided")
class Verbose(Session):
    """Reply lines are longer than 512 octets."""

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        return super().reply_octets(code, [f"{line} {'x' * 600}" for line in lines])


@breaks("rfc5321-4.2-one-reply-per-command")
class Twice(Session):
    """Every refusal is said twice."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        super().reply(code, status, *texts)
        if code >= 500:
            super().reply(code, status, *texts)


@breaks("rfc5321-2.4-verbs-in-any-case")
class CapitalsOnly(Session):
    """Verbs are understood in capitals only."""

    def on_line(self, line: bytes) -> None:
        super().on_line(line if line.split(b" ")[0].isupper() else b"?" + line)


@breaks("rfc5321-4.1.1.1-server-keywords-any-case")
class CapitalParameters(Session):
    """Parameters are understood in capitals only."""

    def parameters_of(self, rest: str) -> list[tuple[str, str | None]]:
        if rest != rest.upper():
            raise Refused(555, "5.5.4", "Unknown parameter")
        return super().parameters_of(rest)


@breaks("rfc5321-4.1.1-trailing-space-tolerated")
class NoTrailingSpace(Session):
    """White space at the end of a command is a syntax error."""

    def on_line(self, line: bytes) -> None:
        if line.endswith((b" ", b"\t")):
            self.reply(501, "5.5.2", "Trailing space")
        else:
            super().on_line(line)


@breaks("rfc5321-2.4-non-ascii-command-rejected")
class NonAsciiTaken(Session):
    """Octets outside US-ASCII are taken in any command."""

    def on_line(self, line: bytes) -> None:
        super().on_line(re.sub(rb"[\x80-\xff]", b"x", line))


@breaks("rfc5321-4.1.1-parameters-on-bare-commands-rejected")
class BareWithArguments(Session):
    """RSET, DATA and QUIT ignore arguments."""

    def bare(self, verb: str, argument: str) -> None:
        pass


@breaks("rfc5321-4.1.1.9-noop-argument-ignored")
class NoopBare(Session):
    """NOOP takes no argument."""

    def noop(self, argument: str) -> None:
        self.bare("NOOP", argument)
        super().noop(argument)


@breaks("rfc5321-4.5.3.1.4-command-line-too-long")
class CutsLines(Session):
    """A line that is too long goes on as another command."""

    def find_line_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        end, following = super().find_line_end(octets, start)
        return (512, 512) if max(end, len(octets) - 2) > 512 else (end, following)


breaks.limits("short-lines", "Command lines end at 256 octets.", 256, "rfc5321-4.5.3.1.4-command-line-512")


@breaks("rfc5321-4.1.1.11-unknown-parameter-555")
class UnknownParameter(Session):
    """An unknown parameter is answered with 501."""

    def unknown_parameter(self, keyword: str) -> Refused:
        return Refused(501, "5.5.4", f"Unknown parameter {keyword}")
