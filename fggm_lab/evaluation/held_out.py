"""The held-out loss by which a task's training is ended, and the level to end it at."""

import math
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_optional_count, check_range
from fggm_lab.errors import DataError, RunError
from fggm_lab.evaluation.greedy_answers import teacher_forced
from fggm_lab.evaluation.too_long import fitting_tasks
from fggm_lab.models import load_model
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.modes import evaluating
from fggm_lab.runs import Run
from fggm_lab.tasks import Task, TaskSequence, load_tasks, task_fingerprint

LEVEL_EXAMPLES = 64
"""How many examples of the eval split a level is of, unless more are asked for."""


def held_out_loss(
    model: PreTrainedModel,
    encoded: Sequence[Encoded],
    *,
    pad: int,
    autocast: bool = False,
    batch_size: int = 64,
) -> float:
    """The mean negative log-likelihood per answer token, dropout off.

    Args:
        model: comes back in the mode it was in.
        encoded: the examples as token ids.
        pad: the id of the padding token.
        autocast: matrix products in bfloat16.
        batch_size: examples per forward pass.

    Returns:
        Nats per token.
    """
    with (
        evaluating(model),
        torch.autocast(model.device.type, torch.bfloat16, enabled=autocast),
    ):
        _, nll = teacher_forced(model, encoded, pad, batch_size)
    return math.fsum(nll) / sum(len(item.answer) for item in encoded)


def held_out_examples(
    tokenizer: PreTrainedTokenizerBase, task: Task, examples: int | None, max_length: int
) -> list[Encoded]:
    """The examples of a task's eval split that its held-out loss is of.

    Args:
        tokenizer: the model's.
        task: whose.
        examples: how many, the first ones; None: all.
        max_length: tokens per example.

    Returns:
        The examples as token ids.

    Raises:
        DataError: the task has no eval split, or an answer does not fit.
    """
    check_eval_split(task)
    where = f"task {task.name}, eval split"
    return encode(tokenizer, task.eval[:examples], max_length, where=where, skippable=True)


def check_eval_split(task: Task) -> None:
    """Raise a `DataError` if a task has no eval split."""
    if not task.eval:
        raise DataError(
            f"task {task.name} has no eval split, of which the held-out loss is that ends its "
            "training (until_loss); add eval.json, or give levels for other tasks alone"
        )


def until_levels(
    run: Run | str,
    *,
    examples: int | None = LEVEL_EXAMPLES,
    factor: float = 1.0,
    tasks: TaskSequence | None = None,
) -> dict[str, float]:
    """The held-out loss of each task right after a run learned it: levels for `until_loss`.

    Chosen once from plain fine-tuning, they are what every other method is trained to.

    Args:
        run: a finished run, or its folder, with the checkpoints of every task.
        examples: of the eval split of a task, the first ones, as `until_examples` (None: all).
        factor: multiplies each level; above 1 it is easier to reach.
        tasks: what the run learned, where its record does not say from where it can be loaded.

    Returns:
        Task → nats per answer token.

    Raises:
        SettingError: `examples` or `factor` is outside what it may be.
        RunError: the run is not finished, kept no checkpoint, or learned other examples.
        DataError: the tasks cannot be loaded, or one has no eval split.
    """
    check_optional_count("examples", examples)
    check_range("factor", factor, 0.01)
    run = run if isinstance(run, Run) else Run.open(run)
    config, training = run.config, run.config.training
    if not run.finished:
        raise RunError(f"{run.path} is not finished; resume it first")
    if tasks is None:
        tasks = load_tasks(config.tasks, order=config.task_names)
    tasks = tasks.limited(training.limit)
    levels = {}
    for index, name in enumerate(config.task_names):
        folder = run.checkpoint(index)
        if folder is None:
            raise RunError(f"{run.path} keeps no model after {name}; repeat it with checkpoints")
        model, tokenizer = load_model(folder)
        if index == 0:
            tasks = _as_learned(run, tasks, tokenizer)
        encoded = held_out_examples(tokenizer, tasks[name], examples, config.max_length)
        pad = tokenizer.pad_token_id
        levels[name] = factor * held_out_loss(model, encoded, pad=pad, autocast=training.autocast)
    return levels


def _as_learned(
    run: Run, tasks: TaskSequence, tokenizer: PreTrainedTokenizerBase, conversations: bool = False
) -> TaskSequence:
    """The tasks without what the run left out, as conversations if so learned; else RunError."""
    config, training = run.config, run.config.training
    scored = tasks.limited(training.score_limit, [training.split])
    if training.skip_too_long:
        scored, _ = fitting_tasks(tokenizer, scored, ["train", training.split], config.max_length)
        tasks, _ = fitting_tasks(tokenizer, tasks, ["eval"], config.max_length)
    if task_fingerprint(scored) != config.task_fingerprint:
        if not conversations and not any(example.test for task in tasks for example in task.train):
            return _as_learned(run, tasks.as_conversations(), tokenizer, conversations=True)
        raise RunError(
            f"{run.path} was trained on other examples than {config.tasks} now holds; give its "
            "tasks"
        )
    return tasks
