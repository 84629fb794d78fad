"""Load made in Python as barely as can be: each connection asks one question again and again, and has its answers compared.

    python -m suites.lab.barest_client HOST PORT CONNECTIONS SEGMENTS TEXT

For a server that sends back what it reads. There are no quotas, no turns and no second try at anything: no load generator, but about the
least that one costs on a machine with more connections than one. Prints, in JSON, how many segments were `answered`, and how many
`cpu_seconds` that took once all connections were open.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time


def main() -> None:
    """Ask."""
    host, port, connections, segments, text = sys.argv[1:]
    question, length, answered = text.encode(), len(text), 0
    read, write, clock = os.read, os.write, time.perf_counter_ns
    stamps: list[int] = []
    stamp, most = stamps.append, int(connections)
    opened = [socket.create_connection((host, int(port))) for _ in range(most)]
    with select.epoll() as poller:
        for each in opened:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.settimeout(0)
            poller.register(each.fileno(), select.EPOLLIN | select.EPOLLET)
            write(each.fileno(), question)
        began = time.process_time()
        while answered < int(segments):
            for descriptor, _ in poller.poll(-1, most):
                if read(descriptor, length + 1) != question:
                    raise SystemExit("another answer than the question")
                stamp(clock())
                answered += 1
                if write(descriptor, question) != length:
                    raise SystemExit("a question could not be sent at once")
        used = time.process_time() - began
    print(json.dumps({"answered": answered, "cpu_seconds": used}))


if __name__ == "__main__":
    main()
