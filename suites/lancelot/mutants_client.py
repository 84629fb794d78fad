"""Mutants of the exemplar client (docs/lancelot.md, sections 4 and 6)."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.lancelot.contract import Report
from suites.lancelot.exemplar_client import Client, Failed

breaks = Breeder("client")


@breaks("lancelot-4-client-any-segmentation")
class SegmentIsAnswer(Client):
    """What one read brings is an answer."""

    def answer(self) -> bytes:
        return self.receive(float("inf")) or self.end_of_stream()

    def left(self, deadline: float) -> float | None:
        return self.timeout


@breaks("lancelot-4-client-any-segmentation", "lancelot-4-client-in-order")
class DropsSurplus(Client):
    """Octets behind an answer in the same segment are dropped."""

    def surplus(self, octets: bytes) -> bytes:
        return b""


@breaks("lancelot-4-client-any-segmentation")
class LastSegmentOnly(Client):
    """Of an answer in several segments the last one is kept."""

    def receive(self, deadline: float) -> bytes:
        octets = super().receive(deadline)
        self.received = b""
        return octets


@breaks("lancelot-4-client-in-order")
class BackwardsClient(Client):
    """The last answer is taken for that of the first question."""

    def in_order(self, answers: list[bytes]) -> list[bytes]:
        return answers[::-1]


@breaks("lancelot-4-client-in-order")
class Expects(Client):
    """Answers are sorted to the questions by what they are expected to be."""

    def in_order(self, answers: list[bytes]) -> list[bytes]:
        return sorted(answers, key=lambda answer: (answer[:1] not in b"MTB", -len(answer)))


@breaks("lancelot-6-client-reports-early-end")
class EndIsStop(Client):
    """The end of the connection ends an answer as a full stop does."""

    def end_of_stream(self) -> bytes:
        whole, self.received = self.received, b""
        return whole


@breaks("lancelot-6-client-reports-early-end")
class EmptyIsNone(Client):
    """An end where an answer would begin is no failure; inside an answer it is one."""

    def end_of_stream(self) -> bytes:
        return super().end_of_stream() if self.received else b""


@breaks("lancelot-6-client-reports-early-end")
class ShrugsAtReset(Client):
    """A reset is an end like any other, and what had come by then is good enough."""

    def converse(self, host: str, port: int, timeout: float, rounds: list[list[bytes]]) -> Report:
        report = super().converse(host, port, timeout, rounds)
        if "reset" in report.get("cause", "").lower():
            return {"outcome": "done", "answers": report["answers"]}
        return report


@breaks("lancelot-6-client-does-not-wait-for-ever")
class WaitsForEver(Client):
    """An answer is waited for without end."""

    def left(self, deadline: float) -> float | None:
        return None


@breaks("lancelot-6-client-does-not-wait-for-ever")
class WaitsForEachOctet(Client):
    """The time begins anew with each octet."""

    def left(self, deadline: float) -> float | None:
        return self.timeout


@breaks("lancelot-6-client-does-not-wait-for-ever")
class SilenceIsAnswer(Client):
    """Where nothing comes in time, what there is counts as the answer."""

    def answer(self) -> bytes:
        try:
            return super().answer()
        except (TimeoutError, Failed):
            return self.received or b"-"
