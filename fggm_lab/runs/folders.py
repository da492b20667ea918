"""Which folders are runs: told by their `config.json`, without reading more of them."""

from collections.abc import Sequence
from pathlib import Path

from fggm_lab.errors import LabError, RunError
from fggm_lab.files import read_json

CONFIG = "config.json"
"""The file of a run's configuration, written first and present in every run."""


def holds_run(folder: Path) -> bool:
    """Whether `folder` has a config.json that is a run's, or too broken to tell."""
    if not (folder / CONFIG).is_file():
        return False
    try:
        content = read_json(folder / CONFIG)
    except LabError:
        return True
    return isinstance(content, dict) and not {"method", "task_names"}.isdisjoint(content)


def run_folders(folder: Path, depth: int | None = None) -> list[Path]:
    """The folders of runs at or under a folder, sorted by path.

    What lies inside a run is not searched, nor are hidden folders.

    Args:
        folder: a folder.
        depth: how many folders deep to look (None: all the way).

    Returns:
        The folders of runs.

    Raises:
        RunError: a folder cannot be searched.
    """
    if holds_run(folder):
        return [folder]
    if depth == 0:
        return []
    try:
        inner = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as problem:
        raise RunError(
            f"{folder} cannot be searched for runs: {problem.strerror}; check its permissions"
        ) from None
    deeper = None if depth is None else depth - 1
    return [run_folder for path in inner for run_folder in run_folders(path, deeper)]


def in_words(folders: Sequence[Path], most: int = 8) -> str:
    """The paths of folders for a message, the first few of many."""
    more = f" and {len(folders) - most} more" if len(folders) > most else ""
    return ", ".join(map(str, folders[:most])) + more
