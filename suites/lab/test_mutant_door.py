"""The door of a suite's mutants: what it lists, and whom it lets in.

Knows a made-up protocol of two roles. Must not know any suite's mutants.
"""

from __future__ import annotations

import json

import pytest

from lab.judge.mutant import Breeder
from lab.judge.mutant_door import EXEMPLAR, Door, Exemplar, mutated

server_breaks = Breeder("server")
client_breaks = Breeder("client")


class Right:
    """Obeys."""


@server_breaks("toy-1-polite")
@client_breaks("toy-1-polite")
class Rude(Right):
    """Is rude."""


class Ran(Exception):
    """A class was run."""


def served(made: type) -> int:
    """Serve with this class; it ends with status 7."""
    assert issubclass(made, Right)
    return 7


def asked(made: type) -> None:
    """Tell the class."""
    raise Ran(made)


DOOR = Door(
    "toy",
    (
        Exemplar("server", ("b", "a"), Right, served),
        Exemplar("client", (), Right, asked),
    ),
    (server_breaks, client_breaks),
)


def test_the_list_has_what_a_trial_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Exemplars; mutants with clause and description; each with its command."""
    assert DOOR.main(["list"]) == 0

    told = json.loads(capsys.readouterr().out)
    command = ["python", "-m", "suites.toy.mutants"]
    assert told["exemplars"] == [
        {
            "name": "exemplar",
            "role": "server",
            "command": [*command, "server", "exemplar"],
            "features": ["a", "b"],
        },
        {"name": "exemplar", "role": "client", "command": [*command, "client", "exemplar"], "features": []},
    ]
    assert [(row["role"], row["name"], row["clause"], row["description"]) for row in told["mutants"]] == [
        ("server", "rude", "toy-1-polite", "Is rude."),
        ("client", "rude", "toy-1-polite", "Is rude."),
    ]
    assert told["mutants"][1]["command"] == [*command, "client", "rude"]


@pytest.mark.parametrize(("name", "made"), [(EXEMPLAR, Right), ("rude", Rude)])
def test_the_one_that_is_named_runs(name: str, made: type) -> None:
    """The exemplar's own class, or the mutant's."""
    with pytest.raises(Ran) as ran:
        DOOR.main(["client", name])
    assert ran.value.args == (made,)


def test_the_exit_status_is_the_servers() -> None:
    """What a mutant ends with is looked at by cases."""
    assert DOOR.main(["server", "rude"]) == 7


@pytest.mark.parametrize("words", [[], ["server"], ["server", "nobody"], ["peer", "rude"], ["list", "all"]])
def test_others_are_told_the_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and the status of a wrong command line."""
    assert DOOR.main(words) == 2
    assert capsys.readouterr().err == (
        "usage: python -m suites.toy.mutants list | server NAME | client NAME\n"
    )


def test_a_row_is_an_implementation_to_be_judged() -> None:
    """The catalogue's form."""
    row = DOOR.row("server", "rude")
    assert (row.name, row.protocol, row.role) == ("rude", "toy", "server")
    assert row.features == {"a", "b"}
    assert row.command == ("python", "-m", "suites.toy.mutants", "server", "rude")


class Engine:
    """A part."""


class Car:
    """A whole, with a part."""

    engine_class: type[Engine] = Engine


class Stalls(Engine):
    """A part that is broken."""


class Rolls(Car):
    """A whole one that is broken."""


def test_a_mutant_stands_where_its_exemplar_would() -> None:
    """A whole one as it is; a part in a whole of its own, so that the exemplar stays right."""
    parts = {"engine_class": Engine}

    assert mutated(Car, Rolls, parts) is Rolls
    assert mutated(Car, Stalls, parts).engine_class is Stalls
    assert Car.engine_class is Engine
    with pytest.raises(TypeError, match="Rude is no Car and no part of one"):
        mutated(Car, Rude, parts)
