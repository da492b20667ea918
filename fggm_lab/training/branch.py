"""Branching: the records a run takes over from the run it leaves."""

import shutil
from functools import partial
from pathlib import Path

from fggm_lab.errors import RunError
from fggm_lab.files import write_whole
from fggm_lab.runs import Run, RunConfig
from fggm_lab.runs.records import UNTRAINED

SourceRun = Run | Path | str
"""The run to branch from, or its folder, which is opened only when the branch begins."""

_GENERAL = ("general", "general_fingerprint", "general_choices")
SCORED_BY = (
    "model_fingerprint",
    "tokenizer_fingerprint",
    *_GENERAL,
    "code_execution",
    "split",
    "max_length",
    "max_new_tokens",
    "score_limit",
    "score_max_prompt",
    "score_unlearned",
    "probe",
)
"""What both runs must have alike: a branch's score matrix has rows of both. How a task is trained
may differ."""


def opened_source(source: SourceRun) -> Run:
    """The run to branch from.

    Args:
        source: it, or its folder.

    Returns:
        The run.

    Raises:
        RunError: it is not there any more, or damaged.
    """
    if isinstance(source, Run):
        return source
    try:
        return Run.open(source)
    except RunError as problem:
        raise RunError(
            f"the run to branch from cannot be opened: {problem}; name it with branch=(run, task) "
            "(--from and --task)"
        ) from None


def branch_point(source: Run, task: int, config: RunConfig) -> Path:
    """The model of `source` after its 0-based `task`, where a run of `config` may go on.

    Args:
        source: the run to branch from.
        task: after which of its tasks, 0-based.
        config: of the run that shall go on from there.

    Returns:
        The folder of the checkpoint.

    Raises:
        RunError: it learned other tasks or examples, was scored in another way, or kept no model
            there.
    """
    if source.config.task_names[: task + 1] != config.task_names[: task + 1]:
        raise RunError(
            f"{source.path} learned {', '.join(source.config.task_names)}; a branch must "
            f"learn the same first {task + 1} tasks"
        )
    # Where the source has no General, no score of it is taken over that could be of another test.
    alike = [n for n in SCORED_BY if source.config.general is not None or n not in _GENERAL]
    if different := config.difference(source.config, alike):
        raise RunError(
            f"{source.path} was scored in another way ({'; '.join(different)}), and a branch takes "
            "over its scores; branch with the same settings, or train that run anew with these"
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
