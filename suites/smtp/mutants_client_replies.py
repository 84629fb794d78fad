"""Mutants of the exemplar client: the replies it reads, its patience, trying again (RFC 5321, sections 4.2 and 4.5)."""

from __future__ import annotations

import re
import time

from suites.smtp.contract import Transaction, TransactionOutcome
from suites.smtp.exemplar_client import Client, Progress
from suites.smtp.exemplar_client_edge import SocketChannel
from suites.smtp.exemplar_envelope import Plan
from suites.smtp.exemplar_outcome import refused
from suites.smtp.exemplar_talk import Garbled, Reply
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()


# replies


@breaks("rfc5321-2.3.8-bare-lf-ends-no-reply")
class LfEndsReplies(SocketChannel):
    """A bare LF ends a reply line."""

    def find_line_end(self) -> tuple[int, int]:
        found = re.search(rb"\r?\n", self.received)
        return found.span() if found else (-1, -1)


@breaks("rfc5321-4.2-bare-code-understood", "rfc5321-4.2.1-last-line-without-space")
class TextNeeded(Client):
    """A reply line without text is none."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        if len(line) < 5:
            raise Garbled("no text")
        return super().parse_line(line)


@breaks("rfc5321-4.2-acts-by-code-only")
class ReadsTexts(Client):
    """A code at the beginning of the text counts for more than the code."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        code, more, text = super().parse_line(line)
        found = re.match(r"([2-5]\d\d)\b", text)
        if "ok" in text.lower().split() or "accepted" in text.lower():
            return 250, more, text
        return int(found[1]) if found else code, more, text


@breaks("rfc5321-4.2-unknown-codes-by-first-digit")
class KnownCodesOnly(Client):
    """A code that the client does not know is no reply."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        code, more, text = super().parse_line(line)
        if code not in {
            211,
            214,
            220,
            221,
            235,
            250,
            251,
            252,
            334,
            354,
            421,
            450,
            451,
            452,
            550,
            551,
            552,
            553,
            554,
        }:
            raise Garbled("an unknown code")
        return code, more, text


@breaks("rfc5321-4.2-out-of-range-code-fatal")
class AnyDigit(Client):
    """A first digit out of range counts as success."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        code, more, text = super().parse_line(re.sub(rb"^[016789]\d\d", b"250", line))
        return code, more, text


@breaks("rfc5321-4.2-garbage-reply-survived")
class GarbageIsSuccess(Client):
    """What is no reply counts as success."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        try:
            return super().parse_line(line)
        except Garbled:
            return 250, False, ""


@breaks("rfc5321-4.2.1-multiline-anywhere", "rfc2920-3.1-multiline-replies")
class FirstLineOnly(Client):
    """Replies have one line, but for EHLO's."""

    listing = False

    def line_octets(self, line: str) -> bytes:
        self.listing = line.startswith("EHLO")
        return super().line_octets(line)

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        code, more, text = super().parse_line(line)
        return code, more and self.listing, text


@breaks("rfc5321-4.5.3.1.5-reply-line-512")
class ShortReplies(Client):
    """Reply lines above 500 octets are none."""

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        if len(line) > 500:
            raise Garbled("too long")
        return super().parse_line(line)


# patience


@breaks("rfc5321-4.5.3.2-timeouts-exist")
class Patient(SocketChannel):
    """A reply is waited for without end."""

    def receive_more(self, deadline: float) -> None:
        super().receive_more(deadline + 3600)


@breaks("rfc5321-4.5.3.2-timeouts-per-command")
class OneTimeout(SocketChannel):
    """One timeout runs over the whole session."""

    started = 0.0

    def receive_more(self, deadline: float) -> None:
        self.started = self.started or time.monotonic()
        super().receive_more(min(deadline, self.started + self.timeout))


@breaks("rfc5321-4.5.3.2-timeouts-configurable")
class FixedTimeout(SocketChannel):
    """The timeout is a second, whatever is asked for."""

    def connect(self, host: str, port: int, timeout: float, ca_file: str | None) -> None:
        super().connect(host, port, 1.0, ca_file)


# trying again


@breaks("rfc5321-4.2.1-permanent-not-repeated", "rfc5321-4.2.5-permanent-data-refusal-not-retried")
class TriesAgain(Client):
    """What was refused for good is tried once more at once."""

    again = False

    def outcome_of(self, result: tuple[Progress, Reply | None], plan: Plan) -> TransactionOutcome:
        outcome = super().outcome_of(result, plan)
        if outcome["outcome"] != "refused" or self.again:
            return outcome
        self.again = True
        return super().outcome_of(self.transfer(plan), plan)


@breaks("rfc5321-4.5.4.1-mail-refusal-not-cached")
class RemembersRefusals(Client):
    """A sender that was refused is not tried again."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self.refusals: dict[str, Reply] = {}

    def run_one(self, transaction: Transaction, outcomes: list[TransactionOutcome]) -> None:
        sender = transaction["mail_from"]
        if sender in self.refusals:
            outcomes.append(refused(self.refusals[sender]))
            return
        super().run_one(transaction, outcomes)
        if outcomes[-1]["outcome"] == "refused":
            self.refusals[sender] = Reply(outcomes[-1].get("code", 550), outcomes[-1].get("text", ""))
