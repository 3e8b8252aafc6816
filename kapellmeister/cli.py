"""The command line."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import typer

from controller.errors import Interruption, KapellmeisterError
from controller.linux import os_errors
from kapellmeister.commands import (
    bench,
    calibrate,
    compare,
    config,
    doctor,
    explain,
    forecast,
    run,
    simulate,
    steer,
)
from kapellmeister.commands.options import say
from kapellmeister.terminal.interruption import awaited

app = typer.Typer(
    name="kapellmeister",
    help="Keeps every block of audio on time at the least cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (run, steer, explain, doctor, config, simulate, compare, forecast, calibrate):
    app.add_typer(command.app)
app.add_typer(bench.app, name="bench")

UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def main() -> NoReturn:
    """Run a command; bad input ends in one line and exit status 2, Ctrl-C in one and 130."""
    if len(sys.argv) == 1:
        sys.argv.append("--help")
    sys.argv[1:] = with_all_named(sys.argv[1:])
    try:
        with awaited():
            status = app(standalone_mode=False)
    except KapellmeisterError as error:
        if isinstance(error, Interruption):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # another has nothing left to end
            if not os_errors.threads_are_granted():  # at which OpenBLAS interrupts its own process
                _fail(os_errors.more_threads())
        _fail(str(error), error.status)
    except UsageError as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else "kapellmeister"
        _fail(f"{_usage(error)}; `{path} --help` shows the usage")
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (OSError, RuntimeError) as error:  # whatever the system refused, and nobody told
        _fail(os_errors.in_a_line(error))
    sys.exit(status if isinstance(status, int) else 0)


def with_all_named(arguments: list[str]) -> list[str]:
    """Options may stand without a value where that means all: the parser wants to hear it."""
    named = []
    for argument, following in zip(arguments, [*arguments[1:], "-"], strict=True):
        named.append(argument)
        if argument == "--act" and following.startswith("-"):
            named.append("all")
    return named


def _usage(error: Exception) -> str:
    """The option parser's words, with the option that they are about."""
    words: str = getattr(error, "format_message", error.__str__)()
    return words.rstrip(".")


def _fail(message: str, status: int = KapellmeisterError.status) -> NoReturn:
    say(message)
    sys.exit(status)
