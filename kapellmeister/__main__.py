"""The command, by its name and by `python -m kapellmeister`."""

from __future__ import annotations

from typing import NoReturn

from kapellmeister.start_time import BEGUN_TICKS as BEGUN_TICKS
from kapellmeister.terminal.interruption import at_once


def main() -> NoReturn:
    """Load the command line, which takes a moment in which Ctrl-C is heard already, and run it."""
    with at_once():
        from kapellmeister.cli import main as run_command
    run_command()


if __name__ == "__main__":
    main()
