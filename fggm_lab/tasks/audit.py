"""Auditing a task sequence for what would spoil its scores: repetitions, leaks, empty texts."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from fggm_lab.tasks.task import SPLITS, Example, Task, TaskSequence


@dataclass(frozen=True)
class TaskAudit:
    """What was found in one task; counts are keyed by split.

    Attributes:
        examples: how many there are.
        empty_prompts, empty_answers: examples whose text is empty or white space.
        duplicate_prompts: examples whose prompt already stood earlier in the same split.
        conflicting_answers: distinct prompts that are given more than one answer in that split;
            under `all`, anywhere in the task.
        shared_prompts: distinct prompts in both of two splits, keyed `train/eval`, `train/test`,
            `eval/test`.
        eval_is_test: eval and test hold the same examples, whatever their order.
    """

    examples: dict[str, int]
    empty_prompts: dict[str, int]
    empty_answers: dict[str, int]
    duplicate_prompts: dict[str, int]
    conflicting_answers: dict[str, int]
    shared_prompts: dict[str, int]
    eval_is_test: bool

    def warnings(self, task: str) -> list[str]:
        """One sentence per finding; empty where nothing was found."""
        warnings = []
        for split in SPLITS:
            total = self.examples[split]
            if count := self.duplicate_prompts[split]:
                warnings.append(
                    f"{task}: {count} of {total} {split} examples repeat an earlier prompt of that "
                    "split; they count more than once"
                )
            if count := self.empty_prompts[split]:
                warnings.append(f"{task}: {count} of {total} {split} examples have an empty prompt")
            if count := self.empty_answers[split]:
                warnings.append(
                    f"{task}: {count} of {total} {split} examples have an empty answer; they teach "
                    "silence, and no prediction can score on them"
                )
        if self.eval_is_test:
            warnings.append(
                f"{task}: eval and test hold the same {self.examples['test']} examples; settings "
                "chosen on eval are chosen on test"
            )
        for pair, count in self.shared_prompts.items():
            if count and not (pair == "eval/test" and self.eval_is_test):
                first, second = pair.split("/")
                warnings.append(
                    f"{task}: {count} prompts are in both {first} and {second}; the {second} score "
                    "partly measures memory"
                )
        if count := self.conflicting_answers["all"]:
            warnings.append(
                f"{task}: {count} prompts are given different answers in different examples; no "
                "model can get all of them right"
            )
        return warnings


@dataclass(frozen=True)
class Audit:
    """What was found in a task sequence.

    Attributes:
        source: where the sequence came from.
        tasks: the findings by task name.
    """

    source: str
    tasks: dict[str, TaskAudit]

    def warnings(self) -> list[str]:
        """One sentence with counts per finding, in the tasks' order."""
        return [line for name, task in self.tasks.items() for line in task.warnings(name)]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.warnings()

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able values: source, clean, warnings, and the counts per task."""
        return {"clean": self.clean, "warnings": self.warnings(), **asdict(self)}


def audit(tasks: TaskSequence | Iterable[Task]) -> Audit:
    """Count duplicates, leaks between splits, contradictions and empty texts.

    Prompts are compared exactly, character by character. Time and memory grow linearly with the
    examples.

    Args:
        tasks: a task sequence, or tasks.

    Returns:
        The counts of each task.
    """
    source = tasks.source if isinstance(tasks, TaskSequence) else ""
    return Audit(source, {task.name: _audit_task(task) for task in tasks})


def _audit_task(task: Task) -> TaskAudit:
    splits = {name: task.split(name) for name in SPLITS}
    prompts = {name: {e.prompt for e in examples} for name, examples in splits.items()}
    everything = [example for examples in splits.values() for example in examples]
    return TaskAudit(
        examples={name: len(examples) for name, examples in splits.items()},
        empty_prompts={n: sum(not e.prompt.strip() for e in ex) for n, ex in splits.items()},
        empty_answers={n: sum(not e.answer.strip() for e in ex) for n, ex in splits.items()},
        duplicate_prompts={n: len(ex) - len(prompts[n]) for n, ex in splits.items()},
        conflicting_answers={
            **{name: _contradictions(examples) for name, examples in splits.items()},
            "all": _contradictions(everything),
        },
        shared_prompts={
            f"{first}/{second}": len(prompts[first] & prompts[second])
            for first, second in combinations(SPLITS, 2)
        },
        eval_is_test=bool(task.eval) and Counter(task.eval) == Counter(task.test),
    )


def _contradictions(examples: Sequence[Example]) -> int:
    """How many distinct prompts have more than one distinct answer."""
    answers = Counter(example.prompt for example in set(examples))
    return sum(count > 1 for count in answers.values())
