"""Hypothesis strategies for whole conversations: what a client may say, in good order and in bad.

Knows commands that RFC 5321 gives one kind of answer; where it leaves a host the choice, nothing is said here. Must not
know any host: what one of them is known to do otherwise is left out by its kind (``exclusions.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hypothesis import strategies as st

from suites.smtp.dialogue import CROWD, DATA, LONG, Command, Conversation, Step
from suites.smtp.message import SENDER
from suites.smtp.model import bodies, cut_sizes

#: RFC 2920, section 3.1: these may be followed by more in their group.
_GROUPED = frozenset({"MAIL", "RCPT", "RSET"})
_PIPELINING = frozenset({"pipelining"})


def _commands(kind: str, *lines: str, needs: Iterable[str] = ()) -> tuple[Command, ...]:
    return tuple(Command(line, kind, frozenset(needs)) for line in lines)


def _labelled(prefix: str, lines: dict[str, str], *, needs: Iterable[str] = ()) -> tuple[Command, ...]:
    return tuple(Command(line, f"{prefix}-{word}", frozenset(needs)) for word, line in lines.items())


EHLO = Command("EHLO driver.lab.example")
#: Every conversation begins with one: RFC 5321, section 4.1.4, lets a host insist on it, or not. Where parameters are
#: said it is EHLO: after HELO nothing is on offer, and whether a parameter is looked at is the host's choice.
OPENINGS = (EHLO, Command("HELO driver.lab.example"))
MAIL = Command(f"MAIL FROM:<{SENDER}>")
NULL_SENDER = Command("MAIL FROM:<>", "null-sender")
RCPT = tuple(Command(f"RCPT TO:<{{{place}}}>") for place in range(3))
FOREIGN = Command("RCPT TO:<somebody@elsewhere.example>")
RSET = Command("RSET")

GREETINGS = (
    EHLO,
    Command("HELO driver.lab.example"),
    *_commands("literal-in-ehlo", "EHLO [127.0.0.1]", "EHLO [IPv6:::1]"),
    *_commands("greeting-without-name", "EHLO", "HELO"),
)
#: What changes nothing, in order or not.
IDLE = (
    *_commands("trailing-space", "NOOP ", "VRFY postmaster "),
    *_commands("rset-argument", "RSET now"),
    *_commands("data-argument", "DATA now"),
    *_commands("noop", "NOOP"),
    *_commands("noop-argument", "NOOP with words"),
    *_commands("vrfy", "VRFY postmaster"),
    *_commands("unknown", "FROB", "XFROB", "FROB <a@b>", "MAI FROM:<a@b>"),
    *_commands("empty-line", ""),
)
SENDERS = _labelled(
    "sender",
    {
        "quoted": 'MAIL FROM:<"a b"@lab.example>',
        "quoted-pair": 'MAIL FROM:<"a\\"b"@lab.example>',
        "quoted-at": 'MAIL FROM:<"a@b"@lab.example>',
        "atoms": "MAIL FROM:<a!#$%&'*+-/=?^_`{|}~b@lab.example>",
        "dots": "MAIL FROM:<a.b.c@lab.example>",
        "literal": "MAIL FROM:<a@[127.0.0.1]>",
        "ipv6-literal": "MAIL FROM:<a@[IPv6:::1]>",
        "digits": "MAIL FROM:<1@2.example>",
        "hyphens": "MAIL FROM:<a@b-c--d.example>",
        "single-label": "MAIL FROM:<a@localhost>",
        "lower-case": f"mail from:<{SENDER}>",
        "route": f"MAIL FROM:<@lab.example,@mx.lab.example:{SENDER}>",
        # no reverse-path
        "no-argument": "MAIL",
        "no-colon": "MAIL FROM",
        "no-path": "MAIL FROM:",
        "wrong-word": f"MAIL TO:<{SENDER}>",
        "open-bracket": f"MAIL FROM:<{SENDER}",
        "no-domain": "MAIL FROM:<a@>",
        "no-local-part": "MAIL FROM:<@lab.example>",
        "two-ats": "MAIL FROM:<no@way@lab.example>",
        "two-dots-in-domain": "MAIL FROM:<a@lab..example>",
        "two-dots-in-local-part": "MAIL FROM:<a..b@lab.example>",
        "leading-dot": "MAIL FROM:<.a@lab.example>",
        "trailing-dot": "MAIL FROM:<a.@lab.example>",
        "space": "MAIL FROM:<a b@lab.example>",
        "control": "MAIL FROM:<a\x01b@lab.example>",
        "open-quote": 'MAIL FROM:<"a@lab.example>',
        "stuff-after": f"MAIL FROM:<{SENDER}> bad stuff after",
        "bare-parameter-name": f"MAIL FROM:<{SENDER}> =1",
        "unknown-parameter": f"MAIL FROM:<{SENDER}> FROBNICATE=1",
        "hyphen-first": "MAIL FROM:<a@-b.example>",
        "hyphen-last": "MAIL FROM:<a@b-.example>",
        "underscore": "MAIL FROM:<a@b_c.example>",
        "bad-literal": "MAIL FROM:<a@[127.0.0.256]>",
        "open-literal": "MAIL FROM:<a@[127.0.0.1>",
    },
)
RECIPIENTS = _labelled(
    "recipient",
    {
        "lower-case": "rcpt to:<{0}>",
        "postmaster": "RCPT TO:<postmaster>",
        "postmaster-in-capitals": "RCPT TO:<POSTMASTER@lab.example>",
        "foreign": "RCPT TO:<a@elsewhere.example>",
        "foreign-percent": "RCPT TO:<a%lab.example@elsewhere.example>",
        "foreign-literal": "RCPT TO:<a@[192.0.2.1]>",
        "no-argument": "RCPT",
        "no-colon": "RCPT TO",
        "no-path": "RCPT TO:",
        "wrong-word": "RCPT FROM:<{0}>",
        "open-bracket": "RCPT TO:<{0}",
        "empty": "RCPT TO:<>",
        "no-domain": "RCPT TO:<a@>",
        "no-local-part": "RCPT TO:<@lab.example>",
        "two-ats": "RCPT TO:<no@way@lab.example>",
        "two-dots-in-domain": "RCPT TO:<a@lab..example>",
        "leading-dot": "RCPT TO:<.a@lab.example>",
        "space": "RCPT TO:<a b@lab.example>",
        "open-quote": 'RCPT TO:<"a@lab.example>',
        "stuff-after": "RCPT TO:<{0}> bad stuff after",
        "unknown-parameter": "RCPT TO:<{0}> FROBNICATE=1",
        "mail-parameter": "RCPT TO:<{0}> SIZE=1",
    },
)
PARAMETERS = (
    *_labelled(
        "size",
        {
            "zero": f"MAIL FROM:<{SENDER}> SIZE=0",
            "some": f"MAIL FROM:<{SENDER}> size=1000",
            "limit": f"MAIL FROM:<{SENDER}> SIZE=20971520",
            "above-limit": f"MAIL FROM:<{SENDER}> SIZE=20971521",
            "twenty-digits": f"MAIL FROM:<{SENDER}> SIZE=99999999999999999999",
            "no-number": f"MAIL FROM:<{SENDER}> SIZE=much",
            "no-value": f"MAIL FROM:<{SENDER}> SIZE=",
            "alone": f"MAIL FROM:<{SENDER}> SIZE",
            "negative": f"MAIL FROM:<{SENDER}> SIZE=-1",
        },
        needs=["size"],
    ),
    *_labelled(
        "body",
        {
            "7bit": f"MAIL FROM:<{SENDER}> BODY=7BIT",
            "8bitmime": f"MAIL FROM:<{SENDER}> body=8bitmime",
            "other": f"MAIL FROM:<{SENDER}> BODY=9BIT",
            "alone": f"MAIL FROM:<{SENDER}> BODY",
        },
        needs=["8bitmime"],
    ),
    *_labelled(
        "utf8",
        {
            "flag": f"MAIL FROM:<{SENDER}> SMTPUTF8",
            "with-value": f"MAIL FROM:<{SENDER}> SMTPUTF8=1",
            "address": "MAIL FROM:<用户@lab.example> SMTPUTF8",
        },
        needs=["smtputf8"],
    ),
    *_labelled(
        "dsn",
        {
            "ret": f"MAIL FROM:<{SENDER}> RET=HDRS ENVID=a+2Bb",
            "bad-ret": f"MAIL FROM:<{SENDER}> RET=SOME",
            "notify": "RCPT TO:<{0}> NOTIFY=NEVER ORCPT=rfc822;a@b",
            "bad-notify": "RCPT TO:<{0}> NOTIFY=NEVER,DELAY",
        },
        needs=["dsn"],
    ),
)
_LABEL = "d" * 63
#: RFC 5321, section 4.5.3.1: what is as long as it may be; and a line that is longer than any host takes.
LIMITS = (
    *_commands("noop-512", "NOOP {fill 511}", "NOOP {fill 512}"),
    *_commands("unknown-512", "FROB {fill 512}"),
    *_commands("vrfy-512", "VRFY {fill 512}"),
    *_commands("endless-line", "FROB {fill 100000}"),
    *_commands("local-part-64", f"MAIL FROM:<{'l' * 64}@lab.example>"),
    *_commands("domain-255", f"MAIL FROM:<a@{'.'.join([_LABEL] * 4)}>"),
    *_commands("path-256", f"MAIL FROM:<{'l' * 64}@{'.'.join([_LABEL, _LABEL, 'd' * 61])}>"),
    *_commands("recipient-64", f"RCPT TO:<{{{LONG}}}>"),
)
#: As many recipients as a host must take (RFC 5321, section 4.5.3.1.8).
HUNDRED = tuple(Command(f"RCPT TO:<{{{place}}}>") for place in range(CROWD, CROWD + 100))

Move = tuple[Step, ...]


def _alone(command: Command) -> tuple[Command, ...]:
    return (command,)


def _asked_anew(command: Command) -> tuple[Command, ...]:
    """The command where it would be right, and what shows whether it opened a transaction."""
    if command.verb == "MAIL":
        return (RSET, command, RCPT[0])
    return (RSET, MAIL, command)


@dataclass(frozen=True)
class Focus:
    """What conversations are about.

    Attributes:
        commands: what is said besides whole transactions and their parts.
        contents: bodies of messages.
        share: how often the commands are said, as a multiple of how often a message is sent.
        setting: what is said with one of them.
        interrupts: whether they are also said in the middle of a transaction that goes on.
        moves: further sequences of steps that stay together.
        openings: one of these begins the conversation.
        cut: sizes by which the stream is cut.
        length: how many moves a conversation has, at least and at most.
    """

    commands: tuple[Command, ...]
    contents: st.SearchStrategy[bytes]
    share: int
    setting: Callable[[Command], tuple[Command, ...]] = _alone
    interrupts: bool = True
    moves: tuple[Move, ...] = ()
    openings: tuple[Command, ...] = OPENINGS
    cut: st.SearchStrategy[list[int]] = cut_sizes
    length: tuple[int, int] = (6, 14)


SMALL = st.just(b"A line.\r\n")
ORDER = Focus((*GREETINGS, *IDLE, RSET, FOREIGN, NULL_SENDER), SMALL, 3)
PATHS = Focus(
    (*SENDERS, *RECIPIENTS, *PARAMETERS, NULL_SENDER),
    SMALL,
    20,
    _asked_anew,
    interrupts=False,
    openings=(EHLO,),
    length=(12, 25),
)
CONTENTS = Focus((RSET, NULL_SENDER, FOREIGN, MAIL, RCPT[1], RCPT[2]), bodies, 1)
SIZES = Focus(
    LIMITS,
    st.sampled_from(
        [
            b"x" * 998 + b"\r\n",
            b"." * 998 + b"\r\n",
            b"." + b"x" * 997 + b"\r\n.\r\n",
            (b"x" * 998 + b"\r\n") * 66,
            b"\r\n" * 4000,
        ]
    ),
    3,
    moves=(tuple(Step((command,)) for command in (MAIL, *HUNDRED, RSET)),),
    cut=st.lists(st.integers(min_value=300, max_value=4000), min_size=1, max_size=4),
)


def _steps(commands: Iterable[Command]) -> Move:
    return tuple(Step((command,)) for command in commands)


def conversations(
    focus: Focus, features: frozenset[str], left_out: frozenset[str]
) -> st.SearchStrategy[Conversation]:
    """Conversations for hosts that share these features, without commands of the kinds left out."""

    def wanted(command: Command) -> bool:
        return command.needs <= features and command.kind not in left_out

    focused = st.sampled_from(
        [_steps(focus.setting(command)) for command in focus.commands if wanted(command)]
    )
    common = [_steps([command]) for command in (MAIL, MAIL, *RCPT, RSET)]
    opened = _steps([MAIL, RCPT[0]])
    messages = focus.contents.map(lambda content: (Step((DATA,), content),))
    interrupted = st.builds(
        lambda first, second, message: (*_steps([MAIL]), *first, *_steps([RCPT[0]]), *second, *message),
        *(focused, focused, messages),
    )
    one_move = st.one_of(
        # the first is what everything shrinks to: nothing said
        st.sampled_from([(), *common, opened, *focus.moves]),
        *[focused] * focus.share,
        messages,
        messages.map(lambda message: (*opened, *message)),
        *[interrupted] * focus.interrupts,
    )
    plain = st.builds(
        lambda opening, drawn, cut: Conversation(
            (*_steps([opening]), *(step for move in drawn for step in move)), tuple(cut)
        ),
        st.sampled_from(focus.openings),
        st.lists(one_move, min_size=focus.length[0], max_size=focus.length[1]),
        focus.cut,
    )
    return plain.flatmap(_grouped) if features >= _PIPELINING else plain


@st.composite
def _grouped(draw: st.DrawFn, conversation: Conversation) -> Conversation:
    """The same commands, some of them in groups."""
    steps: list[Step] = []
    for step in conversation.steps:
        before = steps[-1] if steps else None
        if before is not None and _may_go_on(before) and draw(st.booleans()):
            steps[-1] = Step((*before.commands, *step.commands), step.content, step.joined)
        elif step.content is not None:
            steps.append(Step(step.commands, step.content, draw(st.booleans())))
        else:
            steps.append(step)
    return Conversation(tuple(steps), conversation.cut)


def _may_go_on(step: Step) -> bool:
    return step.content is None and step.commands[-1].verb in _GROUPED
