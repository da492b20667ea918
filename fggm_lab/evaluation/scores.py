"""What scoring a model gives: each task's scores, General, and the single answers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fggm_lab.errors import SettingError, nearest
from fggm_lab.evaluation.greedy_answers import Answer
from fggm_lab.html_table import html_table
from fggm_lab.runs import Prediction


@dataclass(frozen=True)
class TaskScore:
    """How well one set of examples is answered.

    Attributes:
        score: mean of the task's own metric over greedy answers, 0 to 1.
        exact: share of answers that are right token by token.
        nll: negative log-likelihood of the right answers, nats per token.
        examples: how many were scored.
        empty: how many greedy answers were empty, or white space; each scores 0.
        truncated: how many prompts were cut from the left to fit.
        skipped: how many further examples were left out, since their answers do not fit.
    """

    score: float
    exact: float
    nll: float
    examples: int
    empty: int
    truncated: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, answers: Sequence[Answer], skipped: int = 0) -> "TaskScore":
        """The mean over one or more answers, beside examples that were skipped."""
        return cls(
            score=sum(answer.score for answer in answers) / len(answers),
            exact=sum(answer.exact for answer in answers) / len(answers),
            nll=sum(answer.nll for answer in answers) / sum(answer.tokens for answer in answers),
            examples=len(answers),
            empty=sum(a.prediction is not None and not a.prediction.strip() for a in answers),
            truncated=sum(answer.truncated for answer in answers),
            skipped=skipped,
        )


@dataclass(frozen=True)
class GeneralScore:
    """A model's general ability.

    Attributes:
        score: mean score over the skills, 0 to 1; for texts their mean loss, nats per token.
        skills: skill → its score, 0 to 1; of several texts, text → its loss; empty for one.
        truncated: how many prompts were cut from the left to fit, of all skills together.
        skipped: how many further examples and questions were left out, since they do not fit.
    """

    score: float
    skills: dict[str, float]
    truncated: int = 0
    skipped: int = 0


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well a model answers tasks, and its general ability; `evaluation["FOMC"]` is one task.

    Attributes:
        tasks: task → its scores.
        general: General; None if it was not measured.
        split: which examples were scored, `test` or `eval`.
        predictions: every answer to the tasks, one by one; empty for a probe.
    """

    tasks: dict[str, TaskScore]
    general: GeneralScore | None
    split: str
    predictions: tuple[Prediction, ...] = ()

    def __getitem__(self, task: str) -> TaskScore:
        """The scores on one task.

        Args:
            task: its name.

        Returns:
            Its scores.

        Raises:
            SettingError: no task of that name was scored.
        """
        if task not in self.tasks:
            raise SettingError(
                f"no task named '{task}' was scored; there are: {', '.join(self.tasks)}"
                f"{nearest(task, list(self.tasks))}"
            )
        return self.tasks[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def mean(self) -> float | None:
        """The mean score over tasks, from 0 to 1; None without any task."""
        if not self.tasks:
            return None
        return sum(task.score for task in self.tasks.values()) / len(self.tasks)

    def to_json(self) -> dict[str, Any]:
        """The scores as JSON-able values, as a run's `evaluation` events have them.

        Returns:
            `{"tasks": {name: {"score", "exact", "nll", "examples", "empty",
            "truncated", "skipped"}}, "general": {"score", "skills", "truncated", "skipped"} |
            None}`.
        """
        return {
            "tasks": {name: asdict(score) for name, score in self.tasks.items()},
            "general": None if self.general is None else asdict(self.general),
        }

    def __repr__(self) -> str:
        parts = [f"{name} {task.score:.3f}" for name, task in list(self.tasks.items())[:8]]
        parts += [f"… {len(self.tasks) - 8} more"] if len(self.tasks) > 8 else []
        parts += [] if self.general is None else [f"General {self.general.score:.3f}"]
        sets: list[TaskScore | GeneralScore] = [*self.tasks.values()]
        sets += [] if self.general is None else [self.general]
        if cut := sum(scores.truncated for scores in sets):
            parts.append(f"{cut} prompts cut")
        if skipped := sum(scores.skipped for scores in sets):
            parts.append(f"{skipped} skipped")
        return f"Evaluation({self.split}: {', '.join(parts) or 'nothing scored'})"

    def _repr_html_(self) -> str:
        rows: list[list[object]] = [
            [name, task.score, task.exact, task.nll, task.examples, task.empty, task.truncated]
            for name, task in self.tasks.items()
        ]
        if len(self.tasks) > 1:
            rows.append(["mean", self.mean, None, None, None, None, None])
        if self.general is not None:
            rows += [
                [f"General: {name}", score, None, None, None, None, None]
                for name, score in self.general.skills.items()
            ]
            cut = self.general.truncated
            rows.append(["General", self.general.score, None, None, None, None, cut])
        columns = [
            "task",
            "score",
            "exact",
            "nats per token",
            "examples",
            "empty answers",
            "cut prompts",
        ]
        return html_table(f"Scores on the {self.split} split", columns, rows)
