"""Any of the Lancelot servers as a daemon: `daemon start|stop|status|reload`.

Detached from its terminal, with a pid file that a crash does not make lie, logging to a file and to syslog. SIGHUP (`reload`)
reads the settings again and follows a log file that was moved away; SIGTERM (`stop`) answers what has come, then ends.
Knows the other programs by name. Must not know how they serve.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from implementations.lancelot.command_line import (
    Failure,
    Options,
    Parser,
    Server,
    explain,
    guarded,
    run,
    seconds,
    where,
)
from implementations.lancelot.detached import Report, absolute, detach
from implementations.lancelot.journal import Journal
from implementations.lancelot.pid_file import PidFile
from implementations.lancelot.service import SERVERS, load
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")

EPILOG = """\
Try it:
  daemon start --pid-file l.pid --log-file l.log epoll 127.0.0.1 --port 1060
  daemon status --pid-file l.pid
  daemon stop --pid-file l.pid
Exit status: 0 done (status: it runs), 1 not done (status: it died, and left its pid file), 2 wrong arguments,
3 (status) it does not run."""
PID_FILE = "/run/lancelot.pid"
SYSLOG = "/dev/log"
#: How a daemon that cannot serve begins its one line to the process that started it.
ERROR = "error: "


class Words(argparse.Namespace):
    """What the command line said."""

    act: Callable[[Words], int]
    pid_file: Path
    log_file: Path | None
    syslog: str | None
    settings: Path | None
    server: str
    options: list[str]
    timeout: float


def start(words: Words) -> int:
    """Start the daemon, and wait until it listens."""
    pid_file = PidFile(words.pid_file)
    holder = pid_file.holder()
    if holder is not None:
        raise Failure(f"already running (process {holder}, {pid_file.path})")
    server = load(words.server)
    options = server.parser().parse_args(words.options, namespace=Options())
    if words.syslog is None and words.log_file is None:
        words.syslog = SYSLOG
    said = detach(lambda report: _live(words, server, options, report))
    if said.startswith(ERROR):
        raise Failure(said.removeprefix(ERROR))
    if not said:
        raise Failure("the daemon ended before it listened; its log may say why")
    print(said)
    return 0


def _live(words: Words, server: Server, options: Options, report: Report) -> None:
    """Be the daemon."""
    pid_file = PidFile(words.pid_file)
    stale = pid_file.exists()
    try:
        pid_file.take()
        journal = Journal(words.log_file, words.syslog, words.settings)
        if stale:
            log.warning("the one before left its pid file, which is replaced")
        _serve(server, options, journal, report)
    except (Failure, OSError) as error:
        log.error("%s", explain(error))  # noqa: TRY400 - one line
        report(f"{ERROR}{explain(error)}")
    except BaseException:
        log.exception("died")
        raise
    finally:
        pid_file.remove()


def _serve(server: Server, options: Options, journal: Journal, report: Report) -> None:
    def announce(listener: socket.socket) -> None:
        log.info("%s listening on %s", server.name, where(listener))
        report(f"listening on {where(listener)} (process {os.getpid()})")

    signals = Signals()
    signals.on_hangup.append(journal.reload)
    run(server, options, signals, announce)
    log.info("stopped")


def stop(words: Words) -> int:
    """Ask the daemon to stop, and wait until it has."""
    pid_file, process = _tell(words, signal.SIGTERM)
    if not pid_file.wait_until_free(words.timeout):
        raise Failure(f"process {process} has not stopped within {words.timeout:g} s")
    print(f"stopped (process {process})")
    return 0


def reload(words: Words) -> int:
    """Have the daemon read its settings again."""
    _, process = _tell(words, signal.SIGHUP)
    print(f"told to reload (process {process}); its log says what came of it")
    return 0


def _tell(words: Words, number: signal.Signals) -> tuple[PidFile, int]:
    pid_file = PidFile(words.pid_file)
    holder = pid_file.holder()
    if holder is None:
        raise Failure(f"not running ({pid_file.path})")
    try:
        os.kill(holder, number)
    except ProcessLookupError as error:  # it ended at this moment
        raise Failure(f"not running ({pid_file.path})") from error
    return pid_file, holder


def status(words: Words) -> int:
    """Say whether the daemon runs."""
    pid_file = PidFile(words.pid_file)
    holder = pid_file.holder()
    if holder is not None:
        print(f"running (process {holder})")
        return 0
    if pid_file.exists():
        print(f"not running; {pid_file.path} is stale")
        return 1
    print("not running")
    return 3


def _parser() -> Parser:
    parser = Parser(
        prog="python -m implementations.lancelot.daemon",
        description="Run a Lancelot server in the background.",
        epilog=EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for act, what in (
        (start, "start a server, and wait until it listens"),
        (stop, "answer what has come, and end"),
        (status, "say whether it runs"),
        (reload, "read the settings again, and follow a log file that was moved away"),
    ):
        command = commands.add_parser(
            act.__name__, help=what, description=f"{what.capitalize()}.", allow_abbrev=False
        )
        command.set_defaults(act=act)
        command.add_argument(
            "--pid-file", type=absolute, default=Path(PID_FILE), metavar="FILE", help="(default: %(default)s)"
        )
        if act is stop:
            command.add_argument(
                "--timeout",
                type=seconds,
                default=15.0,
                metavar="SECONDS",
                help="longest wait for the end (default: %(default)s)",
            )
        if act is start:
            _add_start_options(command)
    return parser


def _add_start_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--log-file", type=absolute, metavar="FILE", help="append the log to this file")
    command.add_argument(
        "--syslog",
        type=_syslog_address,
        metavar="ADDRESS",
        help=f"log to syslog at this socket or HOST:PORT (default: {SYSLOG} where there is no log file)",
    )
    command.add_argument(
        "--settings",
        type=absolute,
        metavar="FILE",
        help='a TOML file that is read again at SIGHUP: level = "debug", "info", "warning" or "error"',
    )
    command.add_argument("server", choices=SERVERS, metavar="SERVER", help=f"one of {', '.join(SERVERS)}")
    command.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        metavar="INTERFACE …",
        help="what server_SERVER takes; its --help tells",
    )


def _syslog_address(text: str) -> str:
    return str(absolute(text)) if "/" in text else text


def main(argv: Sequence[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = _parser()
    words = parser.parse_args(argv, namespace=Words())
    return guarded(parser.prog, lambda: words.act(words))


if __name__ == "__main__":
    sys.exit(main())
