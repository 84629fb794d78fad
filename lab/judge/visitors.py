"""The doors for implementations that are in no catalogue: a class, a command, a running server.

Knows the words by which they are named on the command line, and whether they can be asked anything at all. Must not
know any protocol.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError, Misuse
from lab.judge.catalogue import Implementation
from lab.wire.endpoint import Endpoint

#: The name of one that its words give none.
VISITOR = "visitor"
#: Seconds in which a class has to be imported, or a server to take a connection.
FIRST_CONTACT = 30.0


@dataclass(frozen=True)
class Doors:
    """The words of the command line, unchecked.

    Attributes:
        client: ``module:Class``.
        client_command: a command that speaks JSON lines, as a shell would split it.
        server: ``HOST:PORT`` of a server that somebody else started.
        features: what it declares to offer, separated by commas or spaces.
    """

    client: str | None = None
    client_command: str | None = None
    server: str | None = None
    features: str = ""


def visitors(doors: Doors, protocols: Iterable[str]) -> tuple[Implementation, ...]:
    """The implementations that the doors name; they join the suite of every protocol that was asked for.

    Raises:
        Misuse: the words cannot be read.
    """
    features = frozenset(doors.features.replace(",", " ").split())
    offers = ("--features", doors.features) if doors.features else ()
    base = Implementation(VISITOR, "", "client", "-", features)
    found: list[Implementation] = []
    if entry := doors.client:
        if entry.count(":") != 1 or not all(entry.split(":")):
            message = f"--client {entry}: write it as module:Class"
            raise Misuse(message)
        asked_by = ("--client", entry, *offers)
        found.append(replace(base, name=entry.rpartition(":")[2], entry=entry, asked_by=asked_by))
    if (command := doors.client_command) is not None:
        argv = _split(command)
        asked_by = ("--client-command", command, *offers)
        found.append(replace(base, name=Path(argv[-1]).stem or VISITOR, command=argv, asked_by=asked_by))
    if address := doors.server:
        try:
            endpoint = Endpoint.parse(address)
        except ValueError as error:
            message = f"--server: {error}"
            raise Misuse(message) from error
        asked_by = ("--server", address, *offers)
        found.append(replace(base, name=address, role="server", endpoint=endpoint, asked_by=asked_by))
    return tuple(replace(row, protocol=protocol) for row in found for protocol in protocols)


def _split(command: str) -> tuple[str, ...]:
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        message = f"--client-command {command}: {error}"
        raise Misuse(message) from error
    if not argv:
        message = "--client-command is empty"
        raise Misuse(message)
    return argv


def make_contact(doors: Doors, root: Path) -> None:
    """See that what the doors name is there, before hundreds of cases say each that it is not.

    Args:
        root: the folder in which it will run: the checkout.

    Raises:
        LabError: the class cannot be imported or made, the program does not exist, or nothing takes a connection.
    """
    for row in visitors(doors, [""]):
        if row.entry:
            _import(row.entry, root)
        elif row.endpoint is not None:
            try:
                row.endpoint.connect(FIRST_CONTACT).close()
            except OSError as error:
                message = (
                    f"--server {row.endpoint}: nothing takes a connection there ({error.strerror or error})"
                )
                raise LabError(message, remedy="start the server first") from error
        elif shutil.which(program := row.command[0]) is None and shutil.which(root / program) is None:
            message = f"--client-command: there is no program {program!r}"
            raise LabError(message, remedy="name it by its path, or put its folder on PATH")


def _import(entry: str, root: Path) -> None:
    # in a process of its own, as for each case: nothing of a visitor's runs in the lab
    argv = [sys.executable, "-m", "lab.judge.host", entry]
    try:
        done = subprocess.run(
            argv,
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FIRST_CONTACT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        message = f"--client {entry}: it was not made within {FIRST_CONTACT:g} s"
        raise LabError(message) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        message = f"--client {entry}: it cannot be made: {last}"
        raise LabError(message, remedy="put the folder of its module on PYTHONPATH")
