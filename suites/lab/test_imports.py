"""Holds the directions of imports between the floors of the house.

Knows which floor may import which. Reads syntax trees alone: nothing is imported, so no import can hide by not running.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("lab", "suites", "implementations")
TOOLS = ("pytest", "docker", "testcontainers", "hypothesis")
# What the modules of a floor must not import.
FORBIDDEN = {
    "lab": ("suites", "implementations", "conftest"),
    "suites": ("implementations", "conftest"),
    "implementations": ("lab", "suites", "conftest", *TOOLS),
    "conftest": ("implementations",),
}
# Functions that import the module that their first argument names.
IMPORTERS = {"import_module", "__import__", "importorskip", "find_spec", "run_module"}


@dataclass(frozen=True)
class Import:
    """One import in a source file: the module's full name, and whether importing the importer runs it."""

    file: Path
    line: int
    module: str
    at_import: bool


def sources(root: Path, floor: str) -> list[Path]:
    """Return the Python files of a floor; `conftest` stands for all files of that name."""
    if floor == "conftest":
        return sorted(
            [
                *root.glob("conftest.py"),
                *(path for each in FLOORS for path in root.glob(f"{each}/**/conftest.py")),
            ]
        )
    return sorted(path for path in root.glob(f"{floor}/**/*.py") if path.name != "conftest.py")


def imports_of(root: Path, path: Path) -> Iterator[Import]:
    """Yield every import of a file, also relative ones, those inside functions, and literal dynamic ones."""
    tree = ast.parse(path.read_bytes(), str(path))
    package = path.relative_to(root).parent.parts
    immediate = set(immediate_nodes(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt | ast.expr):
            continue
        for module in modules_of(node, package):
            yield Import(path, node.lineno, module, node in immediate)


def modules_of(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Yield the full names that a node imports; `from a import b` gives both `a` and `a.b`, which may be a module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else ()
        base = ".".join([*above, *((node.module,) if node.module else ())])
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in IMPORTERS and isinstance(node.args[0].value, str):
            target = node.args[0].value
            level = len(target) - len(target.lstrip("."))
            yield ".".join([*package[: len(package) - level + 1], target[level:]]) if level else target


def immediate_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that run when the module is imported: not in functions, nor under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def trespasses(root: Path) -> list[str]:
    """Return each import that leads where its floor must not look, as `file:line: imports module`."""
    return sorted(
        {
            f"{found.file.relative_to(root)}:{found.line}: imports {found.module.split('.')[0]}"
            for floor, forbidden in FORBIDDEN.items()
            for path in sources(root, floor)
            for found in imports_of(root, path)
            if found.module.split(".")[0] in forbidden
        }
    )


def cycle(root: Path, floor: str) -> list[str]:
    """Return the modules of one circle of imports within a floor; [] if there is none."""
    names = {module_name(root, path): path for path in sources(root, floor)}
    graph = {
        name: {found.module for found in imports_of(root, path) if found.at_import and found.module in names}
        - {name}
        for name, path in names.items()
    }
    # A package is imported before its modules, but `from package import module` needs the module alone.
    for name, needed in graph.items():
        graph[name] = {
            other for other in needed if not any(deeper.startswith(f"{other}.") for deeper in needed)
        }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module_name(root: Path, path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_imports_run_one_way() -> None:
    """No floor imports what it must not know."""
    assert trespasses(ROOT) == []


@pytest.mark.parametrize("floor", FLOORS)
def test_no_circles(floor: str) -> None:
    """No module of a floor needs, to be imported, a module that needs it."""
    assert cycle(ROOT, floor) == []


@pytest.mark.parametrize("floor", FLOORS)
def test_every_floor_says_what_it_knows(floor: str) -> None:
    """A floor's docstring says what it knows and what it must not know."""
    said = ast.get_docstring(ast.parse((ROOT / floor / "__init__.py").read_bytes())) or ""
    assert "knows" in said
    assert "must not" in said


def test_every_module_has_a_docstring() -> None:
    """Every module opens by saying what it is."""
    silent = [
        str(path.relative_to(ROOT))
        for floor in (*FLOORS, "conftest")
        for path in sources(ROOT, floor)
        if not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert silent == []


def test_the_launcher_needs_nothing_installed() -> None:
    """What runs before the installation imports the standard library, and of the lab only what does the same."""
    waiting, seen = [ROOT / "erle"], set[Path]()
    foreign = []
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for found in imports_of(ROOT, path):
            top = found.module.split(".")[0]
            inside = ROOT / f"{found.module.replace('.', '/')}.py"
            if top == "lab" and inside.is_file() and inside not in seen:
                waiting.append(inside)
            elif top != "lab" and top not in sys.stdlib_module_names:
                foreign.append(f"{path.name}:{found.line}: {found.module}")
    assert foreign == []
    assert ROOT / "lab" / "install.py" in seen


OFFENCES = {
    "lab/plain.py": "import suites.smtp\n",
    "lab/late.py": "def f():\n    from implementations.smtp import simple\n",
    "lab/dynamic.py": "import importlib\nimportlib.import_module('suites.smtp')\n",
    "lab/deep/relative.py": "from ...suites import smtp\n",
    "lab/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import suites\n",
    "suites/smtp/peek.py": "from implementations.smtp.smtplib_client import SmtplibClient\n",
    "implementations/smtp/helped.py": "from lab.wire import tap\n",
    "implementations/smtp/tested.py": "import pytest\n",
    "implementations/smtp/contained.py": "from docker import client\n",
    "conftest.py": "import implementations\n",
}


@pytest.mark.parametrize("file", OFFENCES)
def test_a_trespass_is_found(tmp_path: Path, file: str) -> None:
    """An import in the wrong direction is found however it is written."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OFFENCES[file])
    assert [line.split(":")[0] for line in trespasses(tmp_path)] == [file]


def test_allowed_imports_are_no_trespass(tmp_path: Path) -> None:
    """The directions that the design allows pass."""
    allowed = {
        "suites/smtp/test_client.py": "import pytest\nfrom lab.judge import marks\nfrom . import contract\n",
        "implementations/smtp/simple.py": "import smtplib\nfrom .message import body\n",
        "conftest.py": "import lab.judge\nfrom suites.smtp import contract\n",
    }
    for file, text in allowed.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert trespasses(tmp_path) == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    """Two modules that need each other are found; one that looks back inside a function is none."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/a.py").write_text("from lab import b\n")
    (tmp_path / "lab/b.py").write_text("from lab import a\n")
    assert set(cycle(tmp_path, "lab")) == {"lab.a", "lab.b"}
    (tmp_path / "lab/b.py").write_text("def f():\n    from lab import a\n")
    assert cycle(tmp_path, "lab") == []
