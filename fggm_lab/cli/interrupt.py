"""Ctrl-C in a command that goes on where it was stopped: it says how, and exits with status 130."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fggm_lab.cli.console import tell
from fggm_lab.launch import launched_rank

STATUS = 130
"""The exit status of a program that SIGINT ended: 128 plus the signal's number."""


def go_on(resumes: bool) -> str:
    """How to go on with a command that takes `--resume`, and whether it was given."""
    command = "the same command" if resumes else "the same command with --resume"
    return f"{command} goes on from the last saved step"


@contextmanager
def stoppable(how_to_go_on: str) -> Iterator[None]:
    """Let Ctrl-C end what is inside with one sentence on standard error.

    Args:
        how_to_go_on: the rest of the sentence that begins with `stopped; `.

    Yields:
        Nothing.

    Raises:
        Exit: with `STATUS`, once Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        if launched_rank() == 0:
            tell(f"stopped; {how_to_go_on}", err=True)
        raise typer.Exit(STATUS) from None
