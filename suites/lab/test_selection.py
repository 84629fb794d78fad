"""What a run is asked to judge, and who stands in where there is no Docker.

Knows a made-up protocol and its catalogue. Must not know how a case runs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, UnknownName
from lab.judge.selection import Selection
from lab.judge.suite import load_suite

CATALOGUE = """
[[implementation]]
name = "tiny"
protocol = "chat"
role = "server"
library = "python"
command = ["python", "-m", "tiny"]
features = []
[[implementation]]
name = "other"
protocol = "chat"
role = "client"
library = "python"
entry = "other:Client"
features = []
"""


def selection(root: Path, embedded: str) -> Selection:
    """A selection of the made-up suite, whose file has this line too."""
    (root / "implementations").mkdir()
    (root / "implementations" / "catalogue.toml").write_text(CATALOGUE)
    (root / "suite.toml").write_text(f'protocol = "chat"\ntitle = "Chat"\n{embedded}\n')
    return Selection(
        root=root,
        suites={"chat": load_suite(root)},
        rows=(),
        clauses=frozenset(),
        cases=frozenset(),
        cuts=("whole",),
        peers="embedded",
        profile="quick",
        narrowed=False,
    )


def test_the_embedded_server_is_the_catalogues(tmp_path: Path) -> None:
    """The row that suite.toml names, ready to be started."""
    found = selection(tmp_path, 'embedded = "tiny"').embedded("chat")
    assert (found.name, found.role, found.command) == ("tiny", "server", ("python", "-m", "tiny"))


def test_an_embedded_server_that_is_a_client_is_unknown(tmp_path: Path) -> None:
    """Only servers of the protocol stand in."""
    with pytest.raises(UnknownName, match="other"):
        selection(tmp_path, 'embedded = "other"').embedded("chat")


def test_a_suite_without_an_embedded_server_says_so(tmp_path: Path) -> None:
    """The remedy names the file."""
    with pytest.raises(LabError, match="chat names no embedded server") as told:
        selection(tmp_path, "").embedded("chat")
    assert told.value.remedy == "give its suite.toml one"
