"""The target `system`: processor time per request in a whole emulated system, the kernel's share included.

Knows which cells are measured in the guest. Must not know how it is booted, nor a protocol.

Time in the guest is counted in instructions, so that a figure is the same tomorrow and on another machine. Ratios mean something;
microseconds are those of no real processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lab.bench.board import Cell, Collected, Task, lacking
from lab.bench.emulated.container import Container
from lab.bench.plan import BenchPlan, BenchServer
from lab.bench.target import Method, Report, Series, Settings

QUESTIONS: Final = 1000
#: Beyond, the figures repeat less well, and emulation takes its time.
MOST_CONNECTIONS: Final = 10
MOST_REPEATS: Final = 3
QUANTITIES: Final = ("system-cpu",)
#: How long the guest may be silent: a server with many connections takes its time to start and to be loaded.
SILENCE_SECONDS: Final = 180
TEXT: Final = (
    "Processor time of the server with all its threads and processes, in user mode and in the kernel, per question, of "
    "connections that are open and ask in step: all at once, and again when all have their answers. A server that serves fewer at "
    "a time is asked by so many. Measured in a guest of qemu-system-arm with one Cortex-A15 whose clock counts instructions "
    "(-icount shift=1), with the load in the guest on its loopback. Ratios, not a prediction of real hardware."
)


def cells_of(settings: Settings) -> list[Cell]:
    """The cells that the settings ask for: few connections that ask, and one that asks beside silent ones."""
    questions = QUESTIONS // 4 if settings.quick else QUESTIONS
    asking = [Cell(count, questions=questions) for count in settings.connections if count <= MOST_CONNECTIONS]
    return asking + [Cell(1, count, questions=questions // 5) for count in settings.idle if count]


class System:
    """The emulated system as a target for the checkout at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._facts: dict[str, str] = {}

    def method(self) -> Method:
        """How it measures, with the versions that the figures depend on."""
        return Method(target="system", text=TEXT, facts={"processor": "cortex-a15", **self._facts})

    def measure(
        self, plan: BenchPlan, servers: Sequence[BenchServer], settings: Settings, report: Report
    ) -> Iterator[Series]:
        """Measure the servers in one guest. Raises LabError: there is no container, or the guest broke down."""
        task = Task(plan, servers, cells_of(settings), min(settings.rounds, MOST_REPEATS))
        collected = Collected(task.cells, QUANTITIES)
        steps = task.steps
        try:
            with Container(self._root, lambda words: report(0, steps, words)) as container:
                self._facts = container.versions()
                report(0, steps, "the guest boots")
                done = 0
                for found in container.run(
                    "booting", {**task.as_json(self._root), "seconds": SILENCE_SECONDS}
                ):
                    if "kernel" in found:
                        self._facts["kernel"] = str(found["kernel"])
                        continue
                    done += 1
                    report(min(done, steps), steps, f"measured: {collected.add(found)}")
        except KeyboardInterrupt:
            # What was measured until the user broke it off is as good as ever.
            yield from collected.series(servers)
            raise
        self._facts |= lacking(collected.left_out)
        yield from collected.series(servers)


def target(root: Path) -> System:
    """The emulated system as a target for the checkout at `root`."""
    return System(root)
