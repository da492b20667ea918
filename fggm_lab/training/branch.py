"""Branching: the records a run takes over from the run it leaves."""

import shutil
from functools import partial
from pathlib import Path

from fggm_lab.errors import RunError
from fggm_lab.files import write_whole
from fggm_lab.runs import Run, RunConfig
from fggm_lab.runs.records import UNTRAINED


def branch_point(source: Run, task: int, config: RunConfig) -> Path:
    """The model of `source` after its 0-based `task`, where a run of `config` may go on.

    Args:
        source: the run to branch from.
        task: after which of its tasks, 0-based.
        config: of the run that shall go on from there.

    Returns:
        The folder of the checkpoint.

    Raises:
        RunError: it learned other tasks or examples, or kept no model there.
    """
    if source.config.task_names[: task + 1] != config.task_names[: task + 1]:
        raise RunError(
            f"{source.path} learned {', '.join(source.config.task_names)}; a branch must "
            f"learn the same first {task + 1} tasks"
        )
    if source.config.task_fingerprint != config.task_fingerprint:
        raise RunError(
            f"{source.path} was trained on other examples than {config.tasks} now holds; "
            "branch with the same task folder and limit"
        )
    folder = source.checkpoint(task) if 0 <= task < len(source.config.task_names) else None
    if folder is None:
        raise RunError(
            f"{source.path} has no checkpoint after task {task + 1}; choose a finished task, "
            "or repeat that run keeping its checkpoints"
        )
    return folder


def copy_records(source: Run, target: Run, task: int) -> None:
    """Copy what `source` kept of its tasks up to and including `task`, the checkpoints excepted."""
    for kind in ("fisher", "masks", "drift", "memory", "predictions"):
        keys = [source.task_key(index) for index in range(task + 1)]
        for key in [UNTRAINED, *keys] if kind == "predictions" else keys:
            for file in (source.path / kind).glob(f"{key}[.@]*"):
                write_whole(target.path / kind / file.name, partial(shutil.copyfile, file))
