"""Finding the runs in a folder, and turning what a caller has into a list of runs."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from fggm_lab.checks import check_path
from fggm_lab.errors import RunError
from fggm_lab.runs.folders import in_words, lost_config_sentence, search_folders
from fggm_lab.runs.records import is_there
from fggm_lab.runs.run import Run

RunsLike = Run | str | Path | Iterable[Run | str | Path]
"""A run, a folder that holds runs, or several of either."""


def find_runs(folder: Path | str) -> list[Run]:
    """Every run at or under `folder`, sorted by path; empty if there is none.

    What lies inside a run is not searched, nor are hidden folders; a config.json that is not a
    run's, a model's for one, is passed over. A run that has lost its config.json is left out with a
    warning.

    Args:
        folder: the folder of one run, or any folder above runs.

    Returns:
        The runs, finished or not.

    Raises:
        RunError: there is no such folder, or a run in it is damaged.
    """
    runs, damaged = search_folders(checked_folder(folder))
    for path in damaged:
        warnings.warn(f"{lost_config_sentence(path)} (it is left out here)", stacklevel=2)
    return [Run.open(path) for path in runs]


def checked_folder(folder: Path | str) -> Path:
    """A folder to look for runs in, refused if there is none."""
    folder = Path(folder)
    check_path(folder)
    if not is_there(folder) or not folder.is_dir():
        raise RunError(f"there is no folder {folder}; check the path")
    return folder


def as_runs(runs: RunsLike) -> list[Run]:
    """A list of runs, whatever form the caller has them in.

    Args:
        runs: a run, a folder with runs in it, or several of either.

    Returns:
        The runs in the order given; those of a folder sorted by path.

    Raises:
        RunError: there is no run, a run cannot be opened, or something else was given.
    """
    if isinstance(runs, Run):
        return [runs]
    if isinstance(runs, str | Path):
        if runs_in_folder := find_runs(runs):
            return runs_in_folder
        raise RunError(f"there is no run under {runs}; name a folder that fggm-lab run has made")
    if not isinstance(runs, Iterable):
        raise RunError(f"a run or a folder of runs is needed, not {runs!r}; see lab.find_runs")
    several = [run for entry in runs for run in as_runs(entry)]
    if not several:
        raise RunError(
            "there is no run to compare or look at; make one with run_sequence or fggm-lab run"
        )
    return several


def one_run(runs: RunsLike) -> Run:
    """The one run that a caller has in whatever form, for what looks at a single run.

    Args:
        runs: a run, a folder with one run in it, or a list of one of either.

    Returns:
        The run.

    Raises:
        RunError: there is no run, or there are several.
    """
    run, *more = as_runs(runs)
    if more:
        paths = in_words([other.path for other in (run, *more)])
        raise RunError(f"one run is needed, not {1 + len(more)}; choose one of: {paths}")
    return run
