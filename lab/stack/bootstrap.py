"""Makes a minimal root file system of Debian packages with mmdebstrap, and leaves nothing behind where that is interrupted.

Knows mmdebstrap, apt's sources of this machine, and the namespaces of Linux. Must not know images or an engine.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lab.errors import LabError
from lab.stack import apt
from lab.stack.locks import identity

BOOTSTRAP_SECONDS = 900
#: What each folder of work in the temporary folder is called, and the process that works in it.
WORK = re.compile(r"erle-base-(\d+)-\w+")
#: Everything mmdebstrap mounts is mounted in a namespace of its own and everything it starts ends with the thread that started it,
#: so that no kill leaves a mount or a process (unshare(1), setpriv(1)); without root it makes such a namespace by itself.
ENCLOSED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
# What belongs to no server: written into the bootstrapped base so that it behaves like the registry's slim image.
SLIM = (
    "path-exclude=/usr/share/man/*\npath-exclude=/usr/share/info/*\npath-exclude=/usr/share/locale/*\n"
    "path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n"
)


class BaseFailed(LabError):
    """No base image could be made; the message says what was tried."""


@contextlib.contextmanager
def root_file_system(suite: str, architecture: str, say: Callable[[str], None]) -> Iterator[Path]:
    """Make the tar archive of a minimal system for a Debian architecture; it lives as long as the block.

    A suite beside the release itself (updates, security) whose index the archive cannot deliver whole is left out, and
    that is said: a mirror in the middle of its own update does that for hours.

    Raises:
        BaseFailed: mmdebstrap is missing, failed, or took too long.
    """
    tool = shutil.which("mmdebstrap")
    if tool is None:
        raise BaseFailed("mmdebstrap is not installed", remedy="erle doctor --fix")
    lines = [(name, source.line(name)) for source in apt.debian_archive(suite) for name in source.suites]
    with tempfile.TemporaryDirectory(prefix=f"erle-base-{os.getpid()}-") as folder:
        work = Path(folder)
        # apt's own user reads in it
        work.chmod(0o711)
        archive = work / "base.tar"
        command = [tool, "--variant=minbase", f"--architectures={architecture}", *_options(suite, work)]
        if os.geteuid() == 0:
            command = [*ENCLOSED, *command]
        command += [suite, str(archive)]
        errors = _run(command, work, [line for _name, line in lines])
        unreadable = _unreadable_suites(errors)
        if errors and unreadable and suite not in unreadable:
            say(f"without {', '.join(sorted(unreadable))}, which the archive does not deliver whole")
            errors = _run(command, work, [line for name, line in lines if name not in unreadable])
        if errors:
            raise BaseFailed(f"mmdebstrap failed: {' '.join(errors[-4:])}")
        yield archive


def remove_abandoned() -> list[Path]:
    """Remove the folders of work whose process has ended, and return them.

    Raises:
        LabError: one holds files of others; without root, packages are unpacked in the name of subordinate users.
    """
    gone: list[Path] = []
    for folder in Path(tempfile.gettempdir()).glob("erle-base-*"):
        match = WORK.fullmatch(folder.name)
        if match is None or identity(int(match[1])) is not None or folder.stat().st_uid != os.geteuid():
            continue
        try:
            shutil.rmtree(folder)
        except OSError as error:
            message = f"{folder}, in which a base was being made, cannot be removed: {error.strerror}"
            raise LabError(message, remedy=f"as root: rm -r {folder}") from error
        gone.append(folder)
    return gone


def _unreadable_suites(errors: Iterable[str]) -> set[str]:
    """Return the suites that apt names in its errors: `Err:6 <archive> <suite>/main armhf Packages`."""
    return {match[1] for line in errors if (match := re.match(r"Err:\d+ \S+ ([\w-]+)[/ ]", line))}


def _options(suite: str, work: Path) -> Iterator[str]:
    """Yield mmdebstrap's options: a slim system, and this machine's way of reaching its archive kept inside."""
    slim = work / "90slim"
    slim.write_text(SLIM)
    kept = work / "90erle-lab"
    kept.write_text("".join(f'{key} "{value}";\n' for key, value in apt.transport_options().items()))
    yield "--mode=auto" if os.geteuid() != 0 else "--mode=root"
    yield f"--dpkgopt={slim}"
    yield f"--aptopt={kept}"
    # No lists and no packages in the base: the servers' builds read them afresh, and an image is 160 MB smaller.
    yield '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
    for keyring in sorted({s.signed_by for s in apt.debian_archive(suite) if s.signed_by}):
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
            env={**os.environ, "LC_ALL": "C.UTF-8", "TMPDIR": str(work)},
        )
    except subprocess.TimeoutExpired:
        raise BaseFailed(f"mmdebstrap did not end within {BOOTSTRAP_SECONDS} s") from None
    if done.returncode == 0:
        return []
    errors = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Err:"))]
    return errors or [done.stdout.strip()[-300:] or f"exit code {done.returncode}"]
