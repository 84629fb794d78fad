"""Finds the Compose v2 and buildx CLI plugins. Knows the plugin folders; runs a plugin only to ask its version.

The first `docker` on PATH may be a client without plugins, so the plugins' binaries are looked for and run directly.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

SYSTEM_FOLDER = Path("/usr/local/lib/docker/cli-plugins")
SYSTEM_FOLDERS = (
    SYSTEM_FOLDER,
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
    Path("/opt/homebrew/lib/docker/cli-plugins"),
    Path("/Applications/Docker.app/Contents/Resources/cli-plugins"),
)
OLDEST = {"compose": (2, 0), "buildx": (0, 6)}


class PluginMissing(LabError):
    """No usable plugin of that name in any of the plugin folders."""

    def __init__(self, name: str, rejected: list[str]) -> None:
        why = f" ({'; '.join(rejected)})" if rejected else ""
        super().__init__(f"the docker {name} plugin is not installed{why}", remedy="erle doctor --fix")


@dataclass(frozen=True)
class Plugin:
    """A plugin's binary, run as a program of its own."""

    name: str
    path: Path
    version: str


def user_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder where a user without special rights keeps plugins."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"


def folders(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Return all the plugin folders, in the order in which the docker CLI looks."""
    own = user_folder(environ)
    extra: list[Path] = []
    try:
        configured = json.loads((own.parent / "config.json").read_text(encoding="utf-8"))
        extra = [Path(folder) for folder in configured.get("cliPluginsExtraDirs", [])]
    except (OSError, ValueError, AttributeError):
        pass  # no configuration, or none that can be read: the usual folders remain
    return [own, *extra, *SYSTEM_FOLDERS]


def find_plugin(name: str, *, where: list[Path] | None = None, on_path: bool = True) -> Plugin:
    """Return the first plugin that runs and is new enough; raise `PluginMissing` otherwise."""
    places = [folder / f"docker-{name}" for folder in (folders() if where is None else where)]
    standalone = shutil.which(f"docker-{name}") if on_path else None
    if standalone:
        places.append(Path(standalone))
    rejected: list[str] = []
    for place in places:
        if not os.access(place, os.X_OK) or place.is_dir():
            continue
        version = _version(place)
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers and (int(numbers[1]), int(numbers[2])) >= OLDEST[name]:
            return Plugin(name, place, version)
        rejected.append(f"{place} says {version or 'nothing'}")
    raise PluginMissing(name, rejected)


def _version(binary: Path) -> str:
    """Ask a plugin for its description, the way the docker CLI does."""
    try:
        answer = subprocess.run(
            [binary, "docker-cli-plugin-metadata"], capture_output=True, text=True, timeout=10, check=False
        )
        described = json.loads(answer.stdout)
        return str(described.get("Version", "")).lstrip("v")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return ""
