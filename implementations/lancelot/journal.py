"""Where a daemon logs: a file, syslog, or both; and the settings that it reads again at SIGHUP.

Knows logging and TOML. Must not know what is logged.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import tomllib
from pathlib import Path

from implementations.lancelot.command_line import Failure, explain

log = logging.getLogger("lancelot")
LEVELS = ("debug", "info", "warning", "error")


class Journal:
    """The handlers of the root logger."""

    def __init__(self, file: Path | None, syslog: str | None, settings: Path | None) -> None:
        """Open them. Raises Failure when one cannot be opened or the settings are wrong.

        Args:
            file: a log file to append to.
            syslog: the path of syslog's socket, or HOST:PORT.
            settings: a TOML file with `level`, one of LEVELS.
        """
        self._settings = settings
        self._process = os.getpid()
        level = self._level()
        self._file = None if file is None else _log_file(file)
        root = logging.getLogger()
        root.setLevel(level)
        for handler in (self._file, None if syslog is None else _syslog(syslog)):
            if handler is not None:
                root.addHandler(handler)

    def reload(self) -> None:
        """Read the settings again, and open the file anew if it was moved away. What is wrong is logged, and stays as it was."""
        in_worker = os.getpid() != self._process  # one process has told it already
        try:
            if self._file is not None:
                self._file.reopenIfNeeded()
            logging.getLogger().setLevel(self._level())
        except (Failure, OSError) as error:
            log.log(logging.DEBUG if in_worker else logging.ERROR, "not reloaded: %s", explain(error))
        else:
            log.log(logging.DEBUG if in_worker else logging.INFO, "reloaded")

    def _level(self) -> int:
        if self._settings is None:
            return logging.INFO
        try:
            settings = tomllib.loads(self._settings.read_text("utf-8"))
        except OSError as error:
            raise Failure(explain(error)) from error
        except ValueError as error:  # of TOML, and of UTF-8
            raise Failure(f"{self._settings}: {error}") from error
        level = settings.pop("level", "info")
        if level not in LEVELS:
            raise Failure(f"{self._settings}: level is one of {', '.join(LEVELS)}, not {level!r}")
        if settings:
            raise Failure(f"{self._settings}: unknown: {', '.join(settings)}")
        return logging.getLevelNamesMapping()[str(level).upper()]


def _log_file(path: Path) -> logging.handlers.WatchedFileHandler:
    try:
        # Looks before each line whether the file was moved away, so that worker processes follow a rotation too.
        handler = logging.handlers.WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{explain(error)} (--log-file names another file)") from error
    handler.setFormatter(logging.Formatter("%(asctime)s lancelot[%(process)d] %(levelname)s %(message)s"))
    return handler


def _syslog(address: str) -> logging.handlers.SysLogHandler:
    host, colon, port = address.rpartition(":")
    try:
        if colon and port.isascii() and port.isdigit():
            handler = logging.handlers.SysLogHandler(
                (host, int(port)), logging.handlers.SysLogHandler.LOG_DAEMON
            )
        else:
            os.stat(address)  # noqa: PTH116 - the handler itself would wait in silence for a socket to appear
            handler = logging.handlers.SysLogHandler(address, logging.handlers.SysLogHandler.LOG_DAEMON)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise Failure(f"syslog at {address}: {why} (--log-file names a file to log to)") from error
    handler.ident = "lancelot"
    handler.append_nul = False
    handler.setFormatter(logging.Formatter("[%(process)d]: %(message)s"))
    return handler
