"""Mutants of the exemplar's edge: closing, shutdown, many clients, workers (docs/lancelot.md, sections 3 and 5 to 8)."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator

from lab.judge.mutant import Breeder
from suites.lancelot.exemplar_edge import Connection, Server, Worker
from suites.lancelot.specification import ANSWERS

breaks = Breeder("server")


@breaks("lancelot-3-server-goes-on")
class DiesOfUnknown(Server):
    """An unknown question ends the server, as a KeyError does that nobody catches."""

    class Dying(Worker):
        """Tells the parent to end."""

        def hear(self, connection: Connection, octets: bytes) -> None:
            """Die of what is no known question."""
            if octets not in ANSWERS and b"\xff" in octets:
                os.kill(os.getppid(), signal.SIGKILL)
                os._exit(1)
            super().hear(connection, octets)

    worker_class = Dying


@breaks("lancelot-5-slow-reader-memory")
class HoardsAnswers(Worker):
    """A client that does not take its answers is read from all the same."""

    def flush(self, connection: Connection) -> None:
        """Keep everything, and read on."""
        try:
            taken = connection.sock.send(connection.pending)
        except BlockingIOError:
            taken = 0
        connection.pending = connection.pending[taken:]


@breaks("lancelot-6-half-close-answered")
class DropsAtEnd(Worker):
    """A segment that the end of the stream follows is not answered."""

    def hear(self, connection: Connection, octets: bytes) -> None:
        """Look whether the end is there already."""
        time.sleep(0.002)
        try:
            ended = connection.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            ended = False
        if ended:
            self.drop(connection)
        else:
            super().hear(connection, octets)


@breaks("lancelot-6-half-close-closed", "lancelot-6-connection-given-back")
class NeverCloses(Worker):
    """After the client's end the connection is kept."""

    def end_of_input(self, connection: Connection) -> None:
        """Look away."""
        self.selector.unregister(connection.sock)


@breaks("lancelot-6-reset-survived")
class DiesOfReset(Worker):
    """A reset is an error that nobody handles: the worker ends, and all its clients with it."""

    def lost(self, connection: Connection, _error: OSError) -> None:
        """End."""
        os._exit(1)


@breaks("lancelot-6-stays-open")
class Impatient(Worker):
    """A client that is silent for half a second is dropped."""

    def hear(self, connection: Connection, octets: bytes) -> None:
        """Start the clock."""
        super().hear(connection, octets)
        if connection.until is None:
            connection.until = time.monotonic() + 0.5

    def send(self, connection: Connection, octets: bytes) -> None:
        """Stop the clock."""
        connection.until = None
        super().send(connection, octets)


@breaks("lancelot-7-questions-answered", "lancelot-7-waiting-connections-answered")
class EndsAtOnce(Worker):
    """SIGTERM ends the worker at once."""

    def on_sigterm(self, _number: int, _frame: object) -> None:
        """End."""
        os._exit(0)


@breaks("lancelot-7-waiting-connections-answered")
class ForgetsWaiting(Worker):
    """At the end nobody who waits is taken in."""

    def accept_all(self) -> None:
        """Let a second client wait for a moment, as where one client at a time is served."""
        self.listener.settimeout(0)
        try:
            self.welcome(self.listener.accept()[0])
        except OSError:
            return
        time.sleep(0.05)

    def accept_waiting(self) -> None:
        """Take nobody in."""


@breaks("lancelot-7-waiting-connections-answered")
class ReadyTooSoon(Server):
    """It says that it is ready before it has a worker, and SIGTERM ends it meanwhile."""

    def serve(self) -> int:
        """Have no worker for a moment."""
        self.announced = False
        return super().serve()

    def start(self, listener: socket.socket) -> None:
        if not self.announced:
            self.announced = True
            with _ended_by_sigterm():
                super().announce(listener)
                time.sleep(0.3)
        super().start(listener)

    def announce(self, listener: socket.socket) -> None:
        """It is said already."""


@breaks("lancelot-7-waiting-connections-answered")
class ReplacesLate(Server):
    """A worker that was killed is replaced after a while, and SIGTERM ends the server meanwhile."""

    def replace(self, listener: socket.socket) -> None:
        """Wait first."""
        with _ended_by_sigterm():
            time.sleep(1.0)
        super().replace(listener)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    yield
    signal.signal(signal.SIGTERM, before)


@breaks("lancelot-7-whole-answers")
class CutsAnswers(Worker):
    """At the end clients are sent the beginning of an answer."""

    def stop(self) -> None:
        """Begin an answer, and end."""
        super().stop()
        for connection in [*self.connections]:
            self.send(connection, b"My name is")


@breaks("lancelot-7-exit-status")
class BadStatus(Server):
    """The exit status is that of the signal."""

    def status(self) -> int:
        return 128 + signal.SIGTERM


@breaks("lancelot-7-ends-in-time")
class Waits(Worker):
    """Slow readers are waited for without end."""

    def stop(self) -> None:
        super().stop()
        self.stopping_until = time.monotonic() + 3600.0


@breaks("lancelot-7-no-new-connections")
class StaysListening(Server):
    """The listening socket stays open until the end."""

    def on_sigterm(self) -> None:
        """Tell the worker; this process listens on."""
        self.keep = socket.fromfd(self.listening, socket.AF_INET, socket.SOCK_STREAM)
        super().on_sigterm()

    def listen(self, host: str, port: int) -> socket.socket:
        """Open the port, twice."""
        listener = super().listen(host, port)
        self.listening = os.dup(listener.fileno())
        return listener


@breaks("lancelot-7-port-free-at-once")
class NoReuse(Server):
    """The port is taken without SO_REUSEADDR."""

    def listen(self, host: str, port: int) -> socket.socket:
        """Open the port."""
        listener = socket.socket()
        listener.bind((host, port))
        listener.listen(1024)
        return listener


@breaks("lancelot-8-idle-clients-block-nobody")
class OneAtATime(Worker):
    """Nobody is taken in while somebody is served."""

    def accept_all(self) -> None:
        """Wait."""
        if not self.connections:
            self.welcome(self.listener.accept()[0])


@breaks("lancelot-8-slow-readers-block-nobody")
class BlockingSend(Worker):
    """Answers are sent by a call that waits."""

    def flush(self, connection: Connection) -> None:
        """Wait until all is taken."""
        connection.sock.settimeout(None)
        connection.sock.sendall(connection.pending)
        connection.pending = b""
        connection.sock.settimeout(0)
        super().flush(connection) if connection.finished else None


@breaks("lancelot-8-endless-input-blocks-nobody")
class ReadsToTheEnd(Worker):
    """What follows a question that is too long is read to its end before anybody else has a turn."""

    def overlong(self, connection: Connection) -> None:
        """Read on."""
        connection.sock.settimeout(None)
        while connection.sock.recv(65536):
            pass
        self.drop(connection)


@breaks("lancelot-8-many-idle")
class AHundred(Worker):
    """Clients after the hundredth are hung up on."""

    def welcome(self, sock: socket.socket) -> None:
        """Take in a hundred."""
        if len(self.connections) < 99:
            super().welcome(sock)
        else:
            sock.close()


@breaks("lancelot-8-descriptors-clients-served", "lancelot-8-descriptors-recovered")
class DiesWithoutDescriptors(Worker):
    """A lack of descriptors ends the worker."""

    def exhausted(self, error: OSError) -> None:
        """End."""
        os._exit(1)


@breaks("lancelot-8-descriptors-recovered")
class AcceptsNoMore(Worker):
    """After a lack of descriptors nobody is accepted any more."""

    def exhausted(self, error: OSError) -> None:
        """Give up."""
        super().exhausted(error)
        self.accept_again = time.monotonic() + 3600.0


@breaks("lancelot-8-descriptors-no-busy-wait")
class Spins(Worker):
    """Without descriptors the listening socket is tried again at once."""

    def exhausted(self, error: OSError) -> None:
        """Go on."""


@breaks("lancelot-8-killed-worker-replaced")
class NoReplacement(Server):
    """A worker that was killed is not replaced; the server stays."""

    def replace(self, listener: socket.socket) -> None:
        """Wait for nothing."""
        self.worker = os.fork()
        if self.worker == 0:
            signal.pause()
            os._exit(0)


@breaks("lancelot-8-killed-worker-replaced", "lancelot-8-killed-worker-costs-its-clients-only")
class DiesWithItsWorker(Server):
    """The server ends with a worker that was killed."""

    def replace(self, listener: socket.socket) -> None:
        """End."""
