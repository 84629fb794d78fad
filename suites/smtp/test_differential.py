"""Differential properties: whatever is said, servers answer as the reference server does, and store the same.

Where no reference server runs the exemplar stands in for it. What is not compared is listed in ``differential.py``,
what is not said in ``exclusions.py``; the last tests hold both lists to their word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.evidence import Evidence
from lab.judge.marks import clause, cuts, needs, role
from lab.judge.properties import in_profile
from lab.judge.selection import Selection
from lab.stack.engine import EngineMissing, find_engine
from lab.wire.authority import Authority
from suites.smtp import exclusions
from suites.smtp.dialogue import Command, Conversation, Step
from suites.smtp.differential import Comparison, SearchOver
from suites.smtp.exemplar_server import FEATURES
from suites.smtp.generated import (
    CONTENTS,
    EHLO,
    MAIL,
    ORDER,
    PATHS,
    RCPT,
    RSET,
    SIZES,
    Focus,
    conversations,
)
from suites.smtp.mailhost import Mailhost, ReferenceHost, SubjectHost
from suites.smtp.subjects import Server

FOCI = {"order": ORDER, "paths": PATHS, "contents": CONTENTS, "sizes": SIZES}
EXEMPLAR = Implementation(
    "exemplar",
    "smtp",
    "server",
    "python",
    frozenset(FEATURES),
    command=("python", "-m", "suites.smtp.exemplar_edge"),
)
#: A search in profile ``deep`` takes minutes.
long_search = pytest.mark.timeout(900)

Agree = Callable[[Focus, int], None]


@pytest.fixture(scope="session")
def exemplar_host(authority: Authority) -> Iterator[SubjectHost]:
    """A server that obeys every clause."""
    host = SubjectHost(EXEMPLAR, authority)
    yield host
    host.stop()


@pytest.fixture(scope="session")
def standard(reference_host: ReferenceHost | None, request: pytest.FixtureRequest) -> Mailhost:
    """The host whose answers are taken for granted."""
    if reference_host is not None:
        return reference_host
    host: SubjectHost = request.getfixturevalue("exemplar_host")
    return host


def search(
    comparison: Comparison, hosts: tuple[Mailhost, Mailhost], focus: Focus, profile: str, quick: int
) -> None:
    """Play conversations to both hosts.

    Raises:
        AssertionError: they part; the conversation is as short as may be.
        Blocked: the standard could not be asked.
    """
    one, other = hosts

    @in_profile(profile, quick=quick, deep=100 * quick)
    @given(
        conversation=conversations(
            focus, one.features & other.features, exclusions.left_out([one.name, other.name])
        )
    )
    def agree(conversation: Conversation) -> None:
        comparison.play(conversation)

    try:
        agree()
    except SearchOver:
        raise AssertionError(comparison.shortest) from None
    comparison.settle()


@pytest.fixture
def agree(server: Server, standard: Mailhost, evidence: Evidence, profile: str) -> Agree:
    """Holds that standard and server agree in so many conversations on a subject (in profile ``deep`` many more)."""

    def agreed(focus: Focus, quick: int) -> None:
        comparison = Comparison(standard, server.host)
        try:
            search(comparison, (standard, server.host), focus, profile, quick)
        finally:
            # the last two: those that part, where some do
            for played in comparison.latest:
                evidence.add(played.transcript)

    return agreed


# the cut is drawn by each property itself, so each runs once


@role("server")
@needs("delivery")
@cuts("whole")
@long_search
@clause(
    "rfc5321-4.1.4-out-of-order-503",
    "rfc5321-4.1.4-later-ehlo-resets",
    "rfc5321-4.1.1.5-rset-discards",
)
def test_commands_in_any_order_are_answered_alike(agree: Agree) -> None:
    """A property: commands in any order, known or not, lead to the same kinds of replies and the same mail."""
    agree(ORDER, 12)


@role("server")
@needs("delivery")
@cuts("whole")
@long_search
@clause("rfc5321-4.1.2-malformed-path-rejected")
def test_paths_of_any_form_are_answered_alike(agree: Agree) -> None:
    """A property: the same senders, recipients and parameters are taken, and the same ones refused."""
    agree(PATHS, 10)


@role("server")
@needs("delivery")
@cuts("whole")
@long_search
@clause(
    "rfc5321-4.1.1.4-buffers-cleared-after-data",
    "rfc5321-4.1.1.2-mail-begins-anew",
    "rfc5321-4.1.1.3-recipients-add-up",
)
def test_transactions_of_any_content_store_the_same(agree: Agree) -> None:
    """A property: after any sequence of transactions the same recipients have the same messages, octet for octet."""
    agree(CONTENTS, 10)


@role("server")
@needs("delivery")
@cuts("whole")
@long_search
@clause("rfc5321-4.5.3.1.4-command-line-512", "rfc5321-4.5.3.1.6-text-line-1000")
def test_sizes_at_the_limits_are_taken_alike(agree: Agree) -> None:
    """A property: what has just the size that RFC 5321, section 4.5.3.1, gives it is taken as by the standard."""
    agree(SIZES, 8)


# the exemplar, and the lists


@pytest.fixture
def named_host(
    selection: Selection, authority: Authority, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Mailhost]]:
    """Gives the host of a name; the test is skipped where it is the reference server and there is no engine."""
    opened: list[SubjectHost] = []

    def named(name: str) -> Mailhost:
        reference = selection.suites["smtp"].reference
        if reference is not None and name == reference.name:
            try:
                find_engine()
            except EngineMissing as error:
                pytest.skip(str(error))
            if selection.peers != "reference":
                pytest.skip("the run was told to do without the reference server")
            host: Mailhost = request.getfixturevalue("reference_host")
            return host
        rows = load_catalogue(selection.root / "implementations" / "catalogue.toml")
        row = next(row for row in rows if (row.protocol, row.role, row.name) == ("smtp", "server", name))
        opened.append(SubjectHost(row, authority))
        return opened[-1]

    yield named
    for host in opened:
        host.stop()


@pytest.mark.parametrize("focus", FOCI.values(), ids=FOCI)
def test_reference_and_exemplar_agree(
    focus: Focus, named_host: Callable[[str], Mailhost], exemplar_host: SubjectHost, profile: str
) -> None:
    """Two servers that are known to be good answer alike, in groups of commands too."""
    reference = named_host("postfix")

    with closing(Comparison(reference, exemplar_host)) as comparison:
        search(comparison, (reference, exemplar_host), focus, profile, 10)


def _hard_on(command: Command) -> Conversation:
    """A conversation in which a host that is known to take the command otherwise does so."""
    before = {"RCPT": [EHLO, MAIL], "DATA": [EHLO, MAIL, RCPT[0]]}.get(command.verb, [EHLO])
    # some are answered otherwise only after a while
    lines = [*before, *[command] * 6, MAIL, RCPT[0], RSET]
    return Conversation(tuple(Step((line,)) for line in lines))


@pytest.mark.parametrize("host", sorted({entry.host for entry in exclusions.EXCLUSIONS}))
def test_what_is_left_out_is_still_answered_otherwise(
    host: str, named_host: Callable[[str], Mailhost], exemplar_host: SubjectHost
) -> None:
    """Every kind of command that is not said to a host still makes it part from the exemplar."""
    left_out = exclusions.left_out([host])
    parting: set[str] = set()

    with closing(Comparison(exemplar_host, named_host(host))) as comparison:
        for command in _alphabet():
            if command.kind in left_out and comparison.parted(_hard_on(command)) is not None:
                parting.add(command.kind)

    needless = sorted(left_out - parting)
    assert needless == [], f"{host} and the exemplar agree on {needless}: say it again"


def _alphabet() -> list[Command]:
    return [command for focus in FOCI.values() for command in focus.commands]


def test_what_is_left_out_has_a_case() -> None:
    """Every known difference names kinds that are said and a case that exists, or why hosts may choose."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_server_*.py"))
    )
    kinds = {command.kind for command in _alphabet()}

    for entry in exclusions.EXCLUSIONS:
        assert entry.kinds <= kinds, f"{entry.kinds - kinds} is no kind of command"
        assert entry.reason, f"{entry} has no reason"
        if entry.case is None:
            assert entry.reason.startswith("RFC "), f"{entry.reason!r} names no specification"
            continue
        words = entry.case.removeprefix("smtp.server.").partition("[")[0]
        assert f"def test_{words.replace('-', '_')}(" in sources, f"there is no case {entry.case}"
