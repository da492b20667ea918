"""Where a command that trains writes its runs: beside other runs, never inside one."""

import sys
from pathlib import Path

import typer

from fggm_lab.checks import check_path
from fggm_lab.errors import SettingError


def not_inside_a_run(context: typer.Context, folder: Path) -> Path:
    """Look whether `--out` is a run's own folder, or inside one; in a terminal, ask.

    Args:
        context: of the command.
        folder: what was given.

    Returns:
        The folder, or the one beside the run if that was meant.

    Raises:
        SettingError: the folder is a run's or inside one, and nobody says that the folder around
            the run was meant.
    """
    from fggm_lab.runs.folders import holds_run

    if context.resilient_parsing:
        return folder
    check_path(folder)
    run = next((path for path in (folder, *folder.parents) if holds_run(path)), None)
    if run is None:
        return folder
    where = "is a run's own folder" if run == folder else f"is inside the run {run}"
    sentence = f"--out {folder} {where}, and runs are written side by side"
    if sys.stdin.isatty() and typer.confirm(f"{sentence}. Write to {run.parent}?", err=True):
        return run.parent
    raise SettingError(f"{sentence}; did you mean --out {run.parent}?")
