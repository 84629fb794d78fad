"""Builds the servers' images. Knows Dockerfiles and tags; what is inside a server's folder is none of its business.

A tag is the digest of what the image is built from, so a changed Dockerfile makes a new image, and an unchanged one costs
one question to the engine. Images that are missing are built side by side.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

from lab.errors import LabError
from lab.stack import bases
from lab.stack.digests import digest_of, digest_of_folder
from lab.stack.engine import Engine
from lab.stack.plugins import Plugin, find_plugin
from lab.stack.progress import Progress
from lab.stack.project import IMAGES, Lab, Server

BUILD_SECONDS = 900.0
REPOSITORY = "erle-lab"


class BuildFailed(LabError):
    """An image could not be built; the message ends with the builder's last lines."""


def tag(image: str, architecture: str | None) -> str:
    """Return an image's tag: the digest of its folder, of its base, and of what it takes from `common/`."""
    folder = IMAGES / image
    try:
        recipe = (folder / "Dockerfile").read_text(encoding="utf-8")
        shared = sorted(set(re.findall(r"\bcommon/([\w.-]+)", recipe)))
        contents = [(IMAGES / "common" / name).read_text(encoding="utf-8") for name in shared]
    except OSError as error:
        raise BuildFailed(f"{error.filename}: {error.strerror}") from error
    return digest_of([digest_of_folder(folder), *contents, bases.recipe(architecture or "native")])


def tags(lab: Lab) -> dict[str, str]:
    """Return the tag of every image that the lab's servers are made from."""
    return {server.image: tag(server.image, server.architecture) for server in lab.servers().values()}


def missing(engine: Engine, servers: Iterable[Server]) -> list[Server]:
    """Return the servers whose image is not there, one for each image."""
    with engine.session() as client:
        have = {
            name
            for image in client.api.images(name=f"{REPOSITORY}/*")
            for name in image.get("RepoTags") or ()
        }
    absent: dict[str, Server] = {}
    for server in servers:
        if f"{REPOSITORY}/{server.image}:{tag(server.image, server.architecture)}" not in have:
            absent.setdefault(server.image, server)
    return list(absent.values())


def build(engine: Engine, servers: Sequence[Server], progress: Progress) -> list[str]:
    """Build the images of these servers that are not there; return what was built.

    Raises `BuildFailed`, after the other builds have ended, with the first failure.
    """
    wanted = missing(engine, servers)
    if not wanted:
        return []
    plugin = find_plugin("buildx")
    for server in wanted:
        progress.update(f"image {server.image}", "waiting")
    with engine.session() as client:
        native = bases.native_architecture(client)
    architectures = dict.fromkeys(server.architecture or native for server in wanted)
    base = {architecture: bases.provide(engine, architecture, progress) for architecture in architectures}
    builders: set[subprocess.Popen[str]] = set()
    with ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="build") as pool:
        jobs = [
            pool.submit(
                _build, engine, plugin, server, base[server.architecture or native].tag, progress, builders
            )
            for server in wanted
        ]
        try:
            futures.wait(jobs)
        except BaseException:
            for builder in list(builders):  # Ctrl-C: the pool waits for its threads, and they for builders
                builder.terminate()
            raise
    for job in jobs:
        job.result()
    return [server.image for server in wanted]


def _build(
    engine: Engine,
    plugin: Plugin,
    server: Server,
    base: str,
    progress: Progress,
    builders: set[subprocess.Popen[str]],
) -> None:
    """Build one image, telling each step of its Dockerfile as it begins; its builder stands in `builders` meanwhile."""
    subject = f"image {server.image}"
    name = f"{REPOSITORY}/{server.image}:{tag(server.image, server.architecture)}"
    # The host's network: package archives are reached the way this machine reaches them, a proxy on loopback included.
    command = [str(plugin.path), "build", "--builder", "default", "--progress", "plain", "--network", "host"]
    command += ["--build-arg", f"BASE={base}", "--tag", name, "--label", f"org.erle-lab.image={server.image}"]
    command += ["--file", str(IMAGES / server.image / "Dockerfile"), str(IMAGES)]
    began = time.monotonic()
    progress.update(subject, "building")
    last: deque[str] = deque(maxlen=40)
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env={**engine.environment(), "BUILDX_BUILDER": "default"},
    ) as process:
        builders.add(process)
        alarm = Timer(BUILD_SECONDS, process.kill)
        alarm.start()
        try:
            for line in process.stderr or ():
                last.append(line.rstrip())
                step = re.match(r"#\d+ \[([^\]]*\d+/\d+)\] (\S+ \S+)", line)
                if step:
                    progress.update(subject, "building", f"{step[1]} {step[2]}")
            process.wait()
        finally:
            builders.discard(process)
            alarm.cancel()
            if process.poll() is None:
                process.kill()
    if process.returncode != 0:
        progress.update(subject, "failed")
        raise BuildFailed(f"the image {server.image} could not be built: {_what_went_wrong(last)}")
    progress.update(subject, "done", f"{time.monotonic() - began:.0f} s")


def _what_went_wrong(lines: Iterable[str]) -> str:
    """Return the builder's error lines, or its last ones."""
    kept = [line for line in lines if line.strip()]
    errors = [line for line in kept if re.search(r"error|E: |no space left", line, flags=re.IGNORECASE)]
    return " | ".join((errors or kept)[-4:])
