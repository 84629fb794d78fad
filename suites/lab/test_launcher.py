"""`./erle` on machines that lack something, and when it is interrupted or started twice.

Knows the launcher's words and exit codes. The launcher is the real one, in a small checkout of its own: pip, venv and the
lock are real, the requirements are two wheels made here, so that no test needs a registry.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from suites.waiting import wait_until

ROOT = Path(__file__).parents[2]
LAUNCHER = ("erle", "lab/__init__.py", "lab/errors.py", "lab/bootstrap.py", "lab/install.py")
DEADLINE = 90.0
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# Stands for the lab: says how it was started, and ends with a code of its own choice.
LAB = """
import importlib.util, os, sys
tools = [name for name in ("tinyrun", "tinydev") if importlib.util.find_spec(name)]
print("lab", os.path.dirname(os.path.dirname(__file__)), *tools, *sys.argv[1:])
sys.exit(7 if "--seven" in sys.argv else 0)
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
"""
# The least that pip asks for to install a folder in place (PEP 660).
BACKEND = """
import os, zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("tiny.pth", os.path.dirname(os.path.abspath(__file__)) + "\\n")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    return name
"""

NO_ENSUREPIP = "sys.modules['ensurepip'] = None"
OLD = "sys.version_info = (3, 8, 10, 'final', 0)"
ROOT_USER = "import os; os.geteuid = lambda: 0"
ORDINARY_USER = "import os; os.geteuid = lambda: 1000"


class Checkout:
    """A small checkout with the real launcher, and a folder of programs that is all of its PATH."""

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.wheels = root / "wheels"
        self.programs = root / "programs"
        self.venv = self.root / ".venv"
        self.stamp = self.venv / "erle-stamp"
        for folder in (self.root / "requirements", self.wheels, self.programs):
            folder.mkdir(parents=True)
        for name in (*LAUNCHER, *(str(path.relative_to(ROOT)) for path in (ROOT / "lab/stack").glob("*.py"))):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        (self.root / "lab/__main__.py").write_text(LAB)
        (self.root / "pyproject.toml").write_text(PROJECT)
        (self.root / "backend.py").write_text(BACKEND)
        run = self.add_wheel("tinyrun")
        self.lock("run", run)
        self.lock("dev", run + self.add_wheel("tinydev"))

    def add_wheel(self, name: str) -> str:
        """Make a wheel and return its locked line."""
        path = self.wheels / f"{name}-1-py3-none-any.whl"
        about = f"{name}-1.dist-info"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"{name}.py", "")
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
        return f"{name}==1 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    def lock(self, name: str, text: str) -> None:
        """Write a locked requirements file."""
        (self.root / f"requirements/{name}.txt").write_text(text)

    def program(self, name: str, script: str) -> None:
        """Put a shell script on PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def environment(self, **extra: str) -> dict[str, str]:
        """Return the surroundings of a start: no registry, no settings of this machine."""
        return {
            "PATH": str(self.programs),
            "HOME": str(self.root),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            **extra,
        }

    def begin(
        self, *arguments: str, prelude: str = "", cwd: Path | None = None, **extra: str
    ) -> subprocess.Popen[str]:
        """Start the launcher; `prelude` is Python that runs before it in the same process."""
        erle = str(self.root / "erle")
        code = f"import runpy, sys; {prelude}; sys.argv[0] = {erle!r}; runpy.run_path({erle!r}, run_name='__main__')"
        command = [sys.executable, *(["-c", code] if prelude else [erle]), *arguments]
        return subprocess.Popen(
            command,
            env=self.environment(**extra),
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(
        self, *arguments: str, prelude: str = "", cwd: Path | None = None, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Start the launcher and wait for its end."""
        process = self.begin(*arguments, prelude=prelude, cwd=cwd, **extra)
        out, err = process.communicate(timeout=DEADLINE)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begin_and_wait_for_packages(self) -> subprocess.Popen[str]:
        """Start the launcher and return when it is in the middle of an installation."""
        process = self.begin()
        # The environment itself is whole by then, and the packages are being installed.
        pip = self.venv / "bin/pip"
        begun = wait_until(lambda: pip.exists() or process.poll() is not None, DEADLINE)
        assert begun, "no installation began"
        assert process.poll() is None, process.communicate()
        return process


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A small checkout that nothing was installed in yet."""
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A small checkout after its first start, for tests that leave it as it is."""
    checkout = Checkout(tmp_path_factory.mktemp("installed"))
    first = checkout.start("status", "--json")
    assert (first.returncode, first.stdout) == (0, f"lab {checkout.root} tinyrun status --json\n"), (
        first.stderr
    )
    assert "installing 1 packages" in first.stderr
    return checkout


def test_the_second_start_installs_nothing(installed: Checkout) -> None:
    """After the first start has filled .venv, the next goes straight to the lab and adds no word of its own."""
    second = installed.start("status")
    assert (second.returncode, second.stdout, second.stderr) == (
        0,
        f"lab {installed.root} tinyrun status\n",
        "",
    )


def test_compiled_modules_are_kept_out_of_the_tree(installed: Checkout) -> None:
    """Who forbids compiled files gets them in .venv, so that a run does not compile the same modules hundreds of times."""
    for compiled in (installed.root / "lab").rglob("*.pyc"):
        compiled.unlink()

    assert installed.start("status", PYTHONDONTWRITEBYTECODE="1").returncode == 0

    assert list((installed.venv / "pycache").rglob("lab/*.pyc"))
    assert not list((installed.root / "lab").rglob("*.pyc"))


def test_a_changed_lock_is_installed_in_place(checkout: Checkout) -> None:
    """A new lock file is followed at the next start, without making the environment anew."""
    checkout.start()
    (checkout.venv / "kept").touch()
    checkout.lock("run", (checkout.root / "requirements/dev.txt").read_text())
    again = checkout.start()
    assert again.stdout == f"lab {checkout.root} tinyrun tinydev\n", again.stderr
    assert (checkout.venv / "kept").exists()


def test_the_tests_get_their_tools(checkout: Checkout) -> None:
    """`erle test` installs the development tools as well; a run afterwards has nothing to install."""
    assert checkout.start("test").stdout == f"lab {checkout.root} tinyrun tinydev test\n"
    assert checkout.start("run").stderr == ""


def test_the_labs_exit_code_is_the_launchers(installed: Checkout) -> None:
    """What the lab ends with is what the launcher ends with."""
    assert installed.start("--seven").returncode == 7


def test_a_lab_where_the_user_stands_is_not_taken(installed: Checkout, tmp_path: Path) -> None:
    """A folder named lab in the working directory does not stand in for the real one."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/__init__.py").touch()
    (tmp_path / "lab/__main__.py").write_text("print('wrong lab')")
    assert installed.start(cwd=tmp_path).stdout == f"lab {installed.root} tinyrun\n"


def test_an_old_python_starts_an_installed_lab(installed: Checkout) -> None:
    """Once .venv is there, any Python can start the lab, whatever is on PATH."""
    assert installed.start("status", prelude=OLD).stdout == f"lab {installed.root} tinyrun status\n"


def test_two_at_once_install_once(checkout: Checkout) -> None:
    """Of two starts at the same time, one installs, the other waits, and both run."""
    both = [checkout.begin(), checkout.begin()]
    ends = [process.communicate(timeout=DEADLINE) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert sum("making" in err for _, err in ends) == 1
    assert sum("waiting for it" in err for _, err in ends) == 1


def test_a_killed_installation_is_made_anew(checkout: Checkout) -> None:
    """After SIGKILL in the middle, the next start does not trust what is there."""
    process = checkout.begin_and_wait_for_packages()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    assert checkout.stamp.read_text() == "unfinished\n"
    (checkout.venv / "half-made").touch()
    again = checkout.start()
    assert (again.returncode, again.stdout) == (0, f"lab {checkout.root} tinyrun\n"), again.stderr
    assert not (checkout.venv / "half-made").exists()


def test_ctrl_c_leaves_nothing_half_made(checkout: Checkout) -> None:
    """An interrupted first installation removes what it made, and ends with 130."""
    process = checkout.begin_and_wait_for_packages()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not checkout.venv.exists()


@pytest.mark.parametrize("retries", ["0", "1"])
def test_an_unreachable_registry_is_one_message(checkout: Checkout, retries: str) -> None:
    """Where no registry answers, the launcher says so, ends with 3 and leaves nothing."""
    # The port is reserved (tcpmux): on a machine of today nobody listens there.
    nobody = "http://127.0.0.1:1/simple"
    done = checkout.start(PIP_RETRIES=retries, PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL=nobody)
    assert done.returncode == 3
    assert "the package registry does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    assert not checkout.venv.exists()


@pytest.mark.parametrize(
    ("locked", "said"),
    [
        (f"tinyrun==1 --hash=sha256:{'0' * 64}", "DO NOT MATCH THE HASHES"),
        ("tinyrun==1", "Hashes are required"),
    ],
)
def test_only_what_was_locked_is_installed(checkout: Checkout, locked: str, said: str) -> None:
    """A package with another hash, or with none in the lock, is not installed."""
    checkout.lock("run", locked)
    done = checkout.start()
    assert done.returncode == 3
    assert said in done.stderr
    assert "pip could not install" in done.stderr


def test_somebody_elses_environment_is_left_alone(checkout: Checkout) -> None:
    """A .venv that the launcher did not make is neither used nor removed."""
    checkout.venv.mkdir()
    (checkout.venv / "precious").touch()
    done = checkout.start()
    assert done.returncode == 3
    assert "was not made by ./erle" in done.stderr
    assert (checkout.venv / "precious").exists()


def offer(checkout: Checkout, package: str, then: str = "") -> Path:
    """Put an apt on PATH that knows one package, and writes down what it is asked to install."""
    log = checkout.programs / "apt.log"
    known = f'[ "$2" = {package} ] && echo "  Candidate: 1" || echo "  Candidate: (none)"'
    checkout.program("apt-cache", known)
    checkout.program("apt-get", f'echo "$@" >> {log}\n{then}')
    checkout.program("dpkg-query", "exit 1")
    return log


def test_without_ensurepip_the_package_is_named(checkout: Checkout) -> None:
    """Debian packages ensurepip by itself: the message names that package, and nothing is left behind."""
    log = offer(checkout, f"python{PYTHON}-venv")
    done = checkout.start(prelude=NO_ENSUREPIP)
    assert done.returncode == 3
    assert f"sudo apt-get install python{PYTHON}-venv" in done.stderr
    assert not checkout.venv.exists()
    assert not log.exists()


@pytest.mark.parametrize(("arguments", "ci"), [(["--fix"], ""), (["run", "--yes"], ""), ([], "true")])
def test_the_missing_package_is_installed_if_allowed(
    checkout: Checkout, arguments: list[str], ci: str
) -> None:
    """--fix, --yes or CI=true let the launcher install the package with apt."""
    log = offer(checkout, f"python{PYTHON}-venv")
    done = checkout.start(*arguments, prelude=f"{ROOT_USER}; {NO_ENSUREPIP}", CI=ci)
    assert log.read_text().split()[-1] == f"python{PYTHON}-venv"
    # This apt installs nothing, and the launcher sees that.
    assert done.returncode == 3
    assert "did not bring them" in done.stderr


def test_only_root_can_install(checkout: Checkout) -> None:
    """Without the right to install, --fix says what root would have to do."""
    log = offer(checkout, f"python{PYTHON}-venv")
    done = checkout.start("--fix", prelude=f"{ORDINARY_USER}; {NO_ENSUREPIP}")
    assert done.returncode == 3
    assert f"sudo apt-get install python{PYTHON}-venv" in done.stderr
    assert not log.exists()


def test_a_python_too_old_names_the_package(checkout: Checkout) -> None:
    """On an old Python, the message names the newest one that apt offers."""
    offer(checkout, "python3.12")
    done = checkout.start(prelude=OLD)
    assert done.returncode == 3
    assert "is too old: Erle Lab needs 3.11 or newer" in done.stderr
    assert "sudo apt-get install python3.12 python3.12-venv" in done.stderr


def test_a_python_too_old_installs_a_new_one_if_allowed(checkout: Checkout) -> None:
    """With --fix the newer Python is installed, and the start goes on with it."""
    log = offer(checkout, "python3.12", then=f"/bin/ln -s {sys.executable} {checkout.programs}/python3.12")
    done = checkout.start("--fix", "status", prelude=f"{ROOT_USER}; {OLD}")
    assert done.stdout == f"lab {checkout.root} tinyrun --fix status\n", done.stderr
    assert log.read_text().split()[-2:] == ["python3.12", "python3.12-venv"]


def test_a_python_too_old_finds_a_newer_one(checkout: Checkout) -> None:
    """A newer Python on PATH is taken; one that only looks like it (a version manager's shim) is not."""
    checkout.program("python3.13", "echo 'no such version' >&2; exit 127")
    (checkout.programs / "python3.11").symlink_to(sys.executable)
    done = checkout.start("status", prelude=OLD)
    assert done.stdout == f"lab {checkout.root} tinyrun status\n", done.stderr


def test_old_pythons_can_parse_the_launcher() -> None:
    """Nothing in the launcher is newer than Python 2.7, or there would be a SyntaxError instead of a message."""
    tree = ast.parse((ROOT / "erle").read_text(), feature_version=(3, 7))
    newer = (
        ast.JoinedStr,
        ast.AnnAssign,
        ast.AsyncFunctionDef,
        ast.NamedExpr,
        ast.Starred,
        ast.Nonlocal,
        ast.YieldFrom,
    )
    assert [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, newer)] == []
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [one.name for one in functions if one.returns or one.args.kwonlyargs] == []
    assert [one.name for one in functions if any(argument.annotation for argument in one.args.args)] == []


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.10"])
def test_a_real_old_python_gets_the_message(checkout: Checkout, version: str) -> None:
    """A real old interpreter, where this machine has one, gets the message."""
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version} on this machine")
    offer(checkout, "python3.11")
    done = subprocess.run(
        [python, str(checkout.root / "erle")],
        env={**checkout.environment(), "PATH": str(checkout.programs)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert "sudo apt-get install python3.11 python3.11-venv" in done.stderr


def test_the_requirements_hold_no_addresses() -> None:
    """The locked files name packages, versions and hashes, and no registry or machine."""
    for name in ("run", "dev"):
        for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines():
            assert "://" not in line
            assert not line.lstrip().startswith(("-", "/")) or line.strip().startswith("--hash=sha256:"), line
