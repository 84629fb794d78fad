"""What is measured of a protocol: the questions with their answers, and the servers, as `bench.toml` says.

Knows the form of `suites/<protocol>/bench.toml`. Must not know a protocol, nor how anything is measured.

    port = 1060                 # where servers listen in a namespace, a board or a guest of their own
    reference = "poll"          # ratios are to this server
    limit = "c"                 # what the protocol costs without an interpreter; may be left out

    [[exchange]]                # connections ask these in turn, from the first
    send = "What is your name?"
    expect = "My name is Sir Lancelot of Camelot."

    [[server]]
    name = "poll"
    architecture = "loop"       # loop, threads, processes or blocking
    command = ["python", "-m", "implementations.lancelot.server_poll", "{host}", "--port", "{port}"]
    source = "…/server.c"       # built with cc; "{binary}" in the command stands for the result
    concurrency = 10            # connections it serves at a time, where that is bounded
    needs = "uvloop"            # a Python module without which it cannot run
    varies = 3                  # percent by which its instructions may differ from the baseline's, where 1 is too little
    implementation = "poll"     # its row in the catalogue, where the name differs

Texts are octets: each character U+0000 to U+00FF is one. A server prints a line `listening on HOST:PORT` once it accepts.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.judge.catalogue import unknown
from lab.judge.located import DataError, Table, read_toml, tables

ARCHITECTURES: Final = ("loop", "threads", "processes", "blocking")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, octet for octet."""

    send: bytes
    expect: bytes


@dataclass(frozen=True, slots=True)
class BenchServer:
    """A server to be measured.

    Attributes:
        command: argv with the placeholders `python` (first word), `{host}`, `{port}` and `{binary}`.
        source: the C file that `{binary}` is built from, or None.
        concurrency: how many connections it serves at a time; None for as many as there are.
        needs: a Python module that must be there, or None.
        implementation: its name in the catalogue.
        varies: percent by which the instructions it takes may differ before that is called a change.
    """

    name: str
    architecture: str
    command: tuple[str, ...]
    source: Path | None = None
    concurrency: int | None = None
    needs: str | None = None
    implementation: str = ""
    varies: int = 1

    def argv(
        self, host: str, port: int, *, python: str = sys.executable, binary: str | None = None
    ) -> list[str]:
        """The command with its placeholders filled in.

        Raises:
            LabError: it has a `{binary}`, and none is given.
        """
        words = list(self.command)
        if words[0] == "python":
            words[0] = python
        if binary is None and any("{binary}" in word for word in words):
            raise LabError(f"{self.name} is built from {self.source} and was not built")
        filled = {"{host}": host, "{port}": str(port), "{binary}": binary or ""}
        for placeholder, value in filled.items():
            words = [word.replace(placeholder, value) for word in words]
        return words

    def missing(self) -> str | None:
        """The Python module that it needs and that is not installed here, or None."""
        if self.needs is None or importlib.util.find_spec(self.needs) is not None:
            return None
        return self.needs


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """The benchmark of one protocol.

    Attributes:
        directory: the suite's folder.
        port: where servers listen when they have the address to themselves.
        reference: the name of the server that ratios are to.
        limit: the name of the server that shows what the interpreter costs, or None.
    """

    protocol: str
    directory: Path
    port: int
    reference: str
    limit: str | None
    exchanges: tuple[Exchange, ...]
    servers: tuple[BenchServer, ...]

    def server(self, name: str) -> BenchServer:
        """The server of that name.

        Raises:
            UnknownName: there is none.
        """
        for server in self.servers:
            if server.name == name:
                return server
        raise unknown(f"server of {self.protocol}'s benchmark", name, [one.name for one in self.servers])

    def select(self, names: Sequence[str]) -> tuple[BenchServer, ...]:
        """The named servers, always with the reference, in the plan's order; all when no name is given.

        Raises:
            UnknownName: a name is in no row.
        """
        wanted = {self.server(name).name for name in names} or {server.name for server in self.servers}
        return tuple(server for server in self.servers if server.name in wanted | {self.reference})


def load_plan(directory: Path) -> BenchPlan:
    """Read `bench.toml` of a suite's folder.

    Raises:
        DataError: it is missing or has a mistake; the message names file, line and remedy.
    """
    path = directory / "bench.toml"
    data = read_toml(path)
    for field in data:
        if field not in {"port", "reference", "limit", "exchange", "server"}:
            raise DataError(
                f"{path}: unknown field {field!r}; it has port, reference, limit, exchange, server"
            )
    port = data.get("port")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 1 << 16:
        raise DataError(f"{path}: needs port = a number from 1 to 65535")
    exchanges = tuple(_exchange(table) for table in tables(path, "exchange", data))
    if not exchanges:
        raise DataError(f"{path}: needs an [[exchange]] with send and expect")
    root = directory.parent.parent
    servers: list[BenchServer] = []
    for table in tables(path, "server", data):
        server = _server(table, root)
        if any(server.name == other.name for other in servers):
            raise table.mistake(f"repeats the name {server.name!r}", "give it another name")
        servers.append(server)
    plan = BenchPlan(
        protocol=directory.name,
        directory=directory,
        port=port,
        reference=_name_of_server(path, data, "reference", servers),
        limit=_name_of_server(path, data, "limit", servers) if "limit" in data else None,
        exchanges=exchanges,
        servers=tuple(servers),
    )
    if plan.server(plan.reference).concurrency is not None:
        raise DataError(f"{path}: the reference must serve any number of connections at a time")
    return plan


def _name_of_server(path: Path, data: dict[str, object], field: str, servers: list[BenchServer]) -> str:
    value = data.get(field)
    if not isinstance(value, str) or value not in {server.name for server in servers}:
        raise DataError(f'{path}: needs {field} = "…", the name of one of its servers')
    return value


def _exchange(table: Table) -> Exchange:
    table.only("send", "expect")
    return Exchange(_octets(table, "send"), _octets(table, "expect"))


def _octets(table: Table, field: str) -> bytes:
    text = table.word(field)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise table.mistake(
            f"has U+{ord(text[error.start]):04X} in {field!r}", "write octets, U+0000 to U+00FF"
        ) from error


def _server(table: Table, root: Path) -> BenchServer:
    table.only(
        "name", "architecture", "command", "source", "concurrency", "needs", "implementation", "varies"
    )
    name = table.word("name")
    command = table.words("command")
    if not command:
        raise table.mistake("has an empty command", 'write command = ["python", …]')
    source = root / table.word("source") if table.has("source") else None
    if source is not None and not source.is_file():
        raise table.mistake(f"has source = {table.word('source')!r}", "name a C file of the checkout")
    if (source is not None) != any("{binary}" in word for word in command):
        raise table.mistake("has one of 'source' and \"{binary}\" without the other", "give both or neither")
    return BenchServer(
        name=name,
        architecture=table.word("architecture", among=ARCHITECTURES),
        command=command,
        source=source,
        concurrency=table.number("concurrency", least=1) if table.has("concurrency") else None,
        needs=table.word("needs") if table.has("needs") else None,
        implementation=table.word("implementation", name),
        varies=table.number("varies", least=1) if table.has("varies") else 1,
    )


def find_plans(root: Path) -> dict[str, BenchPlan]:
    """The benchmarks of the checkout, by protocol.

    Raises:
        DataError: one has a mistake.
    """
    return {
        path.parent.name: load_plan(path.parent) for path in sorted((root / "suites").glob("*/bench.toml"))
    }
