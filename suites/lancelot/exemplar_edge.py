"""The exemplar's edge: a worker process with one event loop, and a parent that replaces it.

Knows sockets, processes and signals. Must not know what is asked; `exemplar` does. Each decision is a method or an
attribute of its own, for mutants to break.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import selectors
import signal
import socket
import sys
import time

from suites.lancelot.exemplar import Conversation

FEATURES = ("concurrent", "many-idle", "workers-processes")
SIZE = 16384
#: Seconds: for slow readers at the end; of dropping what comes after the end of a conversation; between two tries to accept.
GRACE, LINGER, RETRY = 3.0, 1.0, 0.2
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Connection:
    """One client: its socket, its conversation, and the answers that it has not taken."""

    def __init__(self, sock: socket.socket, conversation: Conversation) -> None:
        self.sock = sock
        self.conversation = conversation
        self.pending = b""
        #: Whether the client has closed its sending side.
        self.finished = False
        #: When to drop a client whose conversation is over.
        self.until: float | None = None


class Worker:
    """Serves all clients in one process."""

    conversation_class: type[Conversation] = Conversation

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.selector = selectors.DefaultSelector()
        self.connections: set[Connection] = set()
        self.stopping_until: float | None = None
        self.accept_again: float | None = None

    def run(self) -> None:
        """Serve until SIGTERM, and until all that had come by then is answered."""
        wake, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        signal.signal(signal.SIGTERM, self.on_sigterm)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self.listener.settimeout(0)
        self.selector.register(self.listener, selectors.EVENT_READ, self.listener)
        self.selector.register(wake, selectors.EVENT_READ, None)
        while self.stopping_until is None or self.connections:
            for key, events in self.selector.select(self.timeout()):
                if key.data is None:
                    os.read(wake, 100)
                    self.stop()
                elif key.data is self.listener:
                    self.accept_all()
                elif key.data in self.connections:
                    self.attend(key.data, events)
            self.expire()

    def on_sigterm(self, _number: int, _frame: object) -> None:
        """Wake the loop."""
        os.write(self._bell, b"!")

    def timeout(self) -> float | None:
        """Seconds until something is due."""
        due = [moment for moment in (self.stopping_until, self.accept_again) if moment is not None]
        due += [connection.until for connection in self.connections if connection.until is not None]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def expire(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self.accept_again is not None and self.accept_again <= now and self.stopping_until is None:
            self.accept_again = None
            self.selector.register(self.listener, selectors.EVENT_READ, self.listener)
        for connection in [*self.connections]:
            late = self.stopping_until is not None and self.stopping_until <= now
            if late or (connection.until is not None and connection.until <= now):
                self.drop(connection)

    def accept_all(self) -> None:
        """Take in everybody who waits."""
        while True:
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self.exhausted(error)
                    return
                continue
            self.welcome(sock)

    def exhausted(self, _error: OSError) -> None:
        """There is no descriptor left: wait a little."""
        if self.accept_again is None and self.stopping_until is None:
            self.selector.unregister(self.listener)
            self.accept_again = time.monotonic() + RETRY

    def welcome(self, sock: socket.socket) -> None:
        """Take a client in."""
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, self.conversation_class())
        self.connections.add(connection)
        self.selector.register(sock, selectors.EVENT_READ, connection)
        self.send(connection, connection.conversation.greeting())

    def attend(self, connection: Connection, events: int) -> None:
        """See to a client that sent something, or takes something."""
        try:
            if events & selectors.EVENT_WRITE:
                self.flush(connection)
            elif octets := connection.sock.recv(SIZE):
                self.hear(connection, octets)
            else:
                self.end_of_input(connection)
        except BlockingIOError:
            return
        except OSError as error:
            self.lost(connection, error)

    def hear(self, connection: Connection, octets: bytes) -> None:
        """Answer, unless the conversation is over."""
        if connection.until is None:
            self.send(connection, connection.conversation.take(octets))
            if connection.conversation.over:
                self.overlong(connection)

    def overlong(self, connection: Connection) -> None:
        """End a conversation: tell the client, and drop for a moment what it still sends."""
        connection.until = time.monotonic() + LINGER
        if not connection.pending:
            connection.sock.shutdown(socket.SHUT_WR)

    def end_of_input(self, connection: Connection) -> None:
        """The client sends no more: close once it has its answers."""
        connection.finished = True
        self.send(connection, connection.conversation.at_end())
        if not connection.pending:
            self.drop(connection)

    def send(self, connection: Connection, octets: bytes) -> None:
        """Send what is taken; while something is left nothing more is read."""
        connection.pending += octets
        if connection.pending:
            self.flush(connection)

    def flush(self, connection: Connection) -> None:
        """Send on."""
        try:
            taken = connection.sock.send(connection.pending)
        except BlockingIOError:
            taken = 0
        connection.pending = connection.pending[taken:]
        wanted = selectors.EVENT_WRITE if connection.pending else selectors.EVENT_READ
        self.selector.modify(connection.sock, wanted, connection)
        if connection.pending:
            return
        if connection.finished:
            self.drop(connection)
        elif connection.until is not None:
            connection.sock.shutdown(socket.SHUT_WR)

    def lost(self, connection: Connection, _error: OSError) -> None:
        """The client is gone."""
        self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Let go of a client."""
        if connection in self.connections:
            self.connections.remove(connection)
            self.selector.unregister(connection.sock)
            connection.sock.close()

    def stop(self) -> None:
        """Take in who waits, listen no more, and end each conversation after what has come."""
        if self.stopping_until is not None:
            return
        self.accept_waiting()
        if self.accept_again is None:
            self.selector.unregister(self.listener)
        self.listener.close()
        self.stopping_until = time.monotonic() + GRACE
        for connection in self.connections:
            with contextlib.suppress(OSError):  # the client was quicker
                connection.sock.shutdown(socket.SHUT_RD)

    def accept_waiting(self) -> None:
        """Take in those that connected before the end."""
        self.accept_all()


class Server:
    """The parent: listens, and keeps a worker running."""

    worker_class: type[Worker] = Worker

    def __init__(self) -> None:
        self.worker = 0
        self.stopping = False

    def serve(self) -> int:
        """Do what the contract says; returns the exit status."""
        configuration = json.loads(sys.stdin.buffer.readline())
        wake, bell = socket.socketpair()
        for end in (wake, bell):
            end.settimeout(0)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, lambda _number, _frame: None)
        signal.set_wakeup_fd(bell.fileno())
        listener = self.listen(configuration["host"], configuration["port"])
        self.start(listener)
        self.announce(listener)
        sources: list[int] = [sys.stdin.fileno(), wake.fileno()]
        while self.worker:
            ready, _, _ = select.select(sources, [], [])
            came = wake.recv(100) if wake.fileno() in ready else b""
            if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 100):
                sources.remove(sys.stdin.fileno())
                came += bytes([signal.SIGTERM])
            # before the signal is obeyed: somebody may wait for a worker that has just died
            self.reap(listener)
            if signal.SIGTERM in came and not self.stopping:
                self.stopping = True
                listener.close()
                self.on_sigterm()
        return self.status()

    def listen(self, host: str, port: int) -> socket.socket:
        """Open the port."""
        return socket.create_server((host, port), backlog=1024)

    def announce(self, listener: socket.socket) -> None:
        """Say that there is a worker."""
        sys.stdout.write(json.dumps({"ready": {"plain": listener.getsockname()[1]}}) + "\n")
        sys.stdout.flush()

    def start(self, listener: socket.socket) -> None:
        """Fork a worker."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        self.worker = os.fork()
        if self.worker == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            status = 1
            try:
                self.worker_class(listener).run()
                status = 0
            finally:
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def on_sigterm(self) -> None:
        """Tell the worker."""
        os.kill(self.worker, signal.SIGTERM)

    def reap(self, listener: socket.socket) -> None:
        """Take note of a worker that has ended."""
        pid, _ = os.waitpid(self.worker, os.WNOHANG)
        if pid:
            self.worker = 0
            if not self.stopping:
                self.replace(listener)

    def replace(self, listener: socket.socket) -> None:
        """Start another worker."""
        self.start(listener)

    def status(self) -> int:
        """The exit status."""
        return 0
