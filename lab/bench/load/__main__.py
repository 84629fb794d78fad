"""The process: `python -m lab.bench.load`, as `lab.bench.load` describes it."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import os
import resource
import sys
import time
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

from lab.bench.load import closed_loop, open_loop
from lab.bench.load.asking import Trouble
from lab.bench.load.in_step import InStep
from lab.bench.load.run import Run


def way_of(run: Run) -> Callable[[], None]:
    """What asks in the way that is wanted, until all is answered. It raises Trouble; so may this, while it opens connections."""
    if run.rate is not None:
        return partial(open_loop.ask, run)
    if run.in_step:
        return InStep(run).ask
    return partial(closed_loop.ask, run)


def measure(configuration: dict[str, Any], requests: IO[str], answers: IO[str]) -> None:  # Any: JSON
    """One run, as the package's text says."""
    run: Run | None = None
    error: Trouble | None = None
    began, used = time.perf_counter(), time.process_time()
    try:
        run = Run(configuration)
        ask = way_of(run)
        gc.collect()
        gc.freeze()
        _say(answers, {"ready": True})
        requests.readline()
        began, used = time.perf_counter(), time.process_time()
        run.start_clock()
        try:
            ask()
        finally:
            run.end()
    except Trouble as trouble:
        error = trouble
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    if run is not None:
        run.settle()
    _say(
        answers,
        {
            "answered": run.answered if run else 0,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "busy": cpu / seconds if seconds else 0.0,
            "latencies": _packed(run.latencies if run else array("Q")),
            "sessions": _packed(run.sessions if run else array("Q")),
            "error": error.kind if error else None,
            "text": str(error) if error else "",
        },
    )
    requests.readline()
    if run is not None:
        run.close()
    _say(answers, {"closed": True})


def _packed(values: array[int]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _say(answers: IO[str], value: dict[str, object]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def main() -> int:
    """Serve configurations until the end of the input."""
    gc.disable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.suppress(OSError):
        # wake when it is time, and not up to 50 µs later (proc(5)); a kernel without it wakes later
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    try:
        for line in iter(sys.stdin.readline, ""):
            measure(json.loads(line), sys.stdin, sys.stdout)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever asked has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
