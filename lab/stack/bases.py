"""Provides the base image of every server: Debian, by digest from a registry, or bootstrapped from Debian packages.

Knows Debian's suite and how to make a root file system of it; nothing of the servers built on it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.stack import bootstrap
from lab.stack.bootstrap import BaseFailed
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
# Debian's architecture names for the engine's.
ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
PLATFORMS = {"armhf": "linux/arm/v7"}


@dataclass(frozen=True)
class Base:
    """A base image at hand: the tag to build on, and where it came from (`registry` or `bootstrapped`)."""

    tag: str
    origin: str


def recipe(architecture: str) -> str:
    """Return the digest of what a base is made from; the images built on it carry it in their own."""
    return digest_of([SUITE, REGISTRY_IMAGE, REGISTRY_DIGEST, architecture, bootstrap.SLIM])


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
    with engine.session(bootstrap.BOOTSTRAP_SECONDS) as client:
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
    """Import a minimal root file system of Debian packages as the base."""
    with bootstrap.root_file_system(SUITE, architecture, say) as archive, archive.open("rb") as stream:
        repository, tag = tag_of(architecture).split(":")
        # The import is streamed: the archive is larger than what should be held in memory. Pieces, because the client
        # library promises chunks but sends a file, whose length it knows, whole.
        client.api.import_image_from_stream(
            iter(lambda: stream.read(1 << 20), b""),
            repository=repository,
            tag=tag,
            changes=["LABEL org.erle-lab.base=bootstrapped", 'CMD ["bash"]'],
        )
    client.images.get(tag_of(architecture))
