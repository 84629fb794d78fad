"""Lancelot for one client at a time: accept, answer until it leaves, accept the next.

Knows nothing but blocking calls. Whoever comes while somebody is served waits.
"""

from __future__ import annotations

import socket
import sys

from implementations.lancelot.blocking import Door, Entrance, Visitors, attend, hang_up_when_asked
from implementations.lancelot.command_line import Options, Ready, Server, add_patience, main
from implementations.lancelot.signals import Signals


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    visitors = Visitors()
    entrance = Entrance(listener)
    door = Door(entrance, signals)
    hang_up_when_asked(signals, entrance, visitors, options.grace)
    ready()
    while (connection := door.next()) is not None:
        attend(connection, visitors, options.patience)
    door.close()


SERVER = Server("server_simple", "Serve Lancelot to one client at a time.", serve, add_patience)

if __name__ == "__main__":
    sys.exit(main(SERVER))
