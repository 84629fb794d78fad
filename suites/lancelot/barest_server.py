"""A server in Python as bare as can be: it reads, and writes what it was told to answer to so many octets.

    python -m suites.lancelot.barest_server DEPTH EXCHANGES

EXCHANGES are pairs of question and answer, in JSON; its clients send them in turn, DEPTH in a segment. It does not look at what it
is asked, holds nothing back and knows no end: no server at all, but about the least that one costs on a machine. What a real
one takes beyond this is its own; what this one takes beyond one in C is, nearly all of it, the interpreter's.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys

from lab.bench.load.asking import turns

LONGEST = 4096


def serve(answers: dict[int, bytes]) -> None:
    """Serve without end: `answers` by the length of a segment."""
    read, write = os.read, os.write
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener, select.epoll() as poller:
        door, opened = listener.fileno(), {}
        poller.register(door, select.EPOLLIN)
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            for descriptor, _ in poller.poll(None, 32):
                if descriptor == door:
                    connection, _ = listener.accept()
                    opened[connection.fileno()] = connection
                    poller.register(connection, select.EPOLLIN)
                    continue
                octets = read(descriptor, LONGEST)
                if octets:
                    write(descriptor, answers[len(octets)])
                else:
                    opened.pop(descriptor).close()


def main() -> None:
    """Serve until ended."""
    depth, exchanges = int(sys.argv[1]), json.loads(sys.argv[2])
    segments = turns([(question.encode(), answer.encode()) for question, answer in exchanges], depth)
    answers = {length: answer for _, length, answer, _ in segments}
    if len(answers) != len(segments):
        raise SystemExit("segments of the same length have different answers: it could not tell them apart")
    serve(answers)


if __name__ == "__main__":
    main()
