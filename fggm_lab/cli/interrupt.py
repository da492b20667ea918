"""Ctrl-C in a command that goes on where it was stopped: it says how, and exits with status 130."""

import signal
import threading
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
    """Let Ctrl-C end what is inside with one sentence on standard error, and nothing else.

    A terminal that is closed is nobody listening any more, and no reason to stop.

    Args:
        how_to_go_on: the rest of the sentence that begins with `stopped; `.

    Yields:
        Nothing.

    Raises:
        Exit: with `STATUS`, once Ctrl-C was pressed.
    """
    try:
        with _closed_terminal_ignored():
            yield
    except KeyboardInterrupt:
        if launched_rank() == 0:
            tell(f"stopped; {how_to_go_on}", err=True)
        raise typer.Exit(STATUS) from None


@contextmanager
def _closed_terminal_ignored() -> Iterator[None]:
    """Ignore SIGHUP while inside, where the system has it and nobody else handles it."""
    hangup = getattr(signal, "SIGHUP", None)
    is_main_thread = threading.current_thread() is threading.main_thread()
    if hangup is None or not is_main_thread or signal.getsignal(hangup) != signal.SIG_DFL:
        yield
        return
    signal.signal(hangup, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(hangup, signal.SIG_DFL)
