"""Lancelot with `poll`: one thread asks the kernel about every connection at each turn.

Knows `select.poll`. Idle connections cost: the kernel looks at each of them each time.
"""

from __future__ import annotations

import select
import socket
import sys

from implementations.lancelot.command_line import Options, Ready, Server, main
from implementations.lancelot.event_loop import EventLoop
from implementations.lancelot.signals import Signals


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    poller = select.poll()
    loop = EventLoop(poller, listener, signals, wait=poller.poll, units_per_second=1000, grace=options.grace)
    ready()
    loop.run()


SERVER = Server("server_poll", "Serve Lancelot with one event loop on poll.", serve)

if __name__ == "__main__":
    sys.exit(main(SERVER))
