"""What can be wrong with a training is said before it begins, not an hour later."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, SettingError
from fggm_lab.evaluation.held_out import check_eval_split, held_out_examples
from fggm_lab.fisher.likelihood import check_causal
from fggm_lab.methods import Method
from fggm_lab.models import context_length
from fggm_lab.models.check import (
    check_language_model,
    check_trainable_dtype,
    check_without_adapters,
)
from fggm_lab.models.checkpointing import check_checkpointing
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.quantised import check_unquantised
from fggm_lab.models.sampling import beginning_token
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import PASS_AT_1, General, Split, Task, TaskSequence
from fggm_lab.tasks.code import isolation
from fggm_lab.tasks.metrics import check_metrics
from fggm_lab.training.ranks import check_divisible
from fggm_lab.training.used_data import UsedData, used_data


@dataclass(frozen=True)
class Prepared:
    """What a sequence is trained on, checked.

    Attributes:
        used: the examples of tasks and General.
        encoded: each task's training examples as token ids.
        runs_code: whether programs that the model writes are run.
    """

    used: UsedData
    encoded: list[list[Encoded]]
    runs_code: bool


def check_trainable(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that a model can be trained through tasks.

    Args:
        model: any.
        tokenizer: the model's.

    Raises:
        ModelError: it is no causal language model, or it has adapters or quantised weights.
    """
    check_language_model(model, tokenizer)
    check_without_adapters(model)
    check_causal(model)
    check_trainable_dtype(model)
    check_unquantised(model)


def prepare_sequence(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    general: General | None,
    method: Method,
    settings: TrainingSettings,
    allow_code_execution: bool,
) -> Prepared:
    """Check method, settings and data against each other, and encode what is learned.

    Args:
        model: what is trained.
        tokenizer: the model's.
        tasks: as they were loaded.
        general: likewise; None if it is not measured.
        method: how they are learned.
        settings: by `for_tasks`, with `max_length` resolved.
        allow_code_execution: whether programs that the model writes may be run.

    Returns:
        What is used of the data.

    Raises:
        SettingError: a setting does not fit the method, the model or the machine.
        DataError: a task lacks a split, or an answer does not fit.
    """
    check_divisible(model, method)
    method.check(len(tasks))
    method.check_model(model)
    check_metrics(task.metric for task in tasks)
    with_levels = [task for task in tasks if settings.level_of(task.name) is not None]
    for task in tasks:
        if not task.split(settings.split):
            raise DataError(
                f"task {task.name} has no {settings.split} split; add {settings.split}.json"
            )
    for task in with_levels:
        check_eval_split(task)
    if settings.until_loss is not None and method.merges:
        raise SettingError(
            f"{method.name} changes the weights after a task's last step, so a loss reached before "
            "says nothing of what it ends with; train it without until_loss"
        )
    if settings.gradient_checkpointing:
        check_checkpointing(model)
    if settings.distance_samples:
        beginning_token(tokenizer)  # raises where no text can be drawn
    used = used_data(model, tokenizer, tasks, general, settings)
    runs_code = allow_code_execution and has_code(used.tasks, used.general)
    if runs_code:
        isolation()  # raises where programs cannot be run
    longest, context = cast(int, settings.max_length), context_length(model)
    encoded = [_encode(tokenizer, task, "train", longest, context) for task in used.tasks]
    method.check_data(used.tasks.names, encoded, settings.seed)
    for task in used.tasks:
        _encode(tokenizer, task, settings.split, longest, context)
        if settings.level_of(task.name) is not None:
            held_out_examples(tokenizer, task, settings.until_examples, longest)
    return Prepared(used, encoded, runs_code)


def has_code(tasks: Sequence[Task], general: General | None) -> bool:
    """Whether a task or a skill of General is scored by running what the model writes."""
    in_general = general is not None and bool(general.code)
    return in_general or any(task.metric == PASS_AT_1 for task in tasks)


def _encode(
    tokenizer: PreTrainedTokenizerBase, task: Task, split: Split, max_length: int, context: int
) -> list[Encoded]:
    """A split's examples as token ids; an answer that does not fit is named with its task."""
    where = f"task {task.name}, {split} split"
    examples = task.split(split)
    return encode(tokenizer, examples, max_length, where=where, context=context, skippable=True)
