"""Installs distribution packages with apt. Knows apt's sources and commands, nothing of Docker or the lab.

No archive's address is written here: everything is taken from the sources that this machine is configured with.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError
from lab.stack.progress import Progress

APT_SECONDS = 600.0
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# The options of apt's own transport that a machine needs to reach its archive, and so does whatever is built on it.
TRANSPORT_OPTIONS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::Languages",
)


class AptFailed(LabError):
    """apt is not here, may not be used, or failed; the message holds its last error lines."""


@dataclass(frozen=True)
class Source:
    """One archive of this machine: `deb` lines only."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None = None

    def line(self, suite: str) -> str:
        """Return the one-line form for one suite."""
        option = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {option}{self.uri} {suite} {' '.join(self.components)}"


def release() -> dict[str, str]:
    """Return the fields of os-release: `ID`, `VERSION_CODENAME` and the like; empty where there is none."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key: value.strip('"') for key, value in pairs}


def is_available() -> bool:
    """Say whether this machine's packages are managed by apt."""
    return shutil.which("apt-get") is not None


def machine_sources(folder: Path = Path("/etc/apt")) -> list[Source]:
    """Return the binary archives that this machine is configured with, from both formats of sources.list(5)."""
    found: list[Source] = []
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        found += parse_deb822(_read(path))
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        found += parse_lines(_read(path))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Read a `.sources` file (sources.list(5), "DEB822-STYLE FORMAT"); disabled and source stanzas are left out."""
    found: list[Source] = []
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", kept):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line[:1] in {" ", "\t"} and key:
                fields[key] += "\n" + line
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
            continue
        signed_by = fields.get("signed-by")
        # A key that stands in the stanza itself cannot be named on a line; the archive keyring then has to do.
        usable = signed_by if signed_by and signed_by.startswith("/") else None
        suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
        found += [
            Source(uri, tuple(suites), tuple(components), usable) for uri in fields.get("uris", "").split()
        ]
    return found


def parse_lines(text: str) -> list[Source]:
    """Read a `sources.list` in the one-line format."""
    found: list[Source] = []
    for line in text.splitlines():
        match = re.match(
            r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>[^#]*)", line
        )
        if match:
            signed = re.search(r"signed-by=(/\S+)", match["options"] or "")
            components = tuple(match["rest"].split())
            found.append(Source(match["uri"], (match["suite"],), components, signed[1] if signed else None))
    return found


def debian_archive(suite: str, sources: Iterable[Source] | None = None) -> list[Source]:
    """Return this machine's Debian archives as they would be for another Debian suite; [] if it has none.

    On a bookworm machine `debian_archive("trixie")` gives the same addresses with `trixie`, `trixie-updates` and
    `trixie-security`, limited to the component `main`.
    """
    here = release()
    if here.get("ID") != "debian" or not here.get("VERSION_CODENAME"):
        return []
    codename = here["VERSION_CODENAME"]
    found: list[Source] = []
    for source in machine_sources() if sources is None else sources:
        suites = tuple(
            s.replace(codename, suite, 1) for s in source.suites if re.match(rf"{codename}(-|$)", s)
        )
        wanted = tuple(s for s in suites if s in {suite, f"{suite}-updates", f"{suite}-security"})
        if wanted and "main" in source.components:
            found.append(replace(source, suites=wanted, components=("main",)))
    return found


def transport_options() -> dict[str, str]:
    """Return the `TRANSPORT_OPTIONS` that are set on this machine."""
    dump = _run(["apt-config", "dump"], 30.0).stdout
    pairs = re.findall(r'^([\w:-]+) "([^"]*)";$', dump, flags=re.MULTILINE)
    return {key: value for key, value in pairs if key in TRANSPORT_OPTIONS and value}


def candidate_version(package: str) -> str | None:
    """Return the version that apt would install, or None where the configured archives have no such package."""
    said = _run(["apt-cache", "policy", package], 60.0).stdout
    match = re.search(r"Candidate: (\S+)", said)
    return match[1] if match and match[1] != "(none)" else None


def is_installed(package: str) -> bool:
    """Say whether dpkg has the package fully installed."""
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return asked.stdout == "install ok installed"


def update(progress: Progress) -> None:
    """Read the archives' package lists. Needs root."""
    progress.update("packages", "reading lists")
    _run(["apt-get", "update", "-q"], APT_SECONDS)


def install(packages: Sequence[str], progress: Progress) -> None:
    """Install what is not installed yet. Needs root; raises `AptFailed` with apt's last error lines."""
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise AptFailed(
            f"only root can install {' '.join(missing)}", remedy=f"sudo apt-get install {' '.join(missing)}"
        )
    progress.update("packages", "installing", " ".join(missing))
    _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing], APT_SECONDS)
    progress.update("packages", "done", " ".join(missing))


def unpack_from_suite(packages: Sequence[str], suite: str, into: Path) -> None:
    """Download packages of another Debian suite and unpack their files under `into`; nothing is installed.

    For programs that run on an older release as they are. Works without root, in folders of its own.
    Raises `AptFailed` where this machine has no Debian archive configured.
    """
    archives = debian_archive(suite)
    if not archives:
        raise AptFailed(
            f"no Debian archive is configured here, so {' '.join(packages)} cannot be fetched from {suite}"
        )
    with tempfile.TemporaryDirectory(prefix="erle-apt-") as name:
        work = Path(name)
        (work / "lists/partial").mkdir(parents=True)
        (work / "cache/archives/partial").mkdir(parents=True)
        listed = work / "suite.list"
        listed.write_text("".join(f"{source.line(suite)}\n" for source in archives if suite in source.suites))
        options = [
            *("-o", f"Dir::Etc::SourceList={listed}", "-o", "Dir::Etc::SourceParts=/dev/null"),
            *("-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}/cache"),
            # apt's unprivileged downloader may not write into a folder that only its caller can read.
            *("-o", "APT::Sandbox::User=root"),
        ]
        _run(["apt-get", *options, "update", "-q"], APT_SECONDS)
        _run(["apt-get", *options, "download", "-q", *packages], APT_SECONDS, folder=work)
        for package in work.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(into)], 120.0)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _run(
    command: Sequence[str], seconds: float, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    # Another apt may be at work (unattended upgrades): wait for its lock; a lost connection is tried again.
    waiting = ["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"] if command[0] == "apt-get" else []
    try:
        done = subprocess.run(
            [command[0], *waiting, *command[1:]],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        )
    except FileNotFoundError:
        raise AptFailed(f"{command[0]} is not on this machine, so packages cannot be installed") from None
    except subprocess.TimeoutExpired:
        raise AptFailed(f"{' '.join(command)} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        errors = [
            line
            for line in (done.stderr + done.stdout).splitlines()
            if line.startswith(("E:", "dpkg: error"))
        ]
        raise AptFailed(
            f"{' '.join(command[:3])} failed: {' '.join(errors[-3:]) or done.stderr.strip()[-300:]}"
        )
    return done
