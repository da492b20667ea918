"""Which folders are runs: told by their `config.json`, without reading more of them."""

import math
import os
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from fggm_lab.errors import LabError, RunError
from fggm_lab.files import parse_json, read_json

CONFIG = "config.json"
"""The file of a run's configuration, written first and present in every run."""

LOG = "events.jsonl"
"""The file of a run's events, begun once its configuration is there."""

LOCK = "run.lock"
"""The file that whoever writes to a run holds, from before there is a configuration."""

_NAMED_DEPTH = 3
"""How many folders deep to look for the runs that a message names."""

MOST_FOLDERS = 50_000
"""Folders that are searched before the search is given up: some seconds' work."""

_MADE_UP = ("/proc", "/sys", "/dev")
"""Folders without files of anybody's, and without an end."""


def holds_run(folder: Path) -> bool:
    """Whether `folder` has a config.json that is a run's, or too broken to tell."""
    if not os.path.isfile(folder / CONFIG):  # which a folder that may not be read does not refuse
        return False
    try:
        content = read_json(folder / CONFIG)
    except LabError:
        return True
    return isinstance(content, dict) and not {"method", "task_names"}.isdisjoint(content)


def may_have_writer(folder: Path) -> bool:
    """Whether `folder` is a run's, or may be one that is being made."""
    return holds_run(folder) or os.path.isfile(folder / LOCK)


def has_lost_config(folder: Path) -> bool:
    """Whether `folder` is a run's whose config.json is gone or another's: it has a run's log."""
    try:
        with open(folder / LOG, encoding="utf-8") as log:
            first = parse_json(log.readline(), str(folder / LOG), LabError, distinct_keys=False)
    except (LabError, OSError, UnicodeDecodeError):
        return False
    return isinstance(first, dict) and first.get("kind") == "start" and not holds_run(folder)


def run_folders(folder: Path, depth: int | None = None) -> list[Path]:
    """The folders of runs at or under a folder, sorted by path.

    Args:
        folder: searched as `search_folders` does.
        depth: how many folders deep to look (None: all the way).

    Returns:
        The folders of runs.

    Raises:
        RunError: as `search_folders` has it.
    """
    return sorted(path for path, is_run in _searched(folder, depth) if is_run)


def search_folders(folder: Path) -> tuple[list[Path], list[Path]]:
    """The folders of runs at or under a folder, and those of runs that have lost their config.json.

    What lies inside a run is not searched, nor are hidden folders, those that the kernel makes up,
    and those inside `folder` that may not be read. A folder that several links lead to is searched
    once, by its own name where that is under `folder`, too.

    Args:
        folder: a folder.

    Returns:
        The two, each sorted by path.

    Raises:
        RunError: a folder cannot be searched, or there are more than `MOST_FOLDERS`.
    """
    runs, damaged = list[Path](), list[Path]()
    for path, is_run in _searched(folder, None):
        if is_run:
            runs.append(path)
        elif has_lost_config(path):
            damaged.append(path)
    return sorted(runs), sorted(damaged)


def _searched(folder: Path, depth: int | None) -> Iterator[tuple[Path, bool]]:
    """Every folder that is looked at, and whether it is a run's, as `search_folders` has it."""
    searched: dict[object, float] = {}  # folder → how many levels deep
    folders, links = [(folder, depth)], deque[tuple[Path, int | None]]()
    while folders or links:
        path, levels = folders.pop() if folders else links.popleft()
        try:
            identity, depth_left = _identity(path), math.inf if levels is None else levels
            made_up = path != folder and os.path.realpath(path) in _MADE_UP
            if made_up or searched.get(identity, -1) >= depth_left:
                continue
            searched[identity] = depth_left
            if len(searched) > MOST_FOLDERS:
                raise RunError(
                    f"more than {MOST_FOLDERS:,} folders under {folder} were searched for runs; "
                    "name a folder nearer to them"
                )
            is_run = holds_run(path)
            inner_folders = [] if is_run or levels == 0 else _visible_folders(path)
        except OSError as problem:
            if isinstance(problem, PermissionError) and path != folder:
                continue  # another user's, such as lost+found
            raise RunError(
                f"{path} cannot be searched for runs: {problem.strerror}; check its permissions"
            ) from None
        yield path, is_run
        if is_run:
            searched[identity] = math.inf
        deeper = None if levels is None else levels - 1
        for inner in inner_folders:
            (links if inner.is_symlink() else folders).append((inner, deeper))


def _visible_folders(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if not p.name.startswith(".") and os.path.isdir(p)]


def _identity(folder: Path) -> object:
    """What tells a folder from others, by whichever path it is reached."""
    status = folder.stat()
    # Some network drives number no files.
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(folder)


def in_words(folders: Sequence[Path], most: int = 8) -> str:
    """The paths of folders for a message, the first few of many."""
    more = f" and {len(folders) - most} more" if len(folders) > most else ""
    return ", ".join(map(str, folders[:most])) + more


def lost_config_sentence(folder: Path) -> str:
    """What to say of a folder that was a run's."""
    return (
        f"{folder} holds a run's log ({LOG}) and not its {CONFIG}; restore that file, or "
        "repeat the run"
    )


def no_run_sentence(folder: Path) -> str:
    """What to say of a folder that is no run: which runs are in it, if any."""
    if has_lost_config(folder):
        return lost_config_sentence(folder)
    try:
        inner = run_folders(folder, _NAMED_DEPTH)
    except RunError:
        inner = []
    if not inner:
        return (
            f"{folder} holds no run (it has no {CONFIG}); name the folder of one run, such as "
            "runs/fggm"
        )
    return f"{folder} is not one run but holds {len(inner)}; name one of: {in_words(inner)}"
