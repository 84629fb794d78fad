"""C programs for the board, which has no compiler: built in the container that measures, so that what is judged is what is measured.

Knows where the board finds them: `.erle/programs`, which it mounts. Must not know what a program does.
"""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

from lab.bench.emulated.container import Container
from lab.errors import LabError
from lab.stack.project import PROGRAMS, Lab, make_state

#: What `uname -m` says on the board.
MACHINE = "armv7l"


def for_board(root: Path, source: Path) -> Path:
    """Build a source of the checkout at `root` for the board, once for its contents; the program's name tells both.

    Raises LabError: it cannot be built, or there is no container.
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    program = make_state(Lab.here(root)) / PROGRAMS / f"{source.stem}-{digest}.{MACHINE}"
    if program.exists():
        return program
    with Container(root) as container:
        for found in container.run("crossing", {"source": source.relative_to(root).as_posix()}):
            # several may build it at once: each writes its own, and the last one's stays
            partial = program.with_name(f".{program.name}.{os.getpid()}")
            partial.write_bytes(base64.b64decode(str(found["program"])))
            partial.chmod(0o755)
            partial.replace(program)
            return program
    raise LabError(f"{source.name} was not built for the board")
