"""What a task is: examples in three splits, a metric, a place in a sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from fggm_lab.errors import DataError, SettingError

SPLITS = ("train", "eval", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """One prompt and the answer the model must learn to give.

    Attributes:
        prompt, answer: the two texts; of a code task, the program's beginning and its rest.
        test: of a code task, the Python statements that check the program; else empty.
    """

    prompt: str
    answer: str
    test: str = ""


@dataclass(frozen=True)
class Task:
    """A named set of examples with the metric that scores answers to it.

    Attributes:
        name: the task's name; TRACE's own names carry TRACE's metrics.
        train, eval, test: the three splits; `eval` chooses settings, `test` only reports.
        metric: a key of `fggm_lab.tasks.metrics.METRICS`, or `pass_at_1` of a code task, whose
            examples have tests.
    """

    name: str
    train: tuple[Example, ...]
    eval: tuple[Example, ...]
    test: tuple[Example, ...]
    metric: str = "accuracy"

    def split(self, name: str) -> tuple[Example, ...]:
        """The examples of split `name`.

        Raises:
            SettingError: no split has that name.
        """
        if name not in SPLITS:
            raise SettingError(f"no split is named '{name}'; choose train, eval or test")
        found: tuple[Example, ...] = getattr(self, name)
        return found

    def limited(self, limit: int | None, splits: Sequence[str] = SPLITS) -> "Task":
        """The same task with at most `limit` examples (the first ones) in each of `splits`."""
        if limit is None:
            return self
        if limit < 1:
            raise SettingError(f"limit is {limit}; it must be 1 or more examples per split")
        cut = {name: self.split(name)[:limit] for name in splits}
        return replace(self, **cut)  # type: ignore[arg-type]


class TaskSequence(Sequence[Task]):
    """Tasks in the order they are learned; indexed by position or by name."""

    def __init__(self, tasks: Sequence[Task], source: str) -> None:
        """Args:
        tasks: at least one task, names all different.
        source: where they came from (a shipped name or a folder), for the record.
        """
        names = [task.name for task in tasks]
        if not names:
            raise DataError(f"{source} holds no task; a task is a folder with a train.json")
        if len(set(names)) != len(names):
            raise DataError(f"{source} names a task twice: {', '.join(names)}; name each once")
        self._tasks = tuple(tasks)
        self.source = source

    @property
    def names(self) -> list[str]:
        """The tasks' names, in order."""
        return [task.name for task in self._tasks]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)

    @overload
    def __getitem__(self, key: int | str) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> "TaskSequence": ...
    def __getitem__(self, key: int | str | slice) -> "Task | TaskSequence":
        """The task at a position or of a name, or the part of the sequence a slice names.

        Raises:
            DataError: no task has that name.
        """
        if isinstance(key, str):
            for task in self._tasks:
                if task.name == key:
                    return task
            raise DataError(
                f"no task is named '{key}' in {self.source}; there are: {', '.join(self.names)}"
            )
        if isinstance(key, slice):
            return TaskSequence(self._tasks[key], self.source)
        return self._tasks[key]

    def limited(self, limit: int | None, splits: Sequence[str] = SPLITS) -> "TaskSequence":
        """The same sequence with at most `limit` examples in each of `splits` of every task."""
        return TaskSequence([task.limited(limit, splits) for task in self._tasks], self.source)

    def __repr__(self) -> str:
        parts = ", ".join(f"{task.name} ({len(task.train)})" for task in self._tasks)
        return f"TaskSequence[{parts}]"
