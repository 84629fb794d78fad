"""The front door for people who have nox: every check of the project, and how to run it.

`nox` makes an environment for each session; `./erle test` starts the same sessions with --no-venv, in the one that the
launcher made. Words after `--` go to the program that a session runs.
"""

from __future__ import annotations

import re
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2026.10"
nox.options.sessions = ["tests"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
# What would tie a locked file to one registry or one machine.
ADDRESS = re.compile(r"://|--(extra-)?index-url|--find-links|--trusted-host|^\s*-e |\s@\s|^/", re.MULTILINE)
LOCKED = {"run": (), "dev": ("--extra", "dev", "--constraint", "requirements/run.txt")}


def prepare(session: nox.Session, requirements: str = "dev") -> None:
    """Install the locked requirements and the project, unless the session runs in an environment that has them."""
    if session.venv_backend == "none":
        return
    session.install("--require-hashes", "--only-binary", ":all:", "-r", f"requirements/{requirements}.txt")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")


def erle(session: nox.Session, *arguments: str) -> None:
    """Run the lab's command line."""
    session.run("python", "-m", "lab", *arguments)


@nox.session(default=True)
def tests(session: nox.Session) -> None:
    """Run it all: conformance and properties in the quick profile, then the tests that judge no implementation."""
    prepare(session)
    if session.posargs:
        session.run("python", "-m", "pytest", *session.posargs)
        return
    # Verdicts to look at fail the session, but only after all else was tested.
    failed = None
    try:
        erle(session, "run", "--profile", "quick")
    except CommandFailed as error:
        failed = error
    session.run("python", "-m", "pytest", "-m", "not role and not control and not benchmark_lab and not arm")
    if failed:
        session.error(f"conformance: {failed}")


@nox.session
def conformance(session: nox.Session) -> None:
    """Judge implementations: `nox -s conformance -- smtp --implementation smtplib`."""
    prepare(session)
    erle(session, "run", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, one thing at a time: the lab itself, and the suites' benchmarks."""
    prepare(session)
    files = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("suites/*/test_*benchmark*.py"))]
    if not files:
        session.skip("there are no benchmarks")
    # Measurements never run beside other tests.
    session.run("python", "-m", "pytest", "-p", "no:xdist", *(session.posargs or files))


@nox.session
def arm(session: nox.Session) -> None:
    """Judge servers on the Erle board (armv7 under qemu-user) and here, then run the tests that need it: six minutes."""
    prepare(session)
    failed = None
    if not session.posargs:
        try:
            erle(session, "run", "--on", "erle", "--jobs", "2")
        except CommandFailed as error:
            failed = error
    session.run("python", "-m", "pytest", "-m", "arm", *session.posargs)
    if failed:
        session.error(f"conformance on the board: {failed}")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format, the workflow against its published schema, and the locked files for addresses."""
    prepare(session)
    session.run("ruff", "check", *(session.posargs or ["."]))
    session.run("ruff", "format", "--check", *(session.posargs or ["."]))
    workflows = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(".github/workflows/*.yml"))]
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    for name in LOCKED:
        path = ROOT / "requirements" / f"{name}.txt"
        found = ADDRESS.search(path.read_text(encoding="utf-8"))
        if found:
            session.error(f"{path.name} holds an address: {found.group()!r}; make it again with: nox -s lock")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    prepare(session)
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Check that every relative link in the documents leads to a file."""
    broken: list[str] = []
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
        broken += [f"{page.name}: {target}" for target in local if not (page.parent / target).exists()]
    if broken:
        session.error("links that lead nowhere:\n" + "\n".join(broken))


@nox.session
def lock(session: nox.Session) -> None:
    """Lock the newest versions that pyproject.toml allows, with the hashes of all their files and without addresses.

    Run it with the oldest Python supported. Posargs go to pip-compile, for instance `--upgrade-package docker`.
    """
    prepare(session)
    for name, choice in LOCKED.items():
        session.run(
            *("pip-compile", "--quiet", "--generate-hashes", "--allow-unsafe", "--strip-extras"),
            *("--no-header", "--no-annotate", "--no-emit-options"),
            *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
            *("--build-deps-for", "editable", "--output-file", f"requirements/{name}.txt"),
            *(session.posargs or ["--upgrade"]),
            *choice,
            "pyproject.toml",
        )


@nox.session
def mutants(session: nox.Session) -> None:
    """Try each suite's cases on its broken implementations: `nox -s mutants -- smtp`; all suites without a name."""
    prepare(session)
    erle(session, "mutants", *session.posargs)
