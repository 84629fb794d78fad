"""The container in which emulated measurements run, seen from the host.

Knows the service `bench` of compose.yaml and how programs in it speak. Must not know what they measure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from docker.utils.socket import STDERR, frames_iter

from lab.errors import LabError
from lab.stack.leases import Lease
from lab.stack.locks import locked
from lab.stack.progress import Quiet
from lab.stack.project import Lab
from lab.stack.service import Service

SERVICE: Final = "bench"
#: How long a program in the container may be silent.
SILENCE_SECONDS: Final = 300
LONGEST_COMPLAINT: Final = 1000


class _Words(Quiet):
    """Tells a building or starting image in one line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def update(self, subject: str, state: str, detail: str = "") -> None:
        self._say(f"{subject}: {state} {detail}".strip())


class Container:
    """The container, up and this measurement's alone until the end of the context.

    `say` is told what goes on while its image is built. Raises `LabError` where it cannot be had.
    """

    def __init__(self, root: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._lab = Lab.here(root)
        self._say = say
        self._held = ExitStack()
        self._service: Service | None = None

    @property
    def service(self) -> Service:
        """The running service."""
        if self._service is None:
            raise RuntimeError("the container is used outside its context")
        return self._service

    def __enter__(self) -> Self:
        with ExitStack() as held:
            # Two measurements at a time would measure each other.
            held.enter_context(locked(self._lab, SERVICE))
            lease = held.enter_context(Lease(self._lab, [SERVICE], progress=_Words(self._say)))
            self._service = lease.services[SERVICE]
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def versions(self) -> dict[str, str]:
        """The packages that figures depend on, with their versions."""
        lines = self.output(["cat", "/boot/board/versions"]).splitlines()
        return dict(sorted(tuple(line.split(" ", 1)) for line in lines if " " in line))  # type: ignore[misc]  # two words each

    def output(self, command: Sequence[str]) -> str:
        """What a command prints in the container, on both streams."""
        with self.service.engine.session(30) as client:
            made = client.api.exec_create(self.service.container, list(command), workdir="/srv/erle")
            return str(client.api.exec_start(made["Id"]).decode("utf-8", "replace"))

    def run(self, module: str, task: Mapping[str, object]) -> Iterator[dict[str, Any]]:  # Any: JSON
        """Run a module of this package in the container, and yield what it prints, a JSON object a line.

        The program is ended when the iteration is. Raises `LabError`: it reports an error, or ends badly.
        """
        command = ["python3", "-m", f"lab.bench.emulated.{module}", json.dumps(task)]
        complaint = b""
        pid = 0
        with self.service.engine.session(SILENCE_SECONDS) as client:
            made = client.api.exec_create(self.service.container, command, workdir="/srv/erle")
            stream = client.api.exec_start(made["Id"], socket=True)
            pieces = frames_iter(stream, tty=False)  # type: ignore[no-untyped-call]  # the stubs leave this one out
            said = b""
            try:
                for kind, piece in pieces:
                    if kind == STDERR:
                        complaint = (complaint + piece)[-LONGEST_COMPLAINT:]
                        continue
                    *lines, said = (said + piece).split(b"\n")
                    for line in lines:
                        found: dict[str, Any] = json.loads(line)
                        if "pid" in found:
                            pid = int(found["pid"])
                        elif "error" in found:
                            raise LabError(str(found["error"]))
                        else:
                            yield found
                pid = 0
            finally:
                if pid:
                    self.output(["bash", "-c", 'kill -TERM "$1"', "-", str(pid)])
                    for _ in pieces:  # until it has ended
                        pass
                # The client library hangs the response on the socket, and closes neither.
                vars(stream)["_response"].close()
                stream.close()
            code = client.api.exec_inspect(made["Id"])["ExitCode"]
        if code:
            words = " | ".join(complaint.decode("utf-8", "replace").strip().splitlines()[-4:])
            raise LabError(f"{module} ended with {code} in the container {SERVICE}: {words}")
