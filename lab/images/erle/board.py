# noqa: INP001  copied into the image alone, part of no package
"""Tells whoever connects which machine this is. Shows that the board's Python runs; knows nothing of what runs beside it."""

from __future__ import annotations

import platform
import socketserver

PORT = 7000


class Answer(socketserver.BaseRequestHandler):
    """One line, and the end: machine and Python."""

    def handle(self) -> None:
        """Send the line."""
        self.request.sendall(f"{platform.machine()} python {platform.python_version()}\n".encode())


if __name__ == "__main__":
    with socketserver.TCPServer(("0.0.0.0", PORT), Answer) as board:  # noqa: S104  published on loopback alone
        board.serve_forever()
