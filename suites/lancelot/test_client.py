"""Clients: which answers they take, and when they give up (docs/lancelot.md, sections 4 and 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import RecordedStream
from suites.lancelot.exchange import Client, Exchange, Way
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST, UNKNOWN

pytestmark = role("client")

QUESTIONS = b"".join(ANSWERS)
#: Each way to ask; a client that cannot ask without waiting declares so.
each_way = pytest.mark.parametrize("way", ["ask", pytest.param("pipeline", marks=needs("pipelining"))])
#: Seconds between two pieces of an answer: nothing tells that the other end has read the first.
PAUSE = 0.05


def _took(exchange: Exchange, expected: Sequence[bytes]) -> None:
    assert exchange.asked == QUESTIONS, f"the client asked {exchange.asked!r}"
    assert not exchange.failed, f"the client says {exchange.report}"
    assert exchange.answers == [*expected], f"the client took {exchange.answers}"


@each_way
@clause("lancelot-4-client-any-segmentation")
def test_answers_of_a_server_are_taken(client: Client, way: Way) -> None:
    """A server answers the three questions, and its answers are cut on their way."""
    exchange = client.ask(way)

    _took(exchange, [*ANSWERS.values()])


def _in_pieces(*rounds: Sequence[bytes], questions: int) -> Callable[[RecordedStream], None]:
    """In each round so many questions are heard, and each piece is read by the client before the next one comes."""

    def dialogue(stream: RecordedStream) -> None:
        for pieces in rounds:
            for _ in range(questions):
                stream.receive_until(b"?")
            for piece in pieces[:-1]:
                stream.send(piece)
                if stream.receive_what_comes(PAUSE):
                    return  # it took a part for the whole and asks on: nobody answers
            stream.send(pieces[-1])
        stream.receive_to_end()

    return dialogue


# what a reader that is wrong makes of a cut is chance: in these two the script decides what one read brings


@cuts("whole")
@clause("lancelot-4-client-any-segmentation")
def test_an_answer_in_pieces_is_put_together(client: Client) -> None:
    """Answers come in pieces; a full stop alone is one, too."""
    name, quest = ANSWERS[NAME], ANSWERS[QUEST]
    dialogue = _in_pieces(
        [name[:2], name[2:20], name[20:]], [quest[:-1], b"."], [UNKNOWN[:1], UNKNOWN[1:]], questions=1
    )

    exchange = client.ask_script("ask", dialogue)

    _took(exchange, [name, quest, UNKNOWN])


@needs("pipelining")
@cuts("whole")
@clause("lancelot-4-client-any-segmentation")
def test_pieces_that_end_inside_answers_are_put_together(client: Client) -> None:
    """Pieces hold the end of one answer and the beginning of the next, or an answer and a half."""
    name, quest = ANSWERS[NAME], ANSWERS[QUEST]
    pieces = [name[:9], name[9:] + quest[:4], quest[4:-1], b"." + UNKNOWN[:6], UNKNOWN[6:]]

    exchange = client.ask_script("pipeline", _in_pieces(pieces, questions=3))

    _took(exchange, [name, quest, UNKNOWN])


@pytest.mark.parametrize(
    "answers",
    [[*ANSWERS.values()], [ANSWERS[COLOR], UNKNOWN, ANSWERS[NAME]]],
    ids=["as-tabled", "others"],
)
@each_way
@clause("lancelot-4-client-in-order")
def test_answers_are_taken_in_the_order_of_the_questions(
    client: Client, way: Way, answers: list[bytes]
) -> None:
    """Whatever the answers are, the first one is that of the first question."""

    def dialogue(stream: RecordedStream) -> None:
        if way == "pipeline":
            stream.receive_exactly(len(QUESTIONS))
            stream.send(b"".join(answers))
        else:
            for answer in answers:
                stream.receive_until(b"?")
                stream.send(answer)
        stream.receive_to_end()

    exchange = client.ask_script(way, dialogue)

    _took(exchange, answers)


#: How many answers are whole, and what comes of the next one.
ENDS = {
    "before-any-answer": (0, b""),
    "inside-the-first": (0, b"My name is"),
    "before-the-second": (1, b""),
    "before-the-last-full-stop": (2, b"Blue"),
}


@pytest.mark.parametrize("end", ["fin", "rst"])
@pytest.mark.parametrize("stage", ENDS)
@each_way
@clause("lancelot-6-client-reports-early-end")
def test_an_end_before_an_answer_is_complete_is_told(client: Client, way: Way, stage: str, end: str) -> None:
    """The connection ends in order, or by a reset: the client says that it failed, and no part is an answer."""
    count, part = ENDS[stage]
    whole = [*ANSWERS.values()][:count]

    def dialogue(stream: RecordedStream) -> None:
        for answer in [*whole, part]:
            stream.receive_until(b"?")
            stream.send(answer)
        if end == "rst":
            stream.reset()

    exchange = client.ask_script(way, dialogue)

    assert exchange.failed, f"the client says {exchange.report}"
    assert exchange.answers == whole[: len(exchange.answers)], f"the client took {exchange.answers}"


def _says_nothing(stream: RecordedStream) -> None:
    stream.receive_until(b"?")
    stream.receive_to_end()


def _stops_inside(stream: RecordedStream) -> None:
    stream.receive_until(b"?")
    stream.send(b"My name is")
    stream.receive_to_end()


def _dribbles(stream: RecordedStream) -> None:
    stream.receive_until(b"?")
    while stream.ended is None:
        stream.send(b"m")
        stream.receive_what_comes(0.1)


# the cut changes nothing in what does not come


@pytest.mark.parametrize(
    "dialogue", [_says_nothing, _stops_inside, _dribbles], ids=["silence", "silence-inside", "dribble"]
)
@each_way
@cuts("whole")
@clause("lancelot-6-client-does-not-wait-for-ever")
def test_an_answer_that_does_not_come_is_not_waited_for(
    client: Client, way: Way, dialogue: Callable[[RecordedStream], None]
) -> None:
    """Nothing comes, or a beginning, or an octet now and then: in time the client says that it failed."""
    exchange = client.ask_in_vain(way, dialogue)

    assert exchange.failed, f"the client says {exchange.report}"
    assert exchange.answers == [], f"the client took {exchange.answers}"
