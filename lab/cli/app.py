"""Puts the command line together and turns what went wrong into exit codes.

Knows the names of the commands and the module that offers each. Must not know what a command does.

Exit codes: 0 as expected, 1 verdicts to look at, 2 the command was not understood, 3 the lab could not run, 130
interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from lab.errors import LabError, Misuse

EXIT_USAGE = 2
EXIT_COULD_NOT_RUN = 3

# In the order of the help.
COMMANDS = {
    "lab.cli.run_command": ("run",),
    "lab.cli.report_commands": ("report", "diff", "explain"),
    "lab.cli.bench_command": ("bench",),
    "lab.cli.stack_commands": ("up", "down", "ps", "logs", "gc", "doctor"),
    "lab.cli.status_command": ("status",),
    "lab.cli.test_command": ("test",),
    "lab.cli.mutants_command": ("mutants",),
}

HELP = """\
Does it speak the protocol, against servers that the world really runs, and what does it cost?

Erle Lab starts real servers in containers, drives Python clients and servers against them, and judges every byte \
by the clauses of the RFCs.

Examples:

  erle run smtp                        verdicts on every SMTP implementation

  erle run --implementation smtplib    verdicts on one of them

  erle up postfix                      start one server and wait until it answers

  erle doctor --fix                    install and start what the lab needs

  erle status                          what the lab covers

  erle test                            test the lab itself
"""
EPILOG = "Exit codes: 0 as expected, 1 verdicts to look at, 2 usage, 3 the lab could not run."


def build(arguments: Sequence[str]) -> typer.Typer:
    """Return the application. If the first word names a command, only that command's module is imported."""
    app = typer.Typer(
        name="erle",
        help=HELP,
        epilog=EPILOG,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(options_of_all)
    word = next((word for word in arguments if not word.startswith("-")), None)
    owners = [module for module, names in COMMANDS.items() if word in names]
    for module in owners or COMMANDS:
        importlib.import_module(module).register(app)
    return app


def options_of_all(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
    # Read by ./erle before this command line exists; accepted here so that all three ways in take the same words.
    fix: Annotated[
        bool,
        typer.Option("--fix", "--yes", help="Let ./erle install the system's packages of Python it needs."),
    ] = False,
) -> None:
    """Handle what stands before a command."""
    del fix
    if show_version:
        from importlib.metadata import version

        typer.echo(f"erle-lab {version('erle-lab')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; a command returns its own as an int, or None for 0."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = build(words)(args=words, prog_name="erle", standalone_mode=False)
        sys.stdout.flush()
    except LabError as error:
        code = EXIT_USAGE if isinstance(error, Misuse) else EXIT_COULD_NOT_RUN
        return _complain(str(error), error.remedy, code)
    except typer.TyperException as error:
        # not every such error knows the command it came from
        command = getattr(getattr(error, "ctx", None), "command_path", "erle")
        return _complain(error.format_message(), f"{command} --help", error.exit_code)
    except typer.Abort:
        return _complain("nothing was done", None, EXIT_COULD_NOT_RUN)
    except BrokenPipeError:
        # The reader has gone (`erle status | head`); Python must not complain about it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        return _complain(
            f"the disk is full ({error.filename or 'no file named'})", "free some space", EXIT_COULD_NOT_RUN
        )
    return code if isinstance(code, int) else 0


def _complain(message: str, remedy: str | None, code: int) -> int:
    print(f"erle: {message}", file=sys.stderr)
    if remedy:
        print(f"  do: {remedy}", file=sys.stderr)
    return code
