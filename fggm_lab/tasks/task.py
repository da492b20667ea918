"""What a task is: examples in three splits, a metric, a position in a sequence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from reprlib import Repr
from typing import Literal, get_args, overload

from fggm_lab.checks import check_count
from fggm_lab.errors import DataError, SettingError, nearest, shortened
from fggm_lab.html_table import html_table, plain_lines
from fggm_lab.tasks.chat import ChatPrompt

Split = Literal["train", "eval", "test"]
"""The name of a split."""

ScoredSplit = Literal["eval", "test"]
"""The splits that a model is scored on: `eval` to choose settings, `test` only to report."""

SPLITS: tuple[Split, ...] = get_args(Split)

LONGEST_NAME = 200
"""The most bytes of a task's name: file names may have 255, and a run's begin with the task's
place and end with a step, a suffix and the mark of an unfinished file."""

_SHORT = Repr()
_SHORT.maxstring = 80  # a longer text loses its middle


@dataclass(frozen=True, slots=True, repr=False)
class Example:
    """One prompt and the answer the model must learn to give.

    Attributes:
        prompt: what the model reads; of a code task, the program's beginning.
        answer: what it shall write; of a code task, the program's rest.
        test: of a code task, the Python statements that check the program; else empty.
    """

    prompt: str
    answer: str
    test: str = ""

    def __repr__(self) -> str:
        parts = [f"prompt={_SHORT.repr(self.prompt)}", f"answer={_SHORT.repr(self.answer)}"]
        parts += [f"test={_SHORT.repr(self.test)}"] if self.test else []
        return f"Example({', '.join(parts)})"


@dataclass(frozen=True, repr=False)
class Task:
    """A named set of examples with the metric that scores answers to it.

    Attributes:
        name: the task's name; TRACE's own names carry TRACE's metrics.
        train: the examples to learn from.
        eval: the examples that settings are chosen on; may be empty.
        test: the examples that results are reported on.
        metric: a key of `fggm_lab.tasks.METRICS`, or `pass_at_1` of a code task, whose examples
            have tests.

    Raises:
        DataError: the name is not UTF-8, or longer than a file's name may be.
    """

    name: str
    train: tuple[Example, ...]
    eval: tuple[Example, ...] = ()
    test: tuple[Example, ...] = ()
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        _check_name(self.name)

    def split(self, name: str) -> tuple[Example, ...]:
        """The examples of a split.

        Args:
            name: `train`, `eval` or `test`.

        Returns:
            The examples, in order.

        Raises:
            SettingError: no split has that name.
        """
        if name not in SPLITS:
            raise SettingError(f"no split is named '{name}'; choose train, eval or test")
        examples: tuple[Example, ...] = getattr(self, name)
        return examples

    def limited(self, limit: int | None, splits: Sequence[Split] = SPLITS) -> "Task":
        """The same task with fewer examples.

        Args:
            limit: keep at most so many examples, the first ones (None: all).
            splits: of which splits.

        Returns:
            A task of the same name and metric.

        Raises:
            SettingError: `limit` is below 1.
        """
        if limit is None:
            return self
        check_count("limit", limit)
        shortened = {name: self.split(name)[:limit] for name in splits}
        return replace(self, **shortened)  # type: ignore[arg-type]

    def as_conversations(self) -> "Task":
        """The same task with every prompt as a user's message, for models that were made for chats.

        Returns:
            A task of the same name and metric; prompts that are conversations stay as they are.

        Raises:
            SettingError: it is a code task, whose prompt is the beginning of a program.
        """
        if any(example.test for name in SPLITS for example in self.split(name)):
            raise SettingError(
                f"{self.name} is a code task, whose prompts are beginnings of programs and no "
                "messages; leave out --chat"
            )
        talks = {name: tuple(map(_as_conversation, self.split(name))) for name in SPLITS}
        return replace(self, **talks)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.split(name))} {name}" for name in SPLITS)
        return f"Task({self.name!r}, {counts}, {self.metric})"

    def _repr_html_(self) -> str:
        counts = ", ".join(f"{len(self.split(name))} {name}" for name in SPLITS)
        return html_table(
            f"Task {self.name}: {counts} examples, scored by {self.metric}",
            ["train", "prompt", "answer"],
            [
                [index, _SHORT.repr(example.prompt), _SHORT.repr(example.answer)]
                for index, example in enumerate(self.train)
            ],
            limit=3,
        )


def _check_name(name: str) -> None:
    """Refuse a name that the files of a run cannot have."""
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        raise DataError(
            f"the task name '{shortened(name)}' is not UTF-8, as a run's files need it; rename "
            "the task's folder"
        ) from None
    if size > LONGEST_NAME:
        raise DataError(
            f"the task name '{shortened(name, 60)}' has {size} bytes, and a run's files are named "
            f"by it; rename the task to {LONGEST_NAME} bytes or fewer"
        )


def _as_conversation(example: Example) -> Example:
    if isinstance(example.prompt, ChatPrompt):
        return example
    return replace(example, prompt=ChatPrompt([("user", example.prompt)]))


class TaskSequence(Sequence[Task]):
    """Tasks in the order they are learned; indexed by position or by name.

    Args:
        tasks: at least one task, names all different.
        source: where they came from (a shipped name or a folder), for the record.

    Raises:
        DataError: there is no task, or two have the same name.
    """

    def __init__(self, tasks: Sequence[Task], source: str) -> None:
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

    def __contains__(self, task: object) -> bool:
        """Whether a task, or a task of a name, is in the sequence."""
        return task in self.names if isinstance(task, str) else task in self._tasks

    @overload
    def __getitem__(self, key: int | str) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> "TaskSequence": ...
    def __getitem__(self, key: int | str | slice) -> "Task | TaskSequence":
        """The task at a position or of a name, or the part of the sequence a slice names.

        Args:
            key: a position from 0, a name, or a slice of positions.

        Returns:
            One task, or for a slice a sequence.

        Raises:
            DataError: no task has that name.
        """
        if isinstance(key, str):
            for task in self._tasks:
                if task.name == key:
                    return task
            raise DataError(
                f"no task is named '{key}' in {self.source}; there are: {', '.join(self.names)}"
                f"{nearest(key, self.names)}"
            )
        if isinstance(key, slice):
            return TaskSequence(self._tasks[key], self.source)
        return self._tasks[key]

    def limited(self, limit: int | None, splits: Sequence[Split] = SPLITS) -> "TaskSequence":
        """The same sequence with at most `limit` examples in each of `splits` of every task."""
        return TaskSequence([task.limited(limit, splits) for task in self._tasks], self.source)

    def as_conversations(self) -> "TaskSequence":
        """The same sequence with every task's `as_conversations`."""
        return TaskSequence([task.as_conversations() for task in self._tasks], self.source)

    def __repr__(self) -> str:
        parts = ", ".join(f"{task.name} ({len(task.train)})" for task in self._tasks)
        return plain_lines(f"TaskSequence[{parts}]")

    def _repr_html_(self) -> str:
        return html_table(
            f"{len(self)} tasks of {self.source}, in the order they are learned",
            ["task", *SPLITS, "metric"],
            [
                [task.name, *(len(task.split(name)) for name in SPLITS), task.metric]
                for task in self._tasks
            ],
        )
