"""Scoring a model: its own metric, the strict match and the likelihood of every task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, TrainingError
from fggm_lab.evaluation.answers import Answer, Key, answer_sets, teacher_forced
from fggm_lab.evaluation.choices import choice_accuracy
from fggm_lab.models.encoding import Encoded
from fggm_lab.runs import Prediction
from fggm_lab.tasks import PASS_AT_1, Example, General, Task


@dataclass(frozen=True)
class TaskScore:
    """How well one set of examples is answered.

    Attributes:
        score: mean of the task's own metric over greedy answers, 0 to 1.
        exact: share of answers that are right token by token.
        nll: negative log-likelihood of the right answers, nats per token.
        examples: how many were scored.
        empty: how many greedy answers were empty, or white space; each scores 0.
    """

    score: float
    exact: float
    nll: float
    examples: int
    empty: int

    @classmethod
    def of(cls, answers: Sequence[Answer]) -> "TaskScore":
        """The mean over some answers."""
        return cls(
            score=sum(one.score for one in answers) / len(answers),
            exact=sum(one.exact for one in answers) / len(answers),
            nll=sum(one.nll for one in answers) / sum(one.tokens for one in answers),
            examples=len(answers),
            empty=sum(one.prediction is not None and not one.prediction.strip() for one in answers),
        )


def score_sets(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sets: Mapping[Key, tuple[Sequence[Example], str]],
    *,
    max_length: int,
    max_new_tokens: Mapping[Key, int] | None = None,
    batch_size: int = 64,
    sample: bool = False,
) -> dict[Key, TaskScore]:
    """Score greedy answers to several sets of examples at once; arguments as in `answer_sets`."""
    answers = answer_sets(
        model,
        tokenizer,
        sets,
        max_length=max_length,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        sample=sample,
    )
    return {name: TaskScore.of(rows) for name, rows in answers.items()}


@torch.no_grad()
def text_loss(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    max_length: int,
    batch_size: int = 16,
    max_tokens: int | None = None,
) -> float:
    """Held-out loss of a text, nats per token, in windows of at most `max_length` tokens.

    Raises:
        DataError: the text has fewer than two tokens.
    """
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"][:max_tokens]
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    size = max_length - len(begin)
    windows = [begin + ids[i : i + size] for i in range(0, len(ids), size)]
    windows = [window for window in windows if len(window) > 1]
    if not windows:
        raise DataError("the text for General has fewer than two tokens; give a longer text")
    # The first token of a window is given, every later one is predicted.
    items = [Encoded(tuple(window[:1]), tuple(window[1:]), False) for window in windows]
    _, nll = teacher_forced(model, items, tokenizer.pad_token_id, batch_size)
    return sum(nll) / sum(len(item.answer) for item in items)


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[Task],
    general: General | None,
    *,
    split: str,
    max_length: int,
    max_new_tokens: int | Mapping[str, int] | None = None,
    batch_size: int = 128,
    autocast: bool = False,
    sample: int | None = None,
    kept: list[Prediction] | None = None,
    allow_code_execution: bool = False,
) -> dict[str, Any]:
    """Score all `tasks` and General with dropout off.

    General is the mean score over skills (exact match, the same number, a program that passes its
    tests, or the right choice), or the held-out loss of a text.

    Args:
        split: `test` or `eval`.
        max_new_tokens: the most tokens of a generated answer, of every task or by task name; None,
            or no number for a task: as many as can matter to its score.
        autocast: matrix products in bfloat16.
        sample: score only the first so many examples of each set, and 40 times as many tokens of
            a text (for the points along a curve).
        kept: gets every task's answers, example by example; not with `sample`.
        allow_code_execution: score code tasks, and skills with tests, by running what the model
            wrote; else, and with `sample`, by exact match of the text.

    Returns:
        `{"tasks": {name: {"score", "exact", "nll", "examples", "empty"}},
        "general": {"score", "skills"} | None}`.

    Raises:
        TrainingError: a likelihood is not a number, so the weights are broken.
    """
    runs_code = allow_code_execution and sample is None
    sets = {
        ("task", task.name): (task.split(split)[:sample], _metric(task.metric, runs_code))
        for task in tasks
    }
    most = max_new_tokens or {}
    limits = {
        ("task", task.name): most if isinstance(most, int) else most[task.name]
        for task in tasks
        if isinstance(most, int) or task.name in most
    }
    if general is not None:
        for name, examples in general.skills.items():
            metric = general.metrics.get(name, "accuracy")
            sets["skill", name] = (examples[:sample], _metric(metric, runs_code))
    training = model.training
    model.eval()
    ability: dict[str, Any] | None = None
    chosen: dict[str, float] = {}
    try:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
            answers = answer_sets(
                model,
                tokenizer,
                sets,
                max_length=max_length,
                max_new_tokens=limits,
                batch_size=batch_size,
                sample=sample is not None,
                allow_code_execution=runs_code,
            )
            if general is not None and general.text is not None:
                tokens = None if sample is None else 40 * sample
                loss = text_loss(
                    model, tokenizer, general.text, max_length=max_length, max_tokens=tokens
                )
                ability = {"score": loss, "skills": {}}
            elif general is not None:
                chosen = choice_accuracy(
                    model,
                    tokenizer,
                    {name: questions[:sample] for name, questions in general.choices.items()},
                    general.choose,
                    max_length=max_length,
                    batch_size=batch_size,
                )
    finally:
        model.train(training)
    scores = {name: TaskScore.of(rows) for name, rows in answers.items()}
    if general is not None and general.text is None:
        skills = {name: scores["skill", name].score for name in general.skills} | chosen
        ability = {"score": sum(skills.values()) / len(skills), "skills": skills}
    if not all(math.isfinite(score.nll) for score in scores.values()):
        raise TrainingError("the likelihood of the answers is not a number")
    if kept is not None:
        for task in tasks:
            kept += _predictions(task, split, answers["task", task.name])
    named = {name: asdict(score) for (kind, name), score in scores.items() if kind == "task"}
    return {"tasks": named, "general": ability}


def _metric(metric: str, runs_code: bool) -> str:
    """What a set with this metric is scored by."""
    return "accuracy" if metric == PASS_AT_1 and not runs_code else metric


def _predictions(task: Task, split: str, answers: Sequence[Answer]) -> list[Prediction]:
    """A task's answers as a run keeps them; the run knows after which task they were given."""
    return [
        Prediction(
            None, task.name, split, i, example.prompt, example.answer, one.prediction or "",
            one.score, one.exact, one.nll, one.tokens,
        )
        for i, (example, one) in enumerate(zip(task.split(split), answers, strict=True))
    ]  # fmt: skip
