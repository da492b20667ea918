"""Scoring a model: its own metric, the strict match and the likelihood of every task."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_choice, check_optional_count
from fggm_lab.errors import DataError, TrainingError
from fggm_lab.evaluation.general_score import general_score
from fggm_lab.evaluation.greedy_answers import Answer, AnswerSet, answer_sets
from fggm_lab.evaluation.scores import Evaluation, TaskScore
from fggm_lab.evaluation.too_long import Skipped, fitting_general, fitting_indices
from fggm_lab.fisher.likelihood import check_causal
from fggm_lab.models import example_length
from fggm_lab.models.check import check_language_model
from fggm_lab.models.modes import evaluating
from fggm_lab.runs import Prediction
from fggm_lab.tasks import (
    PASS_AT_1,
    General,
    ScoredSplit,
    Task,
    load_tasks,
)
from fggm_lab.tasks.general import as_general
from fggm_lab.tasks.metrics import check_metrics


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[Task] | Task | str | Path,
    general: General | str | Path | None = None,
    *,
    split: ScoredSplit = "test",
    max_length: int | None = None,
    max_new_tokens: int | Mapping[str, int] | None = None,
    max_prompt: int | None = None,
    batch_size: int = 128,
    autocast: bool = False,
    probe: int | None = None,
    allow_code_execution: bool = False,
    skip_too_long: bool = False,
) -> Evaluation:
    """Score a model on tasks and, if asked, on General, with dropout off.

        lab.evaluate(model, tokenizer, "trace-mini")["FOMC"].score

    General is the mean score over skills (exact match, the same number, a program that passes its
    tests, or the right choice), or the mean held-out loss of texts.

    Args:
        model: a causal language model; it stays as it is.
        tokenizer: the model's.
        tasks: a task sequence, a list of tasks, one task, or what `load_tasks` takes: a shipped
            sequence's name or a folder. An empty list scores General alone.
        general: what General is measured on, or what `load_general` takes. None: not measured.
        split: `test`, or, to choose settings, `eval`.
        max_length: tokens per example; longer prompts are cut from the left and counted
            (`TaskScore.truncated`), all of a task to the same length, that beside its longest right
            answer. None: the model's context, at most 1024, as `run_sequence` has it.
        max_new_tokens: the most tokens of a generated answer, of every task or by task name; None,
            or no number for a task: as many as can matter to its score. An answer whose score is
            not decided by then (by exact match, first character or final number: more text could
            still change it) goes on until it is, so that no such score depends on the limit.
        max_prompt: the most tokens of a task's prompt, which is cut from the left; None: as many as
            `max_length` leaves.
        batch_size: examples per forward pass.
        autocast: matrix products in bfloat16.
        probe: score only the first so many examples of each set, and 40 times as many tokens of a
            text, and be quick about it: exact match is judged without generating, code tasks by
            exact match, and no predictions are kept. For the points along a curve.
        allow_code_execution: score code tasks, and skills with tests, by running what the model
            wrote; else by exact match of the text.
        skip_too_long: leave out examples whose answers, and multiple-choice questions whose
            choices, do not fit into `max_length`, and count them (`TaskScore.skipped`,
            `GeneralScore.skipped`). False: refuse them.

    Returns:
        Each task's scores, General, and every answer to the tasks.

    Raises:
        SettingError: a setting is outside what it may be.
        DataError: a task has no such split, an answer does not fit (with `skip_too_long`, none of
            a set's does), or a name or folder cannot be loaded.
        ModelError: it is no causal language model on one device, or the tokenizer has more
            tokens than the model.
        TrainingError: a likelihood is not a number, so the weights are broken.
    """
    check_language_model(model, tokenizer)
    check_causal(model)
    check_choice("split", split, ScoredSplit)
    check_optional_count("probe", probe)
    tasks = _tasks(tasks)
    general = as_general(general, split)
    for task in tasks:
        if not task.split(split):
            raise DataError(f"task {task.name} has no {split} split; choose another split")
    length = example_length(model, max_length)
    runs_code = allow_code_execution and probe is None
    general_skipped: Skipped = {}
    if general is not None and skip_too_long:
        general, general_skipped = fitting_general(tokenizer, general.limited(probe), length)
    indices: dict[str, Sequence[int]] = {}  # of the examples that are answered
    sets: dict[tuple[str, str], AnswerSet] = {}
    skipped: dict[tuple[str, str], int] = {}
    for task in tasks:
        examples, name = task.split(split)[:probe], ("task", task.name)
        every, where = range(len(examples)), f"task {task.name}"
        fitting = fitting_indices(tokenizer, examples, length, where) if skip_too_long else every
        indices[task.name], skipped[name] = fitting, len(every) - len(fitting)
        sets[name] = AnswerSet(
            [examples[i] for i in fitting],
            _metric(task.metric, runs_code),
            _limit(max_new_tokens, task.name),
            max_prompt,
        )
    if general is not None:
        for skill, examples in general.skills.items():
            metric = _metric(general.metrics.get(skill, "accuracy"), runs_code)
            sets["skill", skill] = AnswerSet(examples[:probe], metric)
    check_metrics(answer_set.metric for answer_set in sets.values())
    with evaluating(model), torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
        answers = answer_sets(
            model,
            tokenizer,
            sets,
            max_length=length,
            batch_size=batch_size,
            probe=probe is not None,
            allow_code_execution=runs_code,
        )
        scores = {name: TaskScore.of(rows, skipped.get(name, 0)) for name, rows in answers.items()}
        if not all(math.isfinite(score.nll) for score in scores.values()):
            raise TrainingError("the likelihood of the answers is not a number")
        measured_general = None
        if general is not None:
            measured_general = general_score(
                model,
                tokenizer,
                general,
                {skill: scores["skill", skill] for skill in general.skills},
                max_length=length,
                batch_size=batch_size,
                probe=probe,
                skipped=sum(general_skipped.values()),
            )
    return Evaluation(
        tasks={task.name: scores["task", task.name] for task in tasks},
        general=measured_general,
        split=split,
        predictions=()
        if probe is not None
        else tuple(
            prediction
            for task in tasks
            for prediction in _predictions(
                task, split, indices[task.name], answers["task", task.name]
            )
        ),
    )


def _tasks(tasks: Sequence[Task] | Task | str | Path) -> Sequence[Task]:
    """The tasks that are meant."""
    if isinstance(tasks, str | Path):
        return load_tasks(tasks, allow_missing=True)
    return [tasks] if isinstance(tasks, Task) else tasks


def _metric(metric: str, runs_code: bool) -> str:
    """What a set with this metric is scored by."""
    return "accuracy" if metric == PASS_AT_1 and not runs_code else metric


def _limit(max_new_tokens: int | Mapping[str, int] | None, task: str) -> int | None:
    """The most tokens of an answer to a task, if they are limited."""
    return max_new_tokens.get(task) if isinstance(max_new_tokens, Mapping) else max_new_tokens


def _predictions(
    task: Task, split: str, indices: Sequence[int], answers: Sequence[Answer]
) -> list[Prediction]:
    """A task's answers as a run keeps them; the run knows after which task they were given."""
    examples = task.split(split)
    return [
        Prediction(
            None, task.name, split, i, examples[i].prompt, examples[i].answer,
            answer.prediction or "", answer.score, answer.exact, answer.nll, answer.tokens,
        )
        for i, answer in zip(indices, answers, strict=True)
    ]  # fmt: skip
