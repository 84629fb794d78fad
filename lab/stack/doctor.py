"""Examines the machine: what the lab needs of it, what it chose, and the exact remedy for what is missing.

Knows the needs, and changes nothing; `remedy` applies what is found here.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from lab.errors import LabError
from lab.stack import apt, binfmt, plugins
from lab.stack.engine import Engine, EngineMissing, find_engine

DISK_BYTES = 6 * 10**9  # all images, a bootstrap at work, and room for results
OLDEST_PYTHON = (3, 11)
ENGINE_PACKAGES = ("docker.io", "iptables")
BOOTSTRAP_PACKAGES = ("mmdebstrap", "debian-archive-keyring")
FIX = "erle doctor --fix"


class State(StrEnum):
    """How a need stands: a warning does not stop the reference servers, a missing one does."""

    OK = "ok"
    MISSING = "missing"
    WARNING = "warning"


class Cure(StrEnum):
    """What `remedy` can do about a finding."""

    INSTALL_ENGINE = "install-engine"
    START_ENGINE = "start-engine"
    INSTALL_PLUGINS = "install-plugins"
    INSTALL_BOOTSTRAP = "install-bootstrap"
    REGISTER_ARMV7 = "register-armv7"


@dataclass(frozen=True)
class Finding:
    """One need. `chosen` says what was found; `remedy` is the exact thing to do; `cure` is how `--fix` does it."""

    name: str
    state: State
    chosen: str
    remedy: str | None = None
    cure: Cure | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the finding for `erle doctor --json`."""
        return {key: value and str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Machine:
    """The questions that the doctor puts to a machine; a test answers them itself."""

    find_engine: Callable[[str | None], Engine] = find_engine
    find_plugin: Callable[[str], plugins.Plugin] = plugins.find_plugin
    which: Callable[[str], str | None] = lambda program: shutil.which(program, path=_search_path())
    binfmt_flags: Callable[[], str | None] = binfmt.flags
    has_apt: Callable[[], bool] = apt.is_available
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0


def _search_path() -> str:
    """Daemons live in sbin, which a plain user's PATH leaves out."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def examine(explicit: str | None = None, *, machine: Machine | None = None) -> list[Finding]:
    """Return what the lab needs and how it stands, in the order in which the remedies have to be applied."""
    machine = machine or Machine()
    engine, finding = _engine(explicit, machine)
    found = [_python(), finding]
    found += [_plugin(name, machine) for name in ("compose", "buildx")]
    found += [_bootstrap(machine), _armv7(machine), _disk(engine)]
    return found


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", State.OK, f"{version} at {sys.executable}")
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        "python", State.MISSING, f"{version} is older than {wanted}", f"install Python {wanted} or newer"
    )


def _engine(explicit: str | None, machine: Machine) -> tuple[Engine | None, Finding]:
    try:
        engine = machine.find_engine(explicit)
    except EngineMissing as error:
        return None, _no_engine(explicit, error, machine)
    said = (
        f"{engine.name} {engine.version} (API {engine.api}) at {engine.endpoint}, found by {engine.how_found}"
    )
    return engine, Finding("engine", State.OK, said)


def _no_engine(explicit: str | None, error: EngineMissing, machine: Machine) -> Finding:
    named = explicit or os.environ.get("DOCKER_HOST")
    if named:
        # The user chose a place: starting an engine somewhere else would not answer there.
        return Finding("engine", State.MISSING, str(error), f"start the engine at {named}, or name another")
    denied = [endpoint for _how, endpoint, why in error.tried if "permission" in why]
    if denied and not machine.is_root():
        return Finding(
            "engine", State.MISSING, str(error), "sudo usermod -aG docker $USER, then log in again"
        )
    if machine.which("dockerd"):
        return Finding(
            "engine", State.MISSING, "installed, not running", "start dockerd as root", Cure.START_ENGINE
        )
    if machine.has_apt():
        remedy = f"sudo apt-get install {' '.join(ENGINE_PACKAGES)}"
        return Finding("engine", State.MISSING, str(error), remedy, Cure.INSTALL_ENGINE)
    return Finding(
        "engine", State.MISSING, str(error), "install Docker Engine, see the distribution's manual"
    )


def _plugin(name: str, machine: Machine) -> Finding:
    try:
        plugin = machine.find_plugin(name)
    except LabError as error:
        if machine.has_apt():
            return Finding(name, State.MISSING, str(error), FIX, Cure.INSTALL_PLUGINS)
        return Finding(
            name, State.MISSING, str(error), f"install the docker {name} plugin into {plugins.user_folder()}"
        )
    return Finding(name, State.OK, f"{plugin.version} at {plugin.path}")


def _bootstrap(machine: Machine) -> Finding:
    tool = machine.which("mmdebstrap")
    if tool:
        return Finding("bootstrap", State.OK, tool)
    remedy = f"sudo apt-get install {' '.join(BOOTSTRAP_PACKAGES)}" if machine.has_apt() else None
    said = "mmdebstrap is not installed: needed where no registry answers"
    return Finding("bootstrap", State.WARNING, said, remedy, Cure.INSTALL_BOOTSTRAP if remedy else None)


def _armv7(machine: Machine) -> Finding:
    flags = machine.binfmt_flags()
    if flags is None:
        said = "not registered"
    elif "F" not in flags:
        said = f"registered without flag F (flags {flags or 'none'})"
    elif not machine.which("arch-test"):
        said = "registered, but arch-test is not installed"
    else:
        return Finding("armv7", State.OK, f"binfmt_misc entry {binfmt.ENTRY}, flags {flags}")
    remedy = f"sudo apt-get install {' '.join(binfmt.PACKAGES)}, then {FIX}"
    cure = Cure.REGISTER_ARMV7 if machine.has_apt() else None
    return Finding("armv7", State.WARNING, f"{said}: needed for the Erle board only", remedy, cure)


def _disk(engine: Engine | None) -> Finding:
    folder = _data_root(engine)
    free = shutil.disk_usage(folder).free
    said = f"{free / 10**9:.1f} GB free at {folder}"
    if free >= DISK_BYTES:
        return Finding("disk", State.OK, said)
    return Finding(
        "disk", State.WARNING, said, f"free {DISK_BYTES / 10**9:.0f} GB (erle gc --images removes old images)"
    )


def _data_root(engine: Engine | None) -> Path:
    """Return the folder whose disk the engine's images fill, or the nearest one above it that exists."""
    told = Path("/var/lib/docker")
    if engine is not None and engine.endpoint.startswith("unix://"):
        with engine.session(10) as client:
            told = Path(str(client.info().get("DockerRootDir") or told))
    return next(folder for folder in (told, *told.parents) if os.access(folder, os.X_OK))
