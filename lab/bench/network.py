"""A network of their own for server and generator: no firewall, no connection tracking, nobody else's traffic.

Knows network_namespaces(7), unshare(1) and nsenter(1). Must not know what runs in it.

Where a firewall is (Docker brings one), the kernel follows every connection: each segment costs more, and after some hundred
thousand connections its table is full, from when on new ones wait for half a minute.

`python -m lab.bench.network` has the loopback of the namespace it is in answer, says so, and stays until its standard input ends.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SECONDS_TO_STOP: Final = 5.0
UP: Final = b"up\n"
#: netdevice(7): set the flags of an interface; it is to be up and running.
SIOCSIFFLAGS: Final = 0x8914
IFF_UP_AND_RUNNING: Final = 0x1 | 0x40
#: struct ifreq: a name of 16 octets and a union of 24, which begins with the flags.
IFREQ: Final = struct.Struct("16sh22x")


@contextmanager
def own_network() -> Iterator[Sequence[str]]:
    """Keep a network namespace with a loopback alive; yield the words that a command has to begin with to run in it.

    No words where this user may not make one: then it is the machine's network.
    """
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", sys.executable, "-m", "lab.bench.network"],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for whoever measures
    ) as keeper:
        try:
            there = keeper.stdout is not None and keeper.stdout.readline() == UP
            yield ["nsenter", f"--net=/proc/{keeper.pid}/ns/net"] if there else []
        finally:
            if keeper.stdin is not None:
                keeper.stdin.close()
            try:
                keeper.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                keeper.kill()


def main() -> None:
    """Keep the namespace. Raises OSError: its loopback cannot be had up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, IFREQ.pack(b"lo", IFF_UP_AND_RUNNING))
    sys.stdout.buffer.write(UP)
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
