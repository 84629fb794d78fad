"""One conversation played to two hosts, and where their answers part.

Knows how a conversation is played, and the three things that are compared: how each command was answered, what
arrived, and that nothing came besides. Must not know how conversations are made up.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NoReturn

from lab.judge.verdict import Blocked
from lab.wire.driver import connect
from lab.wire.stream import Ended, Overdue, RecordedStream, TooLong
from lab.wire.transcript import Transcript
from suites.smtp.dialogue import CROWD, LONG, Command, Conversation, Step
from suites.smtp.mailbox import wait_for
from suites.smtp.mailhost import Mailhost
from suites.smtp.message import message, new_token, stuff
from suites.smtp.model import cut_by
from suites.smtp.replies import Reply, read_reply, split_replies

#: Seconds for one reply; a server under test that takes longer is silent.
REPLY_TIMEOUT = 4.0
#: Seconds for a promised message to arrive: mail of the standard passes through a queue, a subject has stored it.
STANDARD_TIMEOUT = 10.0
SUBJECT_TIMEOUT = 2.0
#: Seconds for making a conversation in which two hosts part as short as may be.
SHRINKING = 6.0
#: So many answers before the one in which two hosts part are shown.
BEFORE = 12
LONGEST_LOCAL_PART = 64


# what is compared


@dataclass(frozen=True)
class Rule:
    """One thing that two hosts may do differently and both be right.

    Attributes:
        reason: why it is no difference.
        applies: whether it is about this command (``END`` is the end of a message).
        word: what the reply counts as.
    """

    reason: str
    applies: Callable[[str], bool]
    word: Callable[[Reply], str]


#: All that is not compared, each with its reason; the first that applies is used. What is added here hides
#: differences: it is reviewed like an excuse.
NORMALISATION: tuple[Rule, ...] = (
    Rule(
        "RFC 5321, sections 3.5.3 and 7.3: whether VRFY verifies is the host's policy; that it answers, and that "
        "the transaction goes on as it was, is compared.",
        lambda verb: verb == "VRFY",
        lambda reply: "answered" if reply.kind in (2, 5) else str(reply.kind),
    ),
    Rule(
        "RFC 5321, section 4.2: clients act on the first digit; text and further digits may be the host's own, and "
        "the cases of single clauses judge them.",
        lambda _: True,
        lambda reply: str(reply.kind),
    ),
)
#: Two more are about what is stored: ``_number`` (trace fields) and ``_copies`` (recipients named twice).


def normalised(verb: str, reply: Reply) -> str:
    """What a reply counts as."""
    return next(rule for rule in NORMALISATION if rule.applies(verb)).word(reply)


@dataclass(frozen=True)
class Answer:
    """What one host did at one point.

    Attributes:
        to: the command, or what was looked at.
        word: the part that is compared.
        seen: all of it, for people.
    """

    to: str
    word: str
    seen: str

    def __str__(self) -> str:
        return f"{self.to} → {self.seen}"


@dataclass
class Played:
    """What one host made of a conversation.

    Attributes:
        answers: in the order of the conversation.
        kept: recipient → the messages that, by the host's own replies, are stored for it, and how often it was
            named for each.
        tokens: recipient → the token in its address.
        sent: the messages.
        broken_off: whether the host closed or fell silent before the end.
    """

    host: Mailhost
    transcript: Transcript
    answers: list[Answer] = field(default_factory=list)
    kept: dict[int, Counter[int]] = field(default_factory=dict)
    tokens: dict[int, str] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    broken_off: bool = False


class _Over(Exception):
    """The server has closed, or is silent: the rest cannot be said."""


class Player:
    """Plays one conversation to one host."""

    def __init__(self, host: Mailhost, stream: RecordedStream) -> None:
        self._stream = stream
        self._host = host
        self._held = b""
        self._accepted: Counter[int] = Counter()
        self.played = Played(host, stream.transcript)

    def run(self, conversation: Conversation) -> Played:
        """Say all steps; then ask whether a transaction is open, say QUIT and see the end."""
        self._stream.segmentation = cut_by(conversation.cut)
        try:
            self._answer("greeting")
            for step in conversation.steps:
                self._say(step)
            # only an open transaction takes a recipient
            self._say(Step((Command("RCPT TO:<{0}>"),)))
            self._say(Step((Command("QUIT"),)))
            self._end()
        except _Over:
            self.played.broken_off = True
        return self.played

    def _say(self, step: Step) -> None:
        lines = b"".join(command.octets(self.address) for command in step.commands)
        held, self._held = self._held, b""
        self._send(held + lines)
        if held:
            self._message_answered()
        replies = [self._answered(command) for command in step.commands]
        if step.content is None or replies[-1].code != 354:
            return
        content = message(step.content, subject=f"message {len(self.played.sent)}")
        self.played.sent.append(content)
        if step.joined:
            self._held = stuff(content)
        else:
            self._send(stuff(content))
            self._message_answered()

    def _message_answered(self) -> None:
        reply = self._answer("END", "END")
        if reply.kind == 2:
            for place, times in self._accepted.items():
                self.played.kept.setdefault(place, Counter())[len(self.played.sent) - 1] = times
        self._accepted = Counter()

    def _answered(self, command: Command) -> Reply:
        """The reply to a command; the transaction is followed as the host's replies tell of it."""
        reply = self._answer(command.line, command.verb)
        if reply.kind == 2 and command.verb == "RCPT":
            self._accepted.update(min(place, CROWD) for place in command.places)
        elif reply.kind == 2 and command.verb in {"MAIL", "RSET", "EHLO", "HELO"}:
            self._accepted = Counter()
        return reply

    def _send(self, octets: bytes) -> None:
        try:
            self._stream.send(octets)
        except Ended:
            pass  # what the server said before it closed is still to be read
        except Overdue as error:
            self._give_up("takes nothing more", error)

    def _answer(self, to: str, verb: str = "") -> Reply:
        try:
            reply = read_reply(self._stream)
        except Ended as error:
            self._give_up("closed", error, to)
        except (Overdue, TooLong) as error:
            self._give_up("silent", error, to)
        self.played.answers.append(Answer(_short(to), normalised(verb, reply), str(reply)))
        return reply

    def _give_up(self, how: str, error: Exception, to: str = "sending") -> NoReturn:
        self.played.answers.append(Answer(_short(to), how, f"{how} ({error})"))
        raise _Over

    def _end(self) -> None:
        try:
            rest = self._stream.receive_to_end()
        except Overdue:
            word, seen = "open", "the connection stays open"
        else:
            word, seen = f"{len(split_replies(rest))} more replies", f"{rest!r}"
        self.played.answers.append(Answer("after QUIT", word, seen))

    def address(self, place: int) -> str:
        """The address of the host that stands for a recipient."""
        token = self.played.tokens.setdefault(min(place, CROWD), new_token())
        if place >= CROWD:
            return self._host.recipient(f"{token}n{place}")
        if place == LONG:
            local_part = self._host.recipient(token).partition("@")[0]
            token = token.ljust(len(token) + LONGEST_LOCAL_PART - len(local_part), "x")
        return self._host.recipient(token)


def _short(line: str) -> str:
    return line if len(line) <= 70 else f"{line[:50]}… ({len(line)} characters)"


def arrived(played: Played, *, timeout: float) -> list[Answer]:
    """What is stored for each recipient that was named; waits for what the host has promised."""
    answers: list[Answer] = []
    for place, token in sorted(played.tokens.items()):
        promised = played.kept.get(place, Counter())
        stored = wait_for(played.host.mailbox, token, timeout=timeout, count=len(promised))
        copies = Counter(_number(played, octets) for octets in stored)
        answers.append(Answer(f"messages for {{{place}}}", _copies(copies, promised), f"{stored}"))
    return answers


def _copies(copies: Counter[int], promised: Counter[int]) -> str:
    """Which messages there are, and where there are too many of one how many.

    Nothing says whether a recipient that is named twice gets one copy or two.
    """
    words = [f"{copies[n]} × {n}" if copies[n] > max(promised[n], 1) else f"{n}" for n in sorted(copies)]
    return ", ".join(words) or "none"


def _number(played: Played, stored: bytes) -> int:
    """Which of the messages sent this is; -1 for none.

    RFC 5321, section 4.4: a host may have put trace fields before it.
    """
    traced = played.host.kind == "reference" or "trace" in played.host.features
    for number, sent in enumerate(played.sent):
        if stored == sent or (traced and stored.endswith(sent)):
            return number
    return -1


def parting(standard: Sequence[Answer], subject: Sequence[Answer]) -> int | None:
    """The index of the first answer in which they differ."""
    for number, (one, other) in enumerate(zip_longest(standard, subject)):
        if one is None or other is None or (one.to, one.word) != (other.to, other.word):
            return number
    return None


class SearchOver(BaseException):
    """Ends a search for shorter conversations; no exception of the usual kind does, Hypothesis goes on after those."""


class Comparison:
    """Plays conversations to two hosts until their answers part.

    Args:
        standard: the host whose answers are taken for granted.
        subject: the host under test.

    Attributes:
        latest: what the two made of the latest conversation.
        trouble: why the standard could not be asked, or ``None``.
    """

    def __init__(self, standard: Mailhost, subject: Mailhost) -> None:
        self._standard = standard
        self._subject = subject
        self.latest: tuple[Played, ...] = ()
        self.trouble: str | None = None
        self._unpromised: list[tuple[Mailhost, str]] = []
        self._partings: dict[Conversation, str] = {}
        self._search_ends = math.inf

    def play(self, conversation: Conversation) -> None:
        """Play a conversation to both.

        Raises:
            AssertionError: their answers part; the message shows both.
            SearchOver: enough was tried after the first time that they parted.
        """
        if time.monotonic() > self._search_ends:
            raise SearchOver
        if conversation not in self._partings and (told := self.parted(conversation)) is not None:
            self._partings[conversation] = told
        # asked again, a conversation has the same answer, raised from the same line: Hypothesis takes anything else for
        # a fault of the property
        if conversation in self._partings:
            raise AssertionError(self._partings[conversation])

    def parted(self, conversation: Conversation) -> str | None:
        """Where the two part, in words; ``None`` where they agree, or are asked no more."""
        if self.trouble is not None:
            return None
        try:
            standard = self._played_by_standard(conversation)
            subject = self._play(self._subject, conversation)
            self.close()
            self.latest = (standard, subject)
            if parting(standard.answers, subject.answers) is None:
                standard.answers += self._arrived(standard, timeout=STANDARD_TIMEOUT)
                subject.answers += self._arrived(subject, timeout=SUBJECT_TIMEOUT)
        except Blocked as error:
            # Hypothesis would ask again and again; the lab's own trouble is told once, at the end
            self.trouble = str(error)
            return None
        at = parting(standard.answers, subject.answers)
        if at is None:
            return None
        if not self._partings:
            self._search_ends = time.monotonic() + SHRINKING
        return self._told(conversation, at)

    def _played_by_standard(self, conversation: Conversation) -> Played:
        """What the standard makes of it.

        Raises:
            Blocked: it broke the conversation off, and does not when it is asked again: somebody has stopped it.
        """
        played = self._play(self._standard, conversation)
        if played.broken_off and not self._play(self._standard, conversation).broken_off:
            raise Blocked(f"{self._standard.name} broke off: {played.answers[-1]}")
        return played

    def _play(self, host: Mailhost, conversation: Conversation) -> Played:
        try:
            stream = connect(host.endpoint(), timeout=REPLY_TIMEOUT)
        except OSError as error:
            raise Blocked(f"{host.name} cannot be reached: {error}") from error
        with stream:
            return Player(host, stream).run(conversation)

    def _arrived(self, played: Played, *, timeout: float) -> list[Answer]:
        found = arrived(played, timeout=timeout)
        self._unpromised += [
            (played.host, token) for place, token in played.tokens.items() if place not in played.kept
        ]
        return found

    @property
    def shortest(self) -> str:
        """Of all conversations in which the two part the one that takes the fewest words to tell."""
        return min(self._partings.values(), key=len)

    def close(self) -> None:
        """Let go of the latest transcripts, where nobody else keeps them."""
        for played in self.latest:
            played.transcript.close()

    def settle(self) -> None:
        """Look once more for messages that nobody had promised.

        Raises:
            Blocked: the standard could not be asked, or did not do what its own replies say.
            AssertionError: the subject stored one.
        """
        for host, token in self._unpromised:
            stored = host.mailbox.find(token)
            assert not stored or host is self._standard, f"{host.name} stored without 250: {stored}"
        if self.trouble is not None:
            raise Blocked(self.trouble)

    def _told(self, conversation: Conversation, at: int) -> str:
        standard, subject = self.latest
        lines = [f"{self._standard.name} and {self._subject.name} part in {conversation}:"]
        if at > BEFORE:
            lines.append(f"  … {at - BEFORE} answers alike")
        lines += [f"  {answer.to} → {answer.word}" for answer in standard.answers[max(at - BEFORE, 0) : at]]
        for host, answers in ((self._standard, standard.answers), (self._subject, subject.answers)):
            lines.append(f"  {host.name}: {answers[at] if at < len(answers) else 'nothing more'}")
        return "\n".join(lines)
