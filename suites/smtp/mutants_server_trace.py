"""Mutants of the exemplar server: trace fields (RFC 5321, section 4.4)."""

from __future__ import annotations

import re

from suites.smtp.exemplar_framing import Envelope
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import Path
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()

breaks.traces("no-received", "No Received field is added.", lambda _: "", "rfc5321-4.4-received-added")
breaks.traces(
    "received-without-semicolon",
    "No semicolon stands before the date.",
    lambda field: field.replace(";", ""),
    "rfc5321-4.4-received-structure",
)
breaks.traces(
    "received-without-from",
    "The FROM clause is missing.",
    lambda field: re.sub(r"from \S+ \(\[[^\]]*\]\)\r\n\t", "", field),
    "rfc5321-4.4-received-from-clause",
)
breaks.traces(
    "received-without-address",
    "The FROM clause has no address.",
    lambda field: re.sub(r" \(\[[^\]]*\]\)", "", field),
    "rfc5321-4.4-received-from-name-and-address",
)
breaks.traces(
    "zone-name",
    "The date has the name of a zone.",
    lambda field: field.replace("+0000 (UTC)", "GMT"),
    "rfc5321-4.4-received-numeric-offset",
)
breaks.traces(
    "zone-without-comment",
    "The zone's name stands outside a comment.",
    lambda field: field.replace("(UTC)", "UTC"),
    "rfc5321-4.4-received-zone-name-in-comment",
)
breaks.traces(
    "short-year",
    "The year has two digits.",
    lambda field: re.sub(r" 20(\d\d) ", r" \1 ", field),
    "rfc5321-4.4-received-full-date",
)
breaks.traces(
    "own-protocol",
    "The WITH clause names a protocol of the server's own.",
    lambda field: re.sub(r"with \w+", "with MAILIT", field),
    "rfc5321-4.4-received-registered-names",
)
breaks.stores(
    "received-deleted",
    "Received fields in the message are deleted.",
    lambda content: re.sub(rb"(?m)^Received:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", content),
    "rfc5321-4.4-received-lines-untouched",
)


@breaks("rfc5321-4.4-received-for-one-path")
class ForAll(Session):
    """The FOR clause names all recipients."""

    def trace(self, envelope: Envelope) -> str:
        everybody = ",".join(f"<{name}>" for name in envelope.recipients)
        field = re.sub(r"\r\n\tfor <[^>]*>", "", super().trace(envelope))
        return re.sub(r"( id \w+)", rf"\1\r\n\tfor {everybody}", field, count=1)


@breaks("rfc5321-4.4-received-prepended")
class Appended(Session):
    """The Received field is put behind the others."""

    def as_stored(self, envelope: Envelope, content: bytes) -> bytes:
        head, blank, body = self.delivered(content).partition(b"\r\n\r\n")
        return head + b"\r\n" + self.trace(envelope).encode().rstrip(b"\r\n") + blank + body


@breaks("rfc5321-4.4-return-path-kept")
class SenderLost(Session):
    """The reverse-path is not kept."""

    def begin(self, path: Path, parameters: dict[str, str | None]) -> None:
        super().begin(Path("somebody", "lab.example"), parameters)


@breaks("rfc5321-4.4-one-return-path")
class TwoReturnPaths(Session):
    """A Return-Path field in the message stays there beside the new one."""

    def delivered(self, content: bytes) -> bytes:
        return content
