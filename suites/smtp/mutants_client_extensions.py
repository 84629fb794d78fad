"""Mutants of the exemplar client: PIPELINING, CHUNKING and DSN (RFC 2920, 3030, 3461)."""

from __future__ import annotations

import re
from base64 import encodebytes
from dataclasses import replace

from suites.smtp.contract import Transaction
from suites.smtp.exemplar_client import CHUNK_SIZE, Client, Progress
from suites.smtp.exemplar_client_edge import SocketChannel
from suites.smtp.exemplar_envelope import Plan
from suites.smtp.exemplar_message import Nature
from suites.smtp.exemplar_talk import Reply
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()


@breaks(
    "rfc5321-4.1.1.3-only-offered-parameters",
    "rfc1870-3-only-when-offered",
    "rfc6152-3-body-only-when-offered",
    "rfc3461-3-parameters-only-when-offered",
    "rfc6531-3.4-parameter-only-when-offered",
    "rfc2920-3-only-when-offered",
    "rfc5321-4.3.1-waits-for-reply",
)
class Presumes(Client):
    """Common extensions are used without being offered."""

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        presumed = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN")
        return {**{word: [] for word in presumed}, **super().parse_extensions(reply)}


# PIPELINING


@breaks("rfc2920-3.1-group-enders-last")
class ContentBehindData(Client):
    """The content follows DATA without waiting."""

    def send_data(self, plan: Plan, progress: Progress) -> Reply | None:
        if progress.data is not None or not progress.accepted:
            return super().send_data(plan, progress)
        self.channel.send(b"DATA\r\n" + self.as_data(plan.content))
        first = self.read_reply()
        return self.read_reply() if first.kind == 3 else first

    def send_envelope(self, plan: Plan) -> Progress:
        return self.envelope_one_by_one(plan)


@breaks("rfc2920-3.1-every-status-checked")
class AllAccepted(Client):
    """In a group every recipient counts as accepted."""

    def sort(self, progress: Progress, recipient: str, reply: Reply) -> None:
        progress.accepted.append(recipient)


@breaks("rfc2920-3.1-data-reply-checked-without-recipients", "rfc2920-3.1-lone-dot-after-accepted-data")
class NoDot(Client):
    """DATA that was accepted for nobody is left open."""

    def send_data(self, plan: Plan, progress: Progress) -> Reply | None:
        return super().send_data(plan, progress) if progress.accepted else None


@breaks("rfc2920-3.1-replies-counted")
class MatchesTexts(Client):
    """Replies are matched with commands by their texts."""

    def sorted_replies(self, plan: Plan, replies: list[Reply]) -> Progress:
        mine = [reply for reply in replies if "sender" in reply.text.lower()][-1:]
        rest = [reply for reply in replies if reply not in mine]
        return super().sorted_replies(plan, [*mine, *rest])


@breaks("rfc2920-3.1-group-fits-the-window")
class OneGroup(Client):
    """Groups are as long as there are commands."""

    def groups(self, lines: list[str]) -> list[list[str]]:
        return [lines]


@breaks("rfc2920-3.1-several-replies-not-multiline")
class JoinsReplies(SocketChannel):
    """Replies that came together with the same code count as one."""

    def read_line(self) -> bytes:
        line = super().read_line()
        if line[3:4] == b" " and self.received.startswith(line[:3]):
            return line[:3] + b"-" + line[4:]
        return line


# CHUNKING and BINARYMIME


@breaks("rfc3030-2-bdat-only-when-offered")
class AlwaysBdat(Client):
    """BDAT is used without being offered."""

    def by_chunks(self) -> bool:
        return True


class Chunking(Client):
    """Sends chunks in a way of its own."""

    def send_chunks(self, plan: Plan) -> Reply:
        content, reply = self.as_chunks(plan.content), Reply(250, "")
        for start in range(0, len(content), CHUNK_SIZE):
            last = start + CHUNK_SIZE >= len(content)
            reply = self.one_chunk(content[start : start + CHUNK_SIZE], last=last)
        return reply

    def one_chunk(self, chunk: bytes, *, last: bool) -> Reply:
        """One BDAT and its reply."""
        self.channel.send(b"BDAT %d%s\r\n" % (len(chunk), b" LAST" if last else b"") + chunk)
        return self.read_reply()


breaks("rfc3030-2-no-chunk-after-failure")(
    type("ChunksOn", (Chunking,), {"__doc__": "After a chunk that was refused the others are sent."})
)


@breaks("rfc3030-2-chunk-size-exact")
class OneShort(Chunking):
    """A chunk is announced one octet too short."""

    def one_chunk(self, chunk: bytes, *, last: bool) -> Reply:
        self.channel.send(b"BDAT %d%s\r\n" % (len(chunk) - 1, b" LAST" if last else b"") + chunk)
        return self.read_reply()


@breaks("rfc3030-2-data-and-bdat-not-mixed")
class MixesDataIn(Chunking):
    """The last part goes by DATA."""

    def one_chunk(self, chunk: bytes, *, last: bool) -> Reply:
        if not last:
            return super().one_chunk(chunk, last=last)
        super().one_chunk(chunk[:10], last=False)
        reply = self.command("DATA")
        if reply.kind == 3:
            self.channel.send(self.as_data(chunk[10:]))
            reply = self.read_reply()
        return reply


@breaks("rfc3030-3-rset-after-binarymime-data")
class BinaryByData(Client):
    """Binary content goes by DATA, and its refusal is followed by another MAIL."""

    def by_chunks(self) -> bool:
        return False

    def reset(self) -> None:
        self.open_transaction = False


@breaks("rfc3030-3-no-binary-without-binarymime")
class BinaryAnyway(Client):
    """Binary content is sent to a server that does not take it."""

    def body_of(self, kind: Nature, *, utf8: bool) -> str | None:
        return super().body_of(replace(kind, binary=False, long_lines=False, mime=True), utf8=utf8)


class Converting(BinaryAnyway):
    """Converts what the server does not take."""

    def plan(self, transaction: Transaction) -> Plan:
        if "BINARYMIME" in self.extensions:
            return super().plan(transaction)
        return super().plan({**transaction, "message": self.converted(transaction["message"])})

    def converted(self, message: bytes) -> bytes:
        """The message for a server without BINARYMIME."""
        return message


@breaks("rfc3030-3-binary-conversion-valid")
class RelabelsOnly(Converting):
    """Binary parts are called 7bit, and sent as they are."""

    def converted(self, message: bytes) -> bytes:
        return re.sub(rb"(?i)(Content-Transfer-Encoding:[ \t]*)binary", rb"\g<1>7bit", message)


@breaks("rfc3030-3-binary-conversion-lossless")
class DropsOctets(RelabelsOnly):
    """Octets that are no text are dropped."""

    def converted(self, message: bytes) -> bytes:
        return re.sub(rb"[^\t\r\n -~]", b"", super().converted(message))


@breaks("rfc3030-3-binary-conversion-not-nested")
class EncodesAll(Converting):
    """The whole body is encoded in base64, parts and all."""

    def converted(self, message: bytes) -> bytes:
        head, _, body = message.partition(b"\r\n\r\n")
        outer = re.sub(rb"(?im)^Content-Transfer-Encoding:[^\n]*\n", b"", head + b"\r\n")
        encoded = encodebytes(body).replace(b"\n", b"\r\n")
        return outer + b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded


# DSN

for _name, _description, _pattern, _instead, _clause in (
    ("notify-empty", "NOTIFY has no value.", r"NOTIFY=\S+", "NOTIFY", "4.1-notify-has-value"),
    ("never-and", "NEVER has company.", "NOTIFY=NEVER", "NOTIFY=NEVER,FAILURE", "4.1-notify-never-alone"),
    ("orcpt-empty", "ORCPT has no address.", r"ORCPT=\S+", "ORCPT=rfc822;", "4.2-orcpt-has-value"),
    (
        "orcpt-other",
        "ORCPT is another's.",
        r"ORCPT=\S+",
        "ORCPT=rfc822;a@b.example",
        "4.2-orcpt-same-as-rcpt",
    ),
    ("ret-empty", "RET has no value.", r"RET=\S+", "RET", "4.3-ret-has-value"),
    ("envid-empty", "ENVID has no value.", r"ENVID=\S+", "ENVID=", "4.4-envid-has-value"),
    ("ret-twice", "RET is said twice.", r"( RET=\S+)", r"\1\1", "4.5-ret-envid-once"),
    ("notify-twice", "NOTIFY is said twice.", r"( NOTIFY=\S+)", r"\1\1", "4.5-notify-orcpt-once"),
):
    breaks.says(_name, _description, _pattern, _instead, f"rfc3461-{_clause}")
