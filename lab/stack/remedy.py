"""Applies the remedies that the doctor names, on Debian and Ubuntu. Knows packages and plugin folders.

Every step tells its progress, has a deadline, and may be repeated: what is there already is left as it is.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.stack import apt, binfmt, daemon, plugins
from lab.stack.doctor import BOOTSTRAP_PACKAGES, ENGINE_PACKAGES, Cure, Finding, State, examine
from lab.stack.engine import Engine, find_engine
from lab.stack.progress import Progress

# The oldest Debian that packages Compose v2 and buildx; both programs run on Debian 12 as they are (libc >= 2.34).
PLUGIN_SUITE = "trixie"
PLUGIN_PACKAGES = {"compose": "docker-compose", "buildx": "docker-buildx"}


class NotReady(LabError):
    """The machine lacks something, and nobody said that the lab may put it right."""


def wanted(findings: Sequence[Finding], *, arm: bool) -> list[Finding]:
    """Return the findings to put right: all that is missing, and the bootstrap tool that the base images need."""
    optional = {"bootstrap"} | ({"armv7"} if arm else set())
    return [
        finding
        for finding in findings
        if finding.state is State.MISSING or (finding.state is State.WARNING and finding.name in optional)
    ]


def apply(findings: Sequence[Finding], progress: Progress, explicit: str | None = None) -> list[Finding]:
    """Apply the cures of these findings and return what the doctor then finds.

    Raises `LabError` where a step fails or needs root, and for a finding that the lab has no cure for.
    """
    incurable = [finding for finding in findings if finding.cure is None]
    if incurable:
        said = "; ".join(f"{finding.name}: {finding.chosen}" for finding in incurable)
        raise NotReady(f"the lab cannot put this right by itself: {said}", remedy=incurable[0].remedy)
    cures = {finding.cure for finding in findings}
    _install(cures, progress)
    if Cure.INSTALL_PLUGINS in cures:
        install_plugins(progress)
    if cures & {Cure.INSTALL_ENGINE, Cure.START_ENGINE}:
        daemon.start(progress)
    if Cure.REGISTER_ARMV7 in cures:
        binfmt.register()
        progress.update("armv7", "done", f"flags {binfmt.flags()}")
    return examine(explicit)


def ensure(
    progress: Progress,
    *,
    explicit: str | None = None,
    yes: bool = False,
    arm: bool = False,
    build: bool = True,
) -> Engine:
    """Return an engine with Compose at hand, putting right what is missing if the user agrees (or `yes`).

    `build=False` asks for the engine and Compose alone. Raises `NotReady` with the remedy where nobody agreed.
    """
    needed = (
        {"engine", "compose"} | ({"buildx", "bootstrap"} if build else set()) | ({"armv7"} if arm else set())
    )
    missing = [finding for finding in wanted(examine(explicit), arm=arm) if finding.name in needed]
    if missing:
        said = "; ".join(f"{finding.name}: {finding.chosen}" for finding in missing)
        if not (yes or progress.confirm(f"{said}\nMay the lab put this right on this machine?")):
            remedy = "erle doctor --fix (or the same command with --yes)"
            raise NotReady(said, remedy=missing[0].remedy if missing[0].cure is None else remedy)
        apply(missing, progress, explicit)
    return find_engine(explicit)


def _install(cures: set[Cure | None], progress: Progress) -> None:
    """Install all the packages that these cures need, in one go."""
    packages: list[str] = []
    if Cure.INSTALL_ENGINE in cures:
        packages += ENGINE_PACKAGES
    if Cure.INSTALL_BOOTSTRAP in cures:
        packages += BOOTSTRAP_PACKAGES
    if Cure.REGISTER_ARMV7 in cures:
        packages += binfmt.PACKAGES
    if all(apt.is_installed(package) for package in packages):
        return
    if os.geteuid() != 0:
        raise NotReady(f"only root can install {' '.join(packages)}", remedy="sudo ./erle doctor --fix")
    apt.update(progress)
    apt.install(packages, progress)


def install_plugins(progress: Progress) -> None:
    """Put the Compose and buildx plugins where every docker client finds them (the user's folder without root).

    From the distribution where it packages Compose v2, else from a newer Debian's packages, unpacked.
    """
    if os.geteuid() == 0:
        packaged = _packaged_plugins()
        if packaged:
            apt.install(packaged, progress)
            return
    progress.update("plugins", "downloading", " ".join(PLUGIN_PACKAGES.values()))
    target = plugins.SYSTEM_FOLDER if os.geteuid() == 0 else plugins.user_folder()
    with tempfile.TemporaryDirectory(prefix="erle-plugins-") as name:
        apt.unpack_from_suite(list(PLUGIN_PACKAGES.values()), PLUGIN_SUITE, Path(name))
        target.mkdir(parents=True, exist_ok=True)
        for plugin, package in PLUGIN_PACKAGES.items():
            program = next((path for path in Path(name).rglob(f"docker-{plugin}") if _is_program(path)), None)
            if program is None:
                raise LabError(f"the package {package} of {PLUGIN_SUITE} holds no docker-{plugin}")
            # Into place by a rename: another command may be running the plugin that was there.
            fresh = target / f".docker-{plugin}.new"
            shutil.copy2(program, fresh)
            fresh.replace(target / f"docker-{plugin}")
    progress.update("plugins", "done", f"in {target}")


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _packaged_plugins() -> list[str]:
    """Return the distribution's packages of Compose v2 and buildx, or [] where it has Compose v1 or none."""
    if apt.candidate_version("docker-compose-v2") and apt.candidate_version("docker-buildx"):
        return ["docker-compose-v2", "docker-buildx"]
    compose = apt.candidate_version("docker-compose")
    if compose and not compose.startswith("1.") and apt.candidate_version("docker-buildx"):
        return ["docker-compose", "docker-buildx"]
    return []
