"""`fggm-lab verify`: whether every file of a run is as it was written."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fggm_lab.cli.console import console, tell

DAMAGED = 1
"""The exit status where something is damaged."""


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check that every file of a run is as it was written, and that its scores follow from its log.

    Exits with status 1 if anything is damaged, missing or contradicts another file.

    Example: `fggm-lab verify runs/demo`
    """
    from fggm_lab.runs.verification import verify_all

    verifications = [verification for folder in folders for verification in verify_all(folder)]
    if as_json:
        tell(json.dumps([verification.to_json() for verification in verifications], indent=2))
    else:
        for verification in verifications:
            problems = len(verification.problems)
            state = _counted(problems, "problem") if problems else "as written"
            checks = _counted(verification.checks, "check")
            old = "" if verification.digests else ", without digests: an older version wrote it"
            console.print(
                f"{verification.run}: {checks}, {state}{old}",
                soft_wrap=True, highlight=False,
            )  # fmt: skip
            for problem in verification.problems:
                console.print(f"  {problem}", soft_wrap=True, highlight=False)
    _end([problem for verification in verifications for problem in verification.problems])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"


def _end(problems: list[str]) -> None:
    """End the command with a status of its own if there are problems."""
    if problems:
        raise typer.Exit(DAMAGED)
