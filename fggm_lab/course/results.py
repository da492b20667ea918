"""Results of exercises, of one student or several, as a table for a page, a terminal or a file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fggm_lab.course.exercises import all_exercises
from fggm_lab.course.folder import copy_around
from fggm_lab.course.progress import FILE, ExerciseProgress, progress_file, read_progress
from fggm_lab.errors import DataError
from fggm_lab.html_table import html_table


@dataclass(frozen=True)
class ExerciseResult:
    """How one student did one exercise.

    Attributes:
        student: the name of their folder.
        notebook: the notebook's number, such as `00`.
        exercise: the exercise's letter.
        title: what it asks for.
        level: its difficulty, from 1 to 3.
        passed: whether an answer was right.
        time: when it was first right, in ISO 8601 and UTC; None if it was not, or is not known.
        tries: answers that were checked; None if that is not known.
        hints: steps of help that were asked for; None if that is not known.
        sentence: what the check said last.
    """

    student: str
    notebook: str
    exercise: str
    title: str
    level: int
    passed: bool
    time: str | None
    tries: int | None
    hints: int | None
    sentence: str


class CourseResults(Sequence[ExerciseResult]):
    """The results of students, a row for each exercise; it shows itself as a table by notebook."""

    def __init__(self, results: Iterable[ExerciseResult]) -> None:
        """Results as they are.

        Args:
            results: student by student, each in the course's order.
        """
        self._results = tuple(results)

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: Any) -> Any:
        return self._results[index]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each student and exercise, for `fggm_lab.tables.to_csv` and `to_json`."""
        return [asdict(result) for result in self._results]

    @property
    def students(self) -> list[str]:
        """The names, in the order of the results."""
        return list(dict.fromkeys(result.student for result in self._results))

    @property
    def notebooks(self) -> list[str]:
        """The numbers of the notebooks that there are results of."""
        return sorted({result.notebook for result in self._results})

    def right(self, student: str, notebook: str | None = None) -> tuple[int, int]:
        """How many exercises are right, and of how many.

        Args:
            student: whose.
            notebook: only those of this one.

        Returns:
            right ones, and all.
        """
        chosen = [
            result.passed
            for result in self._results
            if result.student == student and notebook in (None, result.notebook)
        ]
        return sum(chosen), len(chosen)

    def by_notebook(self) -> list[list[str]]:
        """A row for each student: the name, `right/all` for each notebook, and over all."""
        return [
            [student, *(self._share(student, number) for number in (*self.notebooks, None))]
            for student in self.students
        ]

    def _share(self, student: str, notebook: str | None) -> str:
        right, every = self.right(student, notebook)
        return f"{right}/{every}" if every else "–"

    def words(self) -> str:
        """A sentence for each student, with the exercise that comes next."""
        return "\n".join(self._sentence(student) for student in self.students)

    def _sentence(self, student: str) -> str:
        right, every = self.right(student)
        open_ = [r for r in self._results if r.student == student and not r.passed]
        then = f"; next: {open_[0].notebook} {open_[0].exercise}, {open_[0].title}" if open_ else ""
        return f"{student}: {right} of {every} exercises right{then}"

    def __repr__(self) -> str:
        return self.words() or "no results"

    def _repr_html_(self) -> str:
        if len(self.students) == 1:
            return self._student_html()
        return html_table(
            "Exercises that are right", ["student", *self.notebooks, "all"], self.by_notebook()
        )

    def _student_html(self) -> str:
        rows = []
        for notebook in self.notebooks:
            results = [result for result in self._results if result.notebook == notebook]
            letters = " ".join(f"{r.exercise}{'✓' if r.passed else '·'}" for r in results)
            tries, hints = (_sum(getattr(r, name) for r in results) for name in ("tries", "hints"))
            rows.append([notebook, letters, tries, hints])
        return html_table(self.words(), ["notebook", "right ✓", "tries", "hints"], rows)


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum of what is known; None if nothing is."""
    counts = [number for number in numbers if number is not None]
    return sum(counts) if counts else None


def results_of(
    student: str, progress: dict[str, ExerciseProgress], covers: Callable[[str], bool]
) -> list[ExerciseResult]:
    """A student's results from their progress.

    Args:
        student: the name.
        progress: exercise, such as `00a` → its progress.
        covers: whether the results cover a notebook, given its number.

    Returns:
        A result for each exercise of those notebooks, in the course's order.
    """
    results = []
    for exercise in all_exercises():
        if covers(exercise.notebook):
            record = progress.get(exercise.key, ExerciseProgress())
            results.append(
                ExerciseResult(
                    student, exercise.notebook, exercise.letter, exercise.title, exercise.level,
                    record.passed is not None, record.passed, record.tries, record.hints,
                    record.sentence,
                )
            )  # fmt: skip
    return results


def course_progress(*folders: Path | str) -> CourseResults:
    """What was recorded of exercises: by default in the copy of the course one works in.

    Args:
        folders: copies of the course, or folders that have one for each student in them.

    Returns:
        The results; a notebook shows them as a table, a terminal as a sentence for each student.

    Raises:
        DataError: a folder has no record of progress in it, or a record is damaged.
    """
    if not folders:
        path = progress_file() or (copy_around(Path.cwd()) or Path.cwd()) / FILE
        return CourseResults(
            results_of(path.resolve().parent.name, read_progress(path), lambda notebook: True)
        )
    results = []
    for folder in map(Path, folders):
        files = sorted(folder.rglob(FILE))
        if not files:
            raise DataError(
                f"{folder} has no {FILE} in it; name a copy of the course in which an exercise "
                "was tried, or a folder of such copies"
            )
        for file in files:
            name = student_name(folder, file.parent)
            results += results_of(name, read_progress(file), lambda notebook: True)
    return CourseResults(results)


def student_name(named: Path, folder: Path) -> str:
    """What a student is called: their folder below the one that was named.

    Args:
        named: the folder that was named.
        folder: the student's; that one, or one below it.

    Returns:
        The path from one to the other; the folder's own name if they are the same.
    """
    below = folder.relative_to(named).as_posix()
    return folder.resolve().name if below == "." else below
