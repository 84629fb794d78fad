"""What a case is given: the server, or the client, under test.

Knows how a case asks for things, in few words, and where the server runs. Judges nothing.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.bench.crossing import for_board
from lab.errors import LabError
from lab.judge.catalogue import Implementation
from lab.judge.evidence import Evidence
from lab.judge.place import HERE, Place, Usage
from lab.judge.subject import Overran, ServerSubject
from lab.judge.verdict import Blocked, Unsupported
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from lab.wire.segmentation import Segmentation
from lab.wire.stream import Ended
from suites.lancelot.contract import Configuration
from suites.lancelot.scale import scale_of
from suites.lancelot.session import Session
from suites.lancelot.specification import ANSWERS, NAME, SHUTDOWN
from suites.waiting import wait_until

ROOT = Path(__file__).parents[2]
#: The module that starts the server in C.
IN_C = "implementations.lancelot.native_service"
SOURCE = "implementations/lancelot/native/server_epoll.c"


def server_process(
    implementation: Implementation, place: Place, *, descriptors: int | None = None, port: int = 0
) -> ServerSubject:
    """The process of a server under test, not started yet.

    Raises:
        Blocked: it has to be built for another place, and cannot be.
    """
    if place is not HERE and IN_C in implementation.command:
        _build_for_board()
    configuration: Configuration = {"host": place.bind, "port": port}
    folder = Path(tempfile.gettempdir())
    return ServerSubject(implementation, dict(configuration), folder, place=place, descriptors=descriptors)


@functools.cache
def _build_for_board() -> None:
    try:
        for_board(ROOT, ROOT / SOURCE)
    except LabError as error:
        raise Blocked(str(error)) from error


class Server:
    """The server under test as a case uses it; connections still open are closed with it."""

    def __init__(self, subject: ServerSubject, evidence: Evidence, cut: Segmentation) -> None:
        self._subject = subject
        self._evidence = evidence
        self._cut = cut
        self._open = contextlib.ExitStack()
        self._stopping = False
        self._last = Endpoint(subject.place.address, 0)
        self.scale = scale_of(subject.place.name)

    @property
    def concurrent(self) -> bool:
        """Whether it answers a client while others are connected."""
        return "concurrent" in self._subject.implementation.features

    def endpoint(self) -> Endpoint:
        """Where it listens; it is started when it does not run."""
        found = self._subject.endpoint()
        if found is None:
            message = f"{self._subject.implementation.name} told no port"
            raise Blocked(message)
        self._last = found
        return found

    def connect(self) -> Session:
        """Open a connection that is recorded.

        Raises:
            Ended: the server does not take it.
        """
        try:
            stream = connect(self.endpoint(), segmentation=self._cut, timeout=self.scale.patience)
        except OSError as error:
            message = f"the server takes no connection ({error}); {self._subject.complaint()}"
            raise Ended(message) from error
        self._evidence.add(stream.transcript)
        return self._open.enter_context(Session(stream))

    @contextlib.contextmanager
    def crowd(self, size: int) -> Iterator[list[socket.socket]]:
        """So many connections that nobody records; what is done with them is for the case to say.

        Raises:
            Ended: the server does not take them all.
        """
        with contextlib.ExitStack() as stack:
            members: list[socket.socket] = []
            for number in range(size):
                try:
                    members.append(stack.enter_context(self.endpoint().connect(self.scale.patience)))
                except OSError as error:
                    message = f"the server does not take connection {number + 1} of {size}: {error}"
                    raise Ended(message) from error
            yield members

    def serves(self) -> bool:
        """Whether a new connection gets an answer, from the same server as before."""
        if self._subject.started and not self._subject.alive():
            return False
        with self.connect() as session:
            return session.ask(NAME) == ANSWERS[NAME]

    def complaint(self) -> str:
        """The end of what the server wrote to standard error, for messages."""
        return self._subject.complaint()

    # its processes

    def process(self) -> int:
        """The process id of the running server; it is another one after a server that died was started again."""
        self._ours()
        if (pid := self._subject.pid) is None:
            message = f"the server is not there; {self._subject.complaint()}"
            raise Ended(message)
        return pid

    def usage(self) -> Usage:
        """What its processes use.

        Raises:
            Ended: it has ended.
            Unsupported: the lab did not start it.
        """
        pid = self.process()
        try:
            return self._subject.place.usage(pid)
        except ProcessLookupError as error:
            message = f"the server has ended; {self._subject.complaint()}"
            raise Ended(message) from error

    def kill(self, pid: int) -> None:
        """End one of its processes at once; one that has ended meanwhile is fine."""
        self._ours()
        with contextlib.suppress(ProcessLookupError):
            self._subject.place.signal(pid, signal.SIGKILL)

    def ask_to_stop(self) -> float:
        """Send SIGTERM; returns the moment just before, on the monotonic clock."""
        pid = self.process()
        self._stopping = True
        before = time.monotonic()
        self._subject.place.signal(pid, signal.SIGTERM)
        return before

    def exit_status(self) -> int | None:
        """Wait for its end; ``None`` when it does not come within the time that the specification gives."""
        try:
            return self._subject.wait(SHUTDOWN + self.scale.patience)
        except Overran:
            return None

    @contextlib.contextmanager
    def successor(self) -> Iterator[Server]:
        """The server started again, on the port of the one before.

        Raises:
            Ended: it does not start there.
        """
        place, port = self._subject.place, self._last.port
        subject = server_process(self._subject.implementation, place, port=port)
        started = Server(subject, self._evidence, self._cut)
        try:
            try:
                started.endpoint()
            except Blocked as error:
                message = f"on port {port}, which was the server's before: {error}"
                raise Ended(message) from error
            yield started
        finally:
            started.close()
            subject.stop()

    def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until the condition holds; ``False`` when patience, or so many seconds, run out first."""
        return wait_until(condition, self.scale.patience if seconds is None else seconds)

    def _ours(self) -> None:
        if self._subject.implementation.endpoint is not None:
            message = "the lab did not start this server, so it does not know its processes"
            raise Unsupported(message)
        self.endpoint()

    def close(self) -> None:
        """Close what is open; a server that was asked to stop is not left to the next case."""
        self._open.close()
        if self._stopping:
            self._subject.stop()
