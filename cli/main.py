"""The entry point of `iam26`: parse what is asked, look, and write the answer.

It ends at once: what is under way on threads only reads, and nobody waits for it.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from rich.console import Console

from cli import plan, status
from cli.arguments import Options, parse_arguments
from cli.errors import describe_error

ERROR = 1
INTERRUPTED = 130
COMMANDS: Mapping[str, Callable[[Options, Console], int]] = {"plan": plan.run, "status": status.run}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the status to exit with."""
    options = parse_arguments(arguments)
    console = Console(stderr=True, highlight=False, emoji=False, markup=False)
    try:
        return COMMANDS[options.command](options, console)
    except KeyboardInterrupt:
        return _fail(console, "interrupted: nothing was written.", INTERRUPTED)
    except BrokenPipeError:
        # Whoever reads has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    except Exception as error:
        if options.shows_traceback:
            raise
        return _fail(console, describe_error(error), ERROR)


def run() -> NoReturn:
    """Run the command line of this process, and exit."""
    try:
        exit_status: int | str | None = main()
    except SystemExit as ended:
        exit_status = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_status if isinstance(exit_status, int) else 0)


def _fail(console: Console, message: str, exit_status: int) -> int:
    console.print(f"iam26: {message}", soft_wrap=True)
    return exit_status
