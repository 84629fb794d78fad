"""Asks a server, in its own protocol and from the host, whether it is ready. Knows sockets; the questions come from outside.

The engine's proxy accepts a connection before the server behind it listens, so an accepted connection means nothing: only
octets that match do.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from lab.errors import LabError
from lab.stack.project import Question
from lab.stack.service import NotPublished, Service

DEADLINE = 60.0
ATTEMPT_SECONDS = 1.0
PAUSE_SECONDS = 0.03
LOOK_SECONDS = 0.5  # between two looks at the container's state, each a question to the engine
LOG_LINES = 12
ENOUGH_OCTETS = 65536


class NotReady(LabError):
    """The server did not answer as it should in time, or ended; the message holds state, exit code and last log lines."""

    def __init__(self, service: Service, why: str, log: str, exit_code: int | None) -> None:
        ended = "" if exit_code is None else f", exit code {exit_code}"
        lines = log.strip() or "(nothing logged)"
        super().__init__(
            f"{service.name} is not ready: {why} (state {service.state}{ended}); last log lines:\n{lines}"
        )
        self.service = service.name
        self.state = service.state
        self.exit_code = exit_code
        self.log = log


def ask(question: Question, address: tuple[str, int], seconds: float = ATTEMPT_SECONDS) -> str | None:
    """Put the question once; return None if the answer matched, else why not."""
    kind = socket.SOCK_DGRAM if question.transport == "udp" else socket.SOCK_STREAM
    deadline = time.monotonic() + seconds
    answer = b""
    try:
        with contextlib.ExitStack() as held:
            connection = held.enter_context(socket.socket(socket.AF_INET, kind))
            connection.settimeout(seconds)
            connection.connect(address)
            if question.tls:
                # Only whether it speaks TLS is asked here; whether its certificate is sound is for the cases to judge.
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = held.enter_context(context.wrap_socket(connection))
            if question.send:
                connection.sendall(question.send)
            while not question.expect.search(answer):
                left = deadline - time.monotonic()
                if left <= 0 or len(answer) > ENOUGH_OCTETS:
                    return f"{question} answered {answer[:80]!r}"
                connection.settimeout(left)
                piece = connection.recv(4096)
                answer += piece
                if not piece or (kind == socket.SOCK_DGRAM and not question.expect.search(answer)):
                    return f"{question} answered {answer[:80]!r}"
    except OSError as error:
        return f"{question} answered {answer[:80]!r}" if answer else f"{question}: {error.strerror or error}"
    return None


def wait(
    service: Service,
    questions: Sequence[Question],
    refresh: Callable[[str], Service],
    *,
    seconds: float = DEADLINE,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Service:
    """Wait until the server has answered every question; return it as it then stands.

    `refresh` gives the service's present state by name. A container that ended is not waited for. Raises `NotReady`.
    """
    end = clock() + seconds
    looked = clock()
    open_questions = list(questions)
    while True:
        why = _first_refusal(service, open_questions)
        if why is None:
            return refresh(service.name)
        now = clock()
        if now - looked > LOOK_SECONDS:
            service, looked = refresh(service.name), now
        if now >= end or service.state in {"exited", "dead"}:
            service = refresh(service.name)
            raise NotReady(service, why, service.tail(LOG_LINES), service.exit_code())
        pause(PAUSE_SECONDS)


def _first_refusal(service: Service, open_questions: list[Question]) -> str | None:
    """Put the questions still open in turn, taking out those that are answered; return why the first one was not."""
    while open_questions:
        question = open_questions[0]
        try:
            why = ask(question, service.endpoint(question.port, question.transport))
        except NotPublished as error:
            why = str(error)
        if why is not None:
            return why
        open_questions.pop(0)
    return None
