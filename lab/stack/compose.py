"""Runs Compose on the lab's compose.yaml. Knows its command line and its variables, nothing of what the servers do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from lab.errors import LabError
from lab.stack import images
from lab.stack.engine import Engine
from lab.stack.plugins import find_plugin
from lab.stack.ports import passive_ports
from lab.stack.project import Lab


class ComposeFailed(LabError):
    """Compose ended with an error; the message holds its last lines."""


def variables(lab: Lab) -> dict[str, str]:
    """Return the variables that compose.yaml names: where the lab is, its image tags, its port range."""
    tags = {f"ERLE_TAG_{image.upper().replace('-', '_')}": tag for image, tag in images.tags(lab).items()}
    first, last = passive_ports(lab)
    return {
        **tags,
        "ERLE_CHECKOUT": str(lab.root),
        "ERLE_STATE": str(lab.state),
        "ERLE_PASSIVE_PORTS": f"{first}-{last}",
        "ERLE_PASSIVE_FIRST": str(first),
        "ERLE_PASSIVE_LAST": str(last),
        "COMPOSE_PROJECT_NAME": lab.name,
    }


def run(
    lab: Lab, engine: Engine, arguments: Sequence[str], seconds: float, *, keep: Sequence[int] = ()
) -> str:
    """Run one Compose command and return what it printed. Raises `ComposeFailed`, also after `seconds`.

    `keep` are file descriptors that Compose inherits: a lock's, so that it is held for as long as Compose is at work,
    even where this process was killed meanwhile.
    """
    plugin = find_plugin("compose")
    command = [str(plugin.path), "--project-name", lab.name, "--project-directory", str(lab.root)]
    # The servers of a profile are named when they are wanted; Compose knows them only with their profile switched on.
    profiles = sorted({profile for server in lab.servers().values() for profile in server.profiles})
    command += [word for profile in profiles for word in ("--profile", profile)]
    command += ["--file", str(lab.compose_file), "--ansi", "never", "--progress", "plain", *arguments]
    environment: Mapping[str, str] = {**engine.environment(), **variables(lab)}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=keep,
        )
    except subprocess.TimeoutExpired:
        raise ComposeFailed(f"compose {arguments[0]} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        wrong = [line for line in lines if "rror" in line or "ailed" in line] or lines
        raise ComposeFailed(f"compose {arguments[0]}: {' | '.join(wrong[-3:])}")
    return done.stdout


def config_hashes(lab: Lab, engine: Engine, services: Sequence[str]) -> dict[str, str]:
    """Return the digest of each service's configuration as it is now, as Compose labels its containers with it."""
    printed = run(lab, engine, ["config", "--hash", ",".join(services)], 60.0)
    pairs = (line.partition(" ") for line in printed.splitlines())
    return {name: digest.strip() for name, _space, digest in pairs if digest}
