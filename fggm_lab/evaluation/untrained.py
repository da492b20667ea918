"""What a model scores on tasks before it learns them, beside what a constant answer scores."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.evaluation.evaluate import evaluate
from fggm_lab.evaluation.too_long import fitting_tasks
from fggm_lab.models import example_length
from fggm_lab.tasks import PASS_AT_1, ScoredSplit, Task, TaskSequence, score

_ANSWERS = 5
"""How many of the most frequent training answers are tried as a constant answer."""


@dataclass(frozen=True)
class UntrainedScore:
    """A task's score before it is learned.

    Attributes:
        task: its name.
        score: of the model, 0 to 1.
        constant: of the best constant answer, one of the most frequent of the training split.
        examples: how many were scored, by the model and by the constant answer.
        truncated: how many of their prompts were cut from the left to fit.
        skipped: how many further examples were left out, since their answers do not fit.
    """

    task: str
    score: float
    constant: float
    examples: int
    truncated: int = 0
    skipped: int = 0

    @property
    def is_known(self) -> bool:
        """Whether the model scores above a constant answer by more than two standard errors."""
        error = (self.score * (1 - self.score) / self.examples) ** 0.5
        return self.score - self.constant > 2 * error

    def warning(self) -> str | None:
        """What there is to say of a task that is known before it is learned; None of others."""
        if not self.is_known:
            return None
        return (
            f"{self.task}: the model scores {self.score:.2f} before it has learned the task, where "
            f"a constant answer scores {self.constant:.2f}; there is less to learn, and to forget"
        )


def untrained_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    *,
    examples: int = 40,
    max_new_tokens: int | Mapping[str, int] | None = None,
) -> list[UntrainedScore]:
    """Score a model on tasks that it has not learned.

    Args:
        model: a causal language model; it stays as it is.
        tokenizer: the model's.
        tasks: as it would read them (`TaskSequence.as_conversations`).
        examples: of each task's eval split, or its test split where it has none, the first ones.
        max_new_tokens: as `evaluate` has it.

    Returns:
        A score for each task, in order.

    Raises:
        SettingError: `examples` is below 1.
        LabError: as `evaluate` does.
    """
    check_count("examples", examples)
    scores = []
    for task in tasks:
        split: ScoredSplit = "eval" if task.eval else "test"
        limited = TaskSequence([task.limited(examples, [split])], tasks.source)
        [fitting], skipped = fitting_tasks(tokenizer, limited, [split], example_length(model))
        measured = evaluate(model, tokenizer, fitting, split=split, max_new_tokens=max_new_tokens)[
            task.name
        ]
        scores.append(
            UntrainedScore(
                task=task.name,
                score=measured.score,
                constant=constant_score(fitting, split),
                examples=measured.examples,
                truncated=measured.truncated,
                skipped=sum(skipped.get(task.name, {}).values()),
            )
        )
    return scores


def constant_score(task: Task, split: ScoredSplit) -> float:
    """The best score that one answer to everything gets, of the most frequent training answers.

    Args:
        task: with a training split.
        split: which examples are answered.

    Returns:
        The mean score, 0 to 1; 0 of a code task, whose programs are not run for it.
    """
    if task.metric == PASS_AT_1:
        return 0.0
    answers: Sequence[str] = [
        answer for answer, _ in Counter(e.answer for e in task.train).most_common(_ANSWERS)
    ]
    scored = task.split(split)
    return max(
        sum(score(task.metric, e.prompt, answer, e.answer) for e in scored) / len(scored)
        for answer in answers
    )
