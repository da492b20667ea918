"""An exercise: its check, how hard it is, hints in steps, and last its solution."""

import re
from collections.abc import Callable
from functools import update_wrapper
from typing import Generic

from typing_extensions import ParamSpec

from fggm_lab.course.progress import record_hints, record_try
from fggm_lab.files import read_json
from fggm_lab.tasks.shipped import notebooks_folder

Answer = ParamSpec("Answer")
"""What a check is given: an answer, sometimes more."""

LEVELS = 3
"""The highest level of difficulty."""


class Hint(str):
    """A text that a notebook renders and a terminal prints as it is."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return str(self)


class Exercise(Generic[Answer]):
    """The self-check of one exercise: called with an answer it says in a sentence what is wrong.

    Attributes:
        key: notebook and letter, such as `00a`; progress is recorded under it.
        notebook: the notebook's number, such as `00`.
        letter: the exercise's letter in its notebook.
        title: what it asks for, in a few words.
        level: its difficulty, from 1 to `LEVELS`.
        minutes: about how long it takes.
        hints: help that grows from one to the next; a solution is none of them.
        subject: the class whose instance is the answer; None: whatever the check is given.
    """

    def __init__(
        self,
        check: Callable[Answer, str],
        key: str,
        title: str,
        level: int,
        minutes: int,
        hints: tuple[str, ...],
        subject: str | None,
    ) -> None:
        """No hint is shown yet.

        Args:
            check: tries an answer, returns a sentence.
            key: notebook and letter, such as `00a`.
            title: what it asks for.
            level: its difficulty, from 1 to `LEVELS`.
            minutes: about how long it takes.
            hints: in the order of growing help.
            subject: the class whose instance is the answer; None: whatever the check is given.
        """
        update_wrapper(self, check)
        self._check = check
        self.key, self.notebook, self.letter = key, key[:-1], key[-1]
        self.title, self.level, self.minutes, self.hints = title, level, minutes, hints
        self.subject = subject
        self._shown = 0

    def __call__(self, *answer: Answer.args, **options: Answer.kwargs) -> str:
        """Try an answer, and record the try where a reader's progress is recorded."""
        sentence = ""
        try:
            sentence = self._check(*answer, **options)
        finally:  # an answer that raises is a try, too
            if self.subject in (None, *(type(value).__name__ for value in answer)):
                record_try(self.key, passed(sentence), sentence)
        return sentence

    @property
    def name(self) -> str:
        """The check's name, as a notebook imports it."""
        return self._check.__name__

    @property
    def call(self) -> str:
        """How a notebook's cell that tries an answer calls the check, up to the answer."""
        return f"{self.name}({self.subject or ''}"

    @property
    def mark(self) -> str:
        """Difficulty, time and the way to a hint, as a notebook shows them after the heading."""
        points = "●" * self.level + "○" * (LEVELS - self.level)
        return f"({points} {self.minutes} min · `{self.name}.hint()`)"

    def hint(self) -> Hint:
        """The next step of help; after the last hint a solution, folded in a notebook.

        Returns:
            a hint, or the solution as the notebook has it.
        """
        step = min(self._shown, len(self.hints))
        self._shown = step + 1
        record_hints(self.key, self._shown)
        if step == len(self.hints):
            return Hint(self.solution())
        more = "a further hint" if step + 1 < len(self.hints) else "a solution"
        return Hint(
            f"Hint {step + 1} of {len(self.hints)}: {self.hints[step]} ({self.name}.hint() once "
            f"more: {more}.)"
        )

    def solution(self) -> str:
        """The solution that is folded away in the lab's own copy of the notebook.

        Returns:
            Markdown, with the fold.

        Raises:
            DataError: the notebooks were deleted from the package.
        """
        (path,) = notebooks_folder().glob(f"{self.notebook}_*.ipynb")
        cells = read_json(path)["cells"]
        prose = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        after = prose.partition(f"**Exercise {self.letter}")[2]
        fold = re.search(r"<details>.+?</details>", after, re.S)
        return fold[0] if fold else ""


def passed(sentence: str) -> bool:
    """Whether a check's sentence, or each of its lines, says that the answer is right."""
    return bool(sentence) and "Not yet" not in sentence


def exercise(
    key: str,
    title: str,
    *,
    level: int,
    minutes: int,
    hints: tuple[str, ...],
    subject: str | None = None,
) -> Callable[[Callable[Answer, str]], Exercise[Answer]]:
    """Make a check the self-check of an exercise.

    Args:
        key: notebook and letter, such as `00a`.
        title: what the exercise asks for, in a few words.
        level: its difficulty, from 1 to `LEVELS`.
        minutes: about how long it takes.
        hints: two or three, in the order of growing help.
        subject: the class whose instance is the answer; None: whatever the check is given.

    Returns:
        A decorator of the check.
    """

    def decorate(check: Callable[Answer, str]) -> Exercise[Answer]:
        return Exercise(check, key, title, level, minutes, hints, subject)

    return decorate
