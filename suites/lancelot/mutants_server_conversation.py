"""Mutants of the exemplar's rules (docs/lancelot.md, sections 1 to 5)."""

from __future__ import annotations

from collections.abc import Sequence

from lab.judge.mutant import Breeder
from suites.lancelot.exemplar import Conversation
from suites.lancelot.specification import ANSWERS, LONGEST_QUESTION, UNKNOWN

breaks = Breeder("server")


@breaks("lancelot-1-octet-for-octet")
class FoldsCase(Conversation):
    """Letters are folded before questions are compared."""

    def answer(self, question: bytes) -> bytes:
        folded = {known.lower(): said for known, said in ANSWERS.items()}
        return folded.get(question.lower(), UNKNOWN)


@breaks("lancelot-1-octet-for-octet", "lancelot-1-end-at-question-mark")
class Strips(Conversation):
    """White space around a question is stripped."""

    def answer(self, question: bytes) -> bytes:
        return super().answer(question.strip())


@breaks("lancelot-1-any-octets", "lancelot-3-connection-goes-on")
class EndsAtStop(Conversation):
    """A full stop or a `?` ends a question, and after an unknown one the conversation is over."""

    def end_of_question(self, octets: bytes, start: int) -> int:
        ends = [octets.find(mark, start) + 1 for mark in (b"?", b".")]
        return min((end for end in ends if end), default=0)

    def answer(self, question: bytes) -> bytes:
        said = super().answer(question)
        self.over = self.over or said == UNKNOWN
        return said


@breaks("lancelot-1-lone-question-mark")
class SkipsEmpty(Conversation):
    """A lone `?` is passed over."""

    def answer(self, question: bytes) -> bytes:
        return b"" if question == b"?" else super().answer(question)


@breaks("lancelot-1-any-segmentation")
class SegmentIsQuestion(Conversation):
    """What one read brings is a question, if a `?` is in it, and is dropped otherwise."""

    def rest(self, unfinished: bytes) -> bytes:
        return b""


@breaks("lancelot-1-no-answer-before-its-end")
class Hasty(Conversation):
    """A question is recognised and answered before its `?` is there."""

    def take(self, octets: bytes) -> bytes:
        said = super().take(octets)
        if self.unfinished + b"?" in ANSWERS:
            self.unfinished = b""
            return said + UNKNOWN
        return said


@breaks("lancelot-1-connections-apart")
class Shared(Conversation):
    """All connections share one buffer."""

    buffer = b""

    def take(self, octets: bytes) -> bytes:
        self.unfinished = Shared.buffer
        said = super().take(octets)
        Shared.buffer = self.unfinished
        return said


@breaks("lancelot-1-unfinished-not-answered")
class AnswersRest(Conversation):
    """An unfinished question is answered when the stream ends."""

    def at_end(self) -> bytes:
        return self.answer(self.unfinished + b"?") if self.unfinished else b""


@breaks("lancelot-2-answers-as-tabled")
class Yellow(Conversation):
    """The favourite colour is yellow."""

    def answer(self, question: bytes) -> bytes:
        return super().answer(question).replace(b"Blue", b"Yellow")


@breaks("lancelot-2-each-time")
class AnswersOnce(Conversation):
    """A question that was asked before on the connection is unknown."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[bytes] = set()

    def answer(self, question: bytes) -> bytes:
        if question in self.asked:
            return UNKNOWN
        self.asked.add(question)
        return super().answer(question)


@breaks("lancelot-2-nothing-else")
class Greets(Conversation):
    """A greeting comes first."""

    def greeting(self) -> bytes:
        return b"Stop!"


@breaks("lancelot-2-nothing-else")
class LineEnds(Conversation):
    """A line end follows each answer."""

    def answer(self, question: bytes) -> bytes:
        return super().answer(question) + b"\r\n"


@breaks("lancelot-3-unknown-answered")
class Silent(Conversation):
    """Unknown questions are not answered."""

    def answer(self, question: bytes) -> bytes:
        return ANSWERS.get(question, b"")


@breaks("lancelot-3-unknown-answered")
class Chatty(Conversation):
    """Unknown questions are answered with other words."""

    def answer(self, question: bytes) -> bytes:
        return ANSWERS.get(question, b"Auuuuuuuugh.")


@breaks("lancelot-4-all-answered")
class LastOnly(Conversation):
    """Of questions that come together only the last is answered."""

    def joined(self, said: Sequence[bytes]) -> bytes:
        return b"".join(said[-1:])


@breaks("lancelot-4-in-order")
class Backwards(Conversation):
    """Questions that come together are answered from the last to the first."""

    def joined(self, said: Sequence[bytes]) -> bytes:
        return b"".join(reversed(said))


@breaks("lancelot-5-longest-answered")
class ShortLimit(Conversation):
    """A question has at most 512 octets."""

    limit = LONGEST_QUESTION // 2


@breaks("lancelot-5-overlong-ends-connection", "lancelot-5-endless-input-memory")
class Unbounded(Conversation):
    """There is no limit."""

    limit = 1 << 40


@breaks("lancelot-5-overlong-ends-connection")
class Skips(Conversation):
    """What is too long is dropped, and the conversation goes on."""

    def before_the_end(self, said: Sequence[bytes]) -> bytes:
        self.over = False
        return super().before_the_end(said)


@breaks("lancelot-5-nothing-after-overlong")
class AnswersOverlong(Conversation):
    """A question that is too long gets an answer as well, before the end."""

    def before_the_end(self, said: Sequence[bytes]) -> bytes:
        return super().before_the_end([*said, UNKNOWN])


@breaks("lancelot-5-answers-before-overlong", "lancelot-5-answers-not-lost-by-reset")
class DropsAnswers(Conversation):
    """When a question is too long the answers before it are dropped."""

    def before_the_end(self, said: Sequence[bytes]) -> bytes:
        return b""


@breaks("lancelot-6-stays-open")
class EndsAfterThree(Conversation):
    """After three questions the conversation is over."""

    count = 0

    def answer(self, question: bytes) -> bytes:
        self.count += 1
        self.over = self.count >= 3
        return super().answer(question)


@breaks("lancelot-4-late-reader-gets-all")
class Forgets(Conversation):
    """Every ten thousandth answer is forgotten."""

    count = 0

    def answer(self, question: bytes) -> bytes:
        self.count += 1
        return b"" if self.count % 10_000 == 0 else super().answer(question)
