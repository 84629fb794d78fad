"""How the engine and its plugins are found: the order, what is passed over, and what the message then says.

Knows sockets in a temporary folder that answer as an engine does; no real engine is needed.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import socket
import socketserver
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from lab.stack import plugins
from lab.stack.engine import Candidate, Engine, EngineLost, EngineMissing, candidates, find_engine, probe
from suites.lab.stack_labs import engine_or_skip

Serve = Callable[[Path], str]


class VersionOnly(BaseHTTPRequestHandler):
    """Answers every request with an engine's version."""

    def do_GET(self) -> None:
        """Answer."""
        said = {"Version": "99.1", "ApiVersion": "1.41", "Components": [{"Name": self.server.component}]}  # type: ignore[attr-defined]  # set by the fixture
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """A UNIX socket's peer has no address."""
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        """Nothing to log."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Let an engine answer at a socket; returns its endpoint."""
    with ExitStack() as held:

        def start(path: Path, component: str = "Engine") -> str:
            path.parent.mkdir(parents=True, exist_ok=True)
            server = held.enter_context(socketserver.ThreadingUnixStreamServer(str(path), VersionOnly))
            server.component = component  # type: ignore[attr-defined]  # read by the handler
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            held.callback(thread.join)
            held.callback(server.shutdown)
            return f"unix://{path}"

        yield start


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., list[Candidate]]:
    """List the candidates of a machine whose folders are all temporary."""

    def listed(explicit: str | None = None, **environ: str) -> list[Candidate]:
        folders = {
            "home": tmp_path / "home",
            "system_socket": tmp_path / "docker.sock",
            "runtime": tmp_path / "run",
        }
        return list(candidates(explicit, environ=environ, **folders))

    return listed


def find(listed: list[Candidate]) -> Engine:
    """Find the engine among these candidates."""
    return find_engine(places=lambda _explicit: iter(listed))


def add_context(home: Path, name: str, host: str) -> None:
    """Describe a docker context, and make it the active one."""
    folder = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def test_the_order_is_context_system_socket_rootless_podman(
    machine: Callable[..., list[Candidate]], tmp_path: Path
) -> None:
    """What the user chose comes first, then the system's engine, then the user's own."""
    add_context(tmp_path / "home", "elsewhere", "tcp://127.0.0.1:1")
    found = machine(XDG_RUNTIME_DIR=str(tmp_path / "xdg"))
    own = tmp_path / "run/user" / str(os.getuid())
    assert [candidate.endpoint for candidate in found] == [
        "tcp://127.0.0.1:1",
        f"unix://{tmp_path}/docker.sock",
        f"unix://{tmp_path}/xdg/docker.sock",
        f"unix://{own}/docker.sock",
        f"unix://{tmp_path}/xdg/podman/podman.sock",
        f"unix://{own}/podman/podman.sock",
        f"unix://{tmp_path}/run/podman/podman.sock",
    ]


def test_what_the_user_names_is_the_only_candidate(machine: Callable[..., list[Candidate]]) -> None:
    """An engine that was named and does not answer must not be replaced by another unasked."""
    assert machine(DOCKER_HOST="unix:///a") == [Candidate("DOCKER_HOST", "unix:///a")]
    assert machine("unix:///b", DOCKER_HOST="unix:///a") == [Candidate("the --engine option", "unix:///b")]


def test_a_context_named_in_the_environment_wins_over_the_configured_one(
    machine: Callable[..., list[Candidate]], tmp_path: Path
) -> None:
    """As the docker client itself does."""
    add_context(tmp_path / "home", "named", "unix:///named")
    add_context(tmp_path / "home", "configured", "unix:///configured")
    assert machine()[0].endpoint == "unix:///configured"
    assert machine(DOCKER_CONTEXT="named")[0].endpoint == "unix:///named"
    assert machine(DOCKER_CONTEXT="default")[0].how_found == "the system socket"


def test_an_engine_that_answers_is_described(serve: Serve, tmp_path: Path) -> None:
    """Version and API are the engine's own words."""
    endpoint = serve(tmp_path / "docker.sock")
    assert probe(Candidate("by hand", endpoint)) == Engine("Docker", endpoint, "99.1", "1.41", "by hand")


def test_podman_is_told_from_docker(serve: Callable[..., str], tmp_path: Path) -> None:
    """Podman answers in Docker's API and names itself among its components."""
    endpoint = serve(tmp_path / "podman.sock", component="Podman Engine")
    assert probe(Candidate("Podman", endpoint)).name == "Podman"


def test_a_socket_that_a_dead_engine_left_behind_is_passed_over(
    serve: Serve, machine: Callable[..., list[Candidate]], tmp_path: Path
) -> None:
    """A file is no engine: the next candidate is asked."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "docker.sock"))
    endpoint = serve(tmp_path / "xdg/docker.sock")
    engine = find(machine(XDG_RUNTIME_DIR=str(tmp_path / "xdg")))
    assert (engine.endpoint, engine.how_found) == (endpoint, "rootless Docker")


def test_without_any_engine_the_message_says_what_was_tried_and_why_not(
    machine: Callable[..., list[Candidate]], tmp_path: Path
) -> None:
    """Each place with its reason, and the remedy."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "docker.sock"))
    with pytest.raises(EngineMissing) as missing:
        find(machine())
    assert f"the system socket unix://{tmp_path}/docker.sock: connection refused" in str(missing.value)
    assert "Podman unix://" in str(missing.value)
    assert "no such socket" in str(missing.value)
    assert missing.value.remedy == "erle doctor --fix"


def test_a_plugin_speaks_to_the_engine_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context in the environment would lead it elsewhere."""
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    environment = Engine("Docker", "unix:///x", "1", "1.41", "by hand").environment()
    assert environment["DOCKER_HOST"] == "unix:///x"
    assert "DOCKER_CONTEXT" not in environment


def make_plugin(folder: Path, name: str, version: str | None) -> Path:
    """Make a program that describes itself as a plugin of that version, or as none."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / f"docker-{name}"
    said = "usage: docker-compose [options]" if version is None else json.dumps({"Version": version})
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_the_first_folder_with_a_usable_plugin_wins(tmp_path: Path) -> None:
    """Compose v1, and programs that are no plugin, are passed over."""
    make_plugin(tmp_path / "old", "compose", "1.29.2")
    make_plugin(tmp_path / "none", "compose", None)
    program = make_plugin(tmp_path / "good", "compose", "v2.26.1-4")
    make_plugin(tmp_path / "later", "compose", "9.9.9")
    where = [tmp_path / name for name in ("empty", "old", "none", "good", "later")]
    assert plugins.find_plugin("compose", where=where, on_path=False) == plugins.Plugin(
        "compose", program, "2.26.1-4"
    )


def test_without_a_usable_plugin_the_message_names_what_was_rejected(tmp_path: Path) -> None:
    """A plugin that is too old is told from one that is missing."""
    program = make_plugin(tmp_path, "compose", "1.29.2")
    with pytest.raises(plugins.PluginMissing, match=f"{program} says 1.29.2"):
        plugins.find_plugin("compose", where=[tmp_path], on_path=False)


def test_extra_plugin_folders_of_the_configuration_are_looked_into(tmp_path: Path) -> None:
    """The docker client looks there too."""
    (tmp_path / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": ["/extra/plugins"]}))
    assert plugins.folders({"DOCKER_CONFIG": str(tmp_path)})[:2] == [
        tmp_path / "cli-plugins",
        Path("/extra/plugins"),
    ]


# The client library leaks the socket of a refused connection, which Python says when it collects it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_went_away_is_told_in_a_line(tmp_path: Path) -> None:
    """Stopped in the middle of a run: no traceback of the client library's."""
    gone = Engine("Docker", f"unix://{tmp_path}/gone.sock", "1", "1.41", "by hand")
    with pytest.raises(EngineLost, match=r"gone\.sock stopped answering") as lost, gone.session() as client:
        client.version()
    assert "\n" not in str(lost.value)
    del lost
    gc.collect()


@pytest.mark.docker
def test_a_request_that_the_engine_refuses_is_told_in_its_words() -> None:
    """The engine's explanation is the message."""
    with (
        pytest.raises(EngineLost, match="refused: No such container: nosuch"),
        engine_or_skip().session() as client,
    ):
        client.api.inspect_container("nosuch")
