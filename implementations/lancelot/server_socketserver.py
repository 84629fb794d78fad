"""Lancelot with `socketserver`: a thread or a process for each connection, as the library's mix-ins make them.

Knows socketserver. The library decides how many there may be: threads without limit, processes up to `max_children`, while
further clients wait.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import socket
import socketserver
import sys
import threading
import time

from implementations.lancelot.blocking import Visitors, attend, hang_up_when_asked
from implementations.lancelot.command_line import Options, Ready, Server, add_patience, explain, main
from implementations.lancelot.event_loop import EXHAUSTED, RETRY
from implementations.lancelot.signals import Signals, held_back

log = logging.getLogger("lancelot")


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    server: Listening

    def handle(self) -> None:
        """Serve it to its end."""
        attend(self.request, self.server.visitors, self.server.options.patience)


class Listening(socketserver.TCPServer):
    """What both kinds do alike: take over a listening socket, survive without descriptors, end in time."""

    def __init__(self, listener: socket.socket, signals: Signals, options: Options) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        listener.settimeout(0)
        self.signals = signals
        self.options = options
        self.visitors = Visitors()
        self.timeout = 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept; when there are no descriptors, leave the client waiting for a while."""
        try:
            connection, address = super().get_request()
        except OSError as error:
            if error.errno in EXHAUSTED:
                log.warning("no more connections for now: %s", error.strerror)
                self.signals.wait(RETRY)
            raise  # the library goes on with the next
        connection.settimeout(None)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the library's interface
        """Log what failed in one line: the library would print a traceback on standard error."""
        error = sys.exc_info()[1]
        log.warning("a connection failed: %s", explain(error) if isinstance(error, Exception) else error)

    def run(self, ready: Ready) -> None:
        """Serve until asked to stop; then take in who waits."""
        poller = select.poll()
        poller.register(self, select.POLLIN)
        poller.register(self.signals, select.POLLIN)
        ready()
        while not self.signals.stop_asked():
            if (self.fileno(), select.POLLIN) in poller.poll():
                self.handle_request()
            self.service_actions()
        poller.unregister(self.signals)
        deadline = time.monotonic() + RETRY  # for descriptors that have run out
        while poller.poll(0) and time.monotonic() < deadline:
            self.handle_request()
        self.socket.close()
        self.end()

    def end(self) -> None:
        """Have what has come answered, within the grace."""
        raise NotImplementedError


class ThreadingServer(socketserver.ThreadingMixIn, Listening):
    """A thread for each connection."""

    def end(self) -> None:
        """Wait for the threads."""
        timer = threading.Timer(self.options.grace, self.visitors.cut)
        timer.start()
        self.visitors.hang_up()
        self.server_close()  # waits for the threads
        timer.cancel()


class ForkingServer(socketserver.ForkingMixIn, Listening):
    """A process for each connection."""

    def __init__(self, listener: socket.socket, signals: Signals, options: Options) -> None:
        super().__init__(listener, signals, options)
        self._lifeline, self._lifeline_end = os.pipe()
        # From the signal's handler: with `max_children` running the library waits until one of them ends.
        signals.on_stop = lambda: self._tell(signal.SIGTERM)

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Fork."""
        with held_back():
            super().process_request(request, client_address)

    def finish_request(self, request: socket.socket, client_address: tuple[str, int]) -> None:  # type: ignore[override]
        """Serve, in the child."""
        self.signals.renew()
        self.signals.on_hangup.clear()
        self.socket.close()
        os.close(self._lifeline_end)
        # A description of the pipe that is not shared with the other children, as it names whom to signal.
        self.signals.hang_on(os.open(f"/proc/self/fd/{self._lifeline}", os.O_RDONLY | os.O_NONBLOCK))
        hang_up_when_asked(self.signals, None, self.visitors, self.options.grace)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        super().finish_request(request, client_address)

    def end(self) -> None:
        """Tell the children, and wait for them."""
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + self.options.grace + 1
        while self.active_children and (left := deadline - time.monotonic()) > 0:
            self.signals.wait(min(left, 0.1))
            self.collect_children()
        self._tell(signal.SIGKILL)
        self.server_close()  # waits for the children
        os.close(self._lifeline)
        os.close(self._lifeline_end)

    def _tell(self, number: signal.Signals) -> None:
        for pid in [*(self.active_children or ())]:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.kill(pid, number)


STYLES: dict[str, type[Listening]] = {"threading": ThreadingServer, "forking": ForkingServer}


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    STYLES[options.style](listener, signals, options).run(ready)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    parser.add_argument(
        "--style",
        choices=STYLES,
        default="threading",
        help="a thread or a process for each connection (default: %(default)s)",
    )
    add_patience(parser)


SERVER = Server(
    "server_socketserver",
    "Serve Lancelot with socketserver and one of its mix-ins.",
    serve,
    add_options,
)

if __name__ == "__main__":
    sys.exit(main(SERVER))
