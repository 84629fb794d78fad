"""Finds the container engine. Knows where engines listen and how to ask one for its version, nothing of the lab's stack.

Order: the explicit option, `DOCKER_HOST`, the active docker context, the system socket, rootless Docker, Podman. Every
candidate is probed, so a socket left behind by a dead engine is passed over and named in the message.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    import docker

PROBE_SECONDS = 5
REQUEST_SECONDS = 120
SYSTEM_SOCKET = Path("/var/run/docker.sock")


class EngineMissing(LabError):
    """No candidate answered. `tried` holds (how it was found, endpoint, why not) of each."""

    def __init__(self, tried: list[tuple[str, str, str]]) -> None:
        lines = "; ".join(f"{how} {endpoint}: {why}" for how, endpoint, why in tried)
        super().__init__(f"no container engine answers ({lines})", remedy="erle doctor --fix")
        self.tried = tried


class EngineLost(LabError):
    """The engine stopped answering, or refused a request, in the middle of the work."""


@dataclass(frozen=True)
class Candidate:
    """A place where an engine may listen. `endpoint` is a URL as in `DOCKER_HOST`."""

    how_found: str
    endpoint: str


@dataclass(frozen=True)
class Engine:
    """An engine that answered. `version` is the engine's own, `api` the API version it speaks."""

    name: str
    endpoint: str
    version: str
    api: str
    how_found: str

    @contextmanager
    def session(self, seconds: int = REQUEST_SECONDS) -> Iterator[docker.DockerClient]:
        """Give a client of this engine for the length of the block; `seconds` is the deadline of one request.

        What the client library raises and the block does not handle comes out as `EngineLost`.
        """
        import docker.errors
        import requests.exceptions

        try:
            with closing(
                docker.DockerClient(base_url=self.endpoint, version=self.api, timeout=seconds)
            ) as client:
                yield client
        except docker.errors.APIError as error:
            raise EngineLost(f"the container engine refused: {error.explanation or error}") from error
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            raise EngineLost(
                f"the container engine at {self.endpoint} stopped answering: {_reason(error)}",
                remedy="erle doctor",
            ) from error

    def environment(self) -> dict[str, str]:
        """Return the process environment with which a CLI plugin speaks to this engine and to no other."""
        inherited = {key: value for key, value in os.environ.items() if key != "DOCKER_CONTEXT"}
        return {**inherited, "DOCKER_HOST": self.endpoint}


def candidates(
    explicit: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    system_socket: Path = SYSTEM_SOCKET,
    runtime: Path = Path("/run"),
) -> Iterator[Candidate]:
    """Yield the places to look, best first. An explicit option or `DOCKER_HOST` is the user's word: nothing follows it."""
    environ = os.environ if environ is None else environ
    home = Path.home() if home is None else home
    if explicit:
        yield Candidate("the --engine option", explicit)
        return
    if environ.get("DOCKER_HOST"):
        yield Candidate("DOCKER_HOST", environ["DOCKER_HOST"])
        return
    seen: set[str] = set()
    user_runtime = Path(environ["XDG_RUNTIME_DIR"]) if environ.get("XDG_RUNTIME_DIR") else None
    own_runtime = runtime / "user" / str(os.getuid())
    sockets = [("the system socket", system_socket)]
    sockets += [
        ("rootless Docker", folder / "docker.sock") for folder in (user_runtime, own_runtime) if folder
    ]
    sockets += [
        ("Podman", folder / "podman/podman.sock") for folder in (user_runtime, own_runtime, runtime) if folder
    ]
    context = _active_context(environ, home)
    found = [context] if context else []
    found += [Candidate(how, f"unix://{path}") for how, path in sockets]
    for candidate in found:
        if candidate.endpoint not in seen:
            seen.add(candidate.endpoint)
            yield candidate


def _active_context(environ: Mapping[str, str], home: Path) -> Candidate | None:
    """Return the endpoint of the docker CLI's active context, or None where that is the default one."""
    folder = Path(environ.get("DOCKER_CONFIG") or home / ".docker")
    name = environ.get("DOCKER_CONTEXT") or _read_json(folder / "config.json").get("currentContext")
    if not isinstance(name, str) or name == "default":
        return None
    # The CLI keeps a context's description in a folder named after the SHA-256 of its name.
    described = _read_json(folder / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json")
    endpoints = described.get("Endpoints")
    endpoint = endpoints.get("docker", {}).get("Host") if isinstance(endpoints, dict) else None
    return Candidate(f"the docker context {name!r}", endpoint) if isinstance(endpoint, str) else None


def _read_json(path: Path) -> dict[str, object]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def probe(candidate: Candidate) -> Engine:
    """Ask the candidate for its version. Raises `OSError` or a docker error where nothing, or no engine, answers."""
    if candidate.endpoint.startswith("unix://"):
        path = Path(candidate.endpoint.removeprefix("unix://"))
        # Said here because the client library's own words for these two are several lines long.
        if not path.exists():
            raise FileNotFoundError("no such socket")
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError("no permission to use the socket")
        # The client library leaks the socket of a connection that was refused.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PROBE_SECONDS)
            connection.connect(str(path))
    import docker

    with closing(
        docker.DockerClient(base_url=candidate.endpoint, version="auto", timeout=PROBE_SECONDS)
    ) as client:
        said = client.version()
    parts = [part.get("Name", "") for part in said.get("Components") or []]
    name = "Podman" if any("podman" in part.lower() for part in parts) else "Docker"
    return Engine(
        name, candidate.endpoint, str(said["Version"]), str(said["ApiVersion"]), candidate.how_found
    )


def find_engine(
    explicit: str | None = None,
    *,
    places: Callable[[str | None], Iterator[Candidate]] = candidates,
    ask: Callable[[Candidate], Engine] = probe,
) -> Engine:
    """Return the first engine that answers; raise `EngineMissing` with what was tried and why each did not do."""
    import docker.errors

    tried: list[tuple[str, str, str]] = []
    for candidate in places(explicit):
        try:
            return ask(candidate)
        except (OSError, docker.errors.DockerException, KeyError) as error:
            tried.append((candidate.how_found, candidate.endpoint, _reason(error)))
    raise EngineMissing(tried)


def _reason(error: Exception) -> str:
    """Return the innermost cause in a few words: the client library wraps it several times over."""
    text = str(error)
    for words in ("Connection refused", "Permission denied", "timed out", "Name or service not known"):
        if words in text:
            return words.lower()
    return text.splitlines()[0][:120] if text else type(error).__name__
