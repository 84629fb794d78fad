"""What a lab is: a checkout, its name, its files, and the servers that its compose.yaml declares.

Knows the shape of compose.yaml and of `x-erle`, no protocol and no container.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError, UnknownName
from lab.stack.engine import Engine, find_engine

LAB_LABEL = "org.erle-lab.lab"
CHECKOUT_LABEL = "org.erle-lab.checkout"
RUNNER_LABEL = "org.erle-lab.runner"
SERVICE_LABEL = "com.docker.compose.service"
CONFIG_LABEL = "com.docker.compose.config-hash"
#: In the state folder: programs that were built for servers, here or for a container that mounts them.
PROGRAMS = "programs"
IMAGES = Path(__file__).resolve().parent.parent / "images"


class BadCompose(LabError):
    """compose.yaml is missing, or an `x-erle` in it cannot be understood."""


@dataclass(frozen=True)
class Question:
    """How a server is asked whether it is ready: octets to send, and what the octets that come back must match."""

    port: int
    expect: re.Pattern[bytes]
    send: bytes = b""
    transport: str = "tcp"
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.transport} {self.port}{' (TLS)' if self.tls else ''}"


@dataclass(frozen=True)
class Server:
    """A service of compose.yaml as it is declared, whether it runs or not."""

    name: str
    image: str
    ready: tuple[Question, ...]
    version_command: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    architecture: str | None = None
    head_start: bool = False


@dataclass(frozen=True)
class Accounts:
    """The test users: `<prefix>0` to `<prefix><count - 1>`, with mail in `domain`."""

    count: int
    prefix: str
    domain: str

    def names(self) -> list[str]:
        """Return all the users' names."""
        return [f"{self.prefix}{number}" for number in range(self.count)]


@dataclass(frozen=True)
class Lab:
    """One checkout's lab. `name` is its Compose project and the value of `LAB_LABEL` on all that it starts."""

    root: Path
    name: str
    engine_option: str | None = None
    _engine: list[Engine] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def here(cls, root: Path, engine: str | None = None) -> Lab:
        """Return the lab of the checkout at `root`. `engine` is the user's explicit choice of an endpoint."""
        root = root.resolve()
        return cls(root, f"erle-{hashlib.sha256(os.fsencode(root)).hexdigest()[:8]}", engine)

    @property
    def state(self) -> Path:
        """The folder of the lab's state: certificates, passwords, leases."""
        return self.root / ".erle"

    @property
    def compose_file(self) -> Path:
        """The list of what runs."""
        return self.root / "compose.yaml"

    def engine(self) -> Engine:
        """Return the engine, found once. Raises `EngineMissing`."""
        if not self._engine:
            self._engine.append(find_engine(self.engine_option))
        return self._engine[0]

    def servers(self) -> Mapping[str, Server]:
        """Return all the declared servers by name. Raises `BadCompose`."""
        return _declared(self.compose_file, _stamp(self.compose_file))[0]

    def accounts(self) -> Accounts:
        """Return the declared test users. Raises `BadCompose`."""
        return _declared(self.compose_file, _stamp(self.compose_file))[1]

    def chosen(self, names: Sequence[str] | None) -> list[Server]:
        """Return the named servers and those they depend on (None: all outside profiles), in the order to start them.

        Raises `UnknownName` with the nearest names.
        """
        servers = self.servers()
        wanted = (
            [name for name, server in servers.items() if not server.profiles]
            if names is None
            else list(names)
        )
        for name in wanted:
            if name not in servers:
                raise UnknownName(
                    "server", name, difflib.get_close_matches(name, servers, n=2), sorted(servers)
                )
        return [servers[name] for name in dict.fromkeys(n for w in wanted for n in _with_needed(w, servers))]


def _with_needed(name: str, servers: Mapping[str, Server]) -> Iterator[str]:
    for needed in servers[name].depends_on:
        yield from _with_needed(needed, servers)
    yield name


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise BadCompose(f"{path} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=16)
def _declared(path: Path, _stamped: int) -> tuple[Mapping[str, Server], Accounts]:
    """Read compose.yaml; `_stamped` makes a changed file a new entry of the cache."""
    import yaml

    try:
        # Any: a YAML document has no shape until it is looked at, which the functions below do key by key.
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        servers = {name: _server(str(name), service) for name, service in document["services"].items()}
        accounts = document["x-erle"]["accounts"]
        return servers, Accounts(int(accounts["count"]), str(accounts["prefix"]), str(accounts["domain"]))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, re.error) as error:
        raise BadCompose(f"{path}: {type(error).__name__}: {str(error).splitlines()[0]}") from error


def _server(name: str, service: Mapping[str, Any]) -> Server:  # Any: as above
    own = service.get("x-erle") or {}
    return Server(
        name=name,
        image=str(own.get("image", name)),
        ready=tuple(_question(entry) for entry in own.get("ready", ())),
        # Compose reads a dollar sign of its own out of "$$", here too.
        version_command=tuple(str(word).replace("$$", "$") for word in own.get("version", ())),
        profiles=tuple(service.get("profiles", ())),
        depends_on=tuple(service.get("depends_on", ())),
        architecture=own.get("architecture"),
        head_start=bool(own.get("head-start", False)),
    )


def _question(entry: Mapping[str, Any]) -> Question:  # Any: as above
    # Octets are written as characters U+0000 to U+00FF; the expression is over octets too.
    return Question(
        port=int(entry["port"]),
        expect=re.compile(str(entry["expect"]).encode("latin-1"), re.DOTALL),
        send=str(entry.get("send", "")).encode("latin-1"),
        transport=str(entry.get("transport", "tcp")),
        tls=bool(entry.get("tls", False)),
    )


def make_state(lab: Lab) -> Path:
    """Make the state folder, closed to other users, with a folder for programs that containers mount; return it."""
    try:
        lab.state.mkdir(mode=0o700, exist_ok=True)
        (lab.state / PROGRAMS).mkdir(exist_ok=True)
    except OSError as error:
        raise LabError(f"{lab.state} cannot be made: {error.strerror}") from error
    return lab.state
