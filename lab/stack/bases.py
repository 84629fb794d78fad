"""Provides the base image of every server: Debian, by digest from a registry, or bootstrapped from Debian packages.

Knows Debian's suite and how to make a root file system of it; nothing of the servers built on it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.stack import apt
from lab.stack.digests import digest_of
from lab.stack.engine import Engine, EngineLost
from lab.stack.progress import Progress

if TYPE_CHECKING:
    import docker

SUITE = "bookworm"
REGISTRY_IMAGE = "debian:bookworm-slim"
REGISTRY_DIGEST = "sha256:96e378d7e6531ac9a15ad505478fcc2e69f371b10f5cdf87857c4b8188404716"
REGISTRY_SECONDS = 6
PULL_SECONDS = 180
BOOTSTRAP_SECONDS = 900
# Debian's architecture names for the engine's.
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
PLATFORMS = {"armhf": "linux/arm/v7"}
# What belongs to no server: written into the bootstrapped base so that it behaves like the registry's slim image.
_SLIM = (
    "path-exclude=/usr/share/man/*\npath-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*\n"
    "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
)


class BaseFailed(LabError):
    """No base image could be made; the message says what was tried."""


@dataclass(frozen=True)
class Base:
    """A base image at hand: the tag to build on, and where it came from (`registry` or `bootstrapped`)."""

    tag: str
    origin: str


def recipe(architecture: str) -> str:
    """Return the digest of what a base is made from; the images built on it carry it in their own."""
    return digest_of([SUITE, REGISTRY_IMAGE, REGISTRY_DIGEST, architecture, _SLIM])


def tag_of(architecture: str) -> str:
    """Return the local tag of the base for a Debian architecture."""
    return f"erle-lab/base-{architecture}:{recipe(architecture)}"


def native_architecture(client: docker.DockerClient) -> str:
    """Return the engine's Debian architecture; raises `BaseFailed` where the lab has no images for it."""
    machine = str(client.info()["Architecture"])
    if machine not in ARCHITECTURES:
        raise BaseFailed(f"the lab has no images for the engine's architecture {machine}")
    return ARCHITECTURES[machine]


def provide(engine: Engine, architecture: str, progress: Progress) -> Base:
    """Return the base image, pulled or bootstrapped unless it is there.

    Raises `BaseFailed` where the registry does not answer and the bootstrap fails too.
    """
    import docker.errors

    tag = tag_of(architecture)
    subject = f"base {architecture}"
    with engine.session(BOOTSTRAP_SECONDS) as client:
        with contextlib.suppress(docker.errors.ImageNotFound):
            image = client.images.get(tag)
            return Base(tag, str((image.labels or {}).get("org.erle-lab.base", "registry")))
        progress.update(subject, "asking the registry")
        why = _registry_refusal(engine)
        if why is None:
            try:
                return _pull(engine, architecture, progress)
            except EngineLost as error:
                why = _first_line(error)
        progress.update(subject, "bootstrapping", f"registry: {why}")
        began = time.monotonic()
        try:
            _bootstrap(client, architecture, lambda said: progress.update(subject, "bootstrapping", said))
        except LabError as error:
            raise BaseFailed(
                f"no base image: the registry said {why!r}; the bootstrap: {error}", error.remedy
            ) from error
        progress.update(subject, "done", f"bootstrapped, {time.monotonic() - began:.0f} s")
        return Base(tag, "bootstrapped")


def _registry_refusal(engine: Engine) -> str | None:
    """Have the engine ask its registry for the image's description; None means that it has it, else why not."""
    reference = f"{REGISTRY_IMAGE}@{REGISTRY_DIGEST}"
    try:
        with engine.session(REGISTRY_SECONDS) as client:
            client.api.inspect_distribution(reference)  # type: ignore[no-untyped-call]  # the stubs leave this one out
    except EngineLost as error:
        return _first_line(error)
    return None


def _first_line(error: Exception) -> str:
    text = str(error)
    if "timed out" in text.lower():
        return f"no answer within {REGISTRY_SECONDS} s"
    return text.splitlines()[0].rpartition(": ")[2].strip(" '\")") if text else type(error).__name__


def _pull(engine: Engine, architecture: str, progress: Progress) -> Base:
    began = time.monotonic()
    progress.update(f"base {architecture}", "pulling")
    with engine.session(PULL_SECONDS) as client:
        image = client.images.pull(
            f"{REGISTRY_IMAGE}@{REGISTRY_DIGEST}",
            platform=PLATFORMS.get(architecture, f"linux/{architecture}"),
        )
        image.tag(*tag_of(architecture).split(":"))
    progress.update(f"base {architecture}", "done", f"pulled, {time.monotonic() - began:.0f} s")
    return Base(tag_of(architecture), "registry")


def _bootstrap(client: docker.DockerClient, architecture: str, say: Callable[[str], None]) -> None:
    """Make a minimal root file system of Debian packages and import it as the base.

    A suite beside the release itself (updates, security) whose index the archive cannot deliver whole is left out, and
    that is said: a mirror in the middle of its own update does that for hours.
    """
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise BaseFailed("mmdebstrap is not installed", remedy="erle doctor --fix")
    lines = [(suite, source.line(suite)) for source in apt.debian_archive(SUITE) for suite in source.suites]
    with tempfile.TemporaryDirectory(prefix="erle-base-") as name:
        work = Path(name)
        archive = work / "base.tar"
        command = [tool, "--variant=minbase", f"--architectures={architecture}", *_options(work)]
        command += [SUITE, str(archive)]
        errors = _run(command, work, [line for _suite, line in lines])
        unreadable = _unreadable_suites(errors)
        if errors and unreadable and SUITE not in unreadable:
            say(f"without {', '.join(sorted(unreadable))}, which the archive does not deliver whole")
            errors = _run(command, work, [line for suite, line in lines if suite not in unreadable])
        if errors:
            raise BaseFailed(f"mmdebstrap failed: {' '.join(errors[-4:])}")
        repository, tag = tag_of(architecture).split(":")
        # The import is streamed: the archive is larger than what should be held in memory. Pieces, because the client
        # library promises chunks but sends a file, whose length it knows, whole.
        with archive.open("rb") as stream:
            client.api.import_image_from_stream(
                iter(lambda: stream.read(1 << 20), b""),
                repository=repository,
                tag=tag,
                changes=["LABEL org.erle-lab.base=bootstrapped", 'CMD ["bash"]'],
            )
    client.images.get(tag_of(architecture))


def _unreadable_suites(errors: Iterable[str]) -> set[str]:
    """Return the suites that apt names in its errors: `Err:6 <archive> <suite>/main armhf Packages`."""
    return {match[1] for line in errors if (match := re.match(r"Err:\d+ \S+ ([\w-]+)[/ ]", line))}


def _options(work: Path) -> Iterator[str]:
    """Yield mmdebstrap's options: a slim system, and this machine's way of reaching its archive kept inside."""
    slim = work / "90slim"
    slim.write_text(_SLIM)
    kept = work / "90erle-lab"
    kept.write_text("".join(f'{key} "{value}";\n' for key, value in apt.transport_options().items()))
    yield "--mode=auto" if os.geteuid() != 0 else "--mode=root"
    yield f"--dpkgopt={slim}"
    yield f"--aptopt={kept}"
    # No lists and no packages in the base: the servers' builds read them afresh, and an image is 160 MB smaller.
    yield '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
    for keyring in sorted({s.signed_by for s in apt.debian_archive(SUITE) if s.signed_by}):
        if Path(keyring) != apt.DEBIAN_KEYRING and Path(keyring).is_file():
            yield f"--customize-hook=copy-in {keyring} {Path(keyring).parent}"


def _run(command: list[str], work: Path, sources: list[str]) -> list[str]:
    """Run mmdebstrap on these sources (none: its own default); return the errors it printed, [] if it succeeded."""
    listed = work / "sources.list"
    listed.write_text("".join(f"{line}\n" for line in sources))
    try:
        done = subprocess.run(
            [*command, str(listed)] if sources else command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=BOOTSTRAP_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": tempfile.gettempdir()},
        )
    except subprocess.TimeoutExpired:
        raise BaseFailed(f"mmdebstrap did not end within {BOOTSTRAP_SECONDS} s") from None
    if done.returncode == 0:
        return []
    errors = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Err:"))]
    return errors or [done.stdout.strip()[-300:] or f"exit code {done.returncode}"]
