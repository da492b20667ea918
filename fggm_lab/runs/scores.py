"""The score matrix of one run: R, the untrained scores b, and General before and after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from fggm_lab.errors import RunError
from fggm_lab.files import checked, closed_record, read_record, write_record
from fggm_lab.runs.numbers import measure


class GeneralScores(TypedDict):
    """General ability of the untrained model and after the last task.

    Attributes:
        before: that of the untrained model; a score from 0 to 1, or a loss. None if not measured.
        after: that of the model after the last task; None if not measured.
        name: what it was measured on.
        better: `higher` for a score, `lower` for a loss.
    """

    before: float | None
    after: float | None
    name: str | None
    better: Literal["higher", "lower"]


def general_scores(
    before: float | None = None,
    after: float | None = None,
    name: str | None = None,
    better: Literal["higher", "lower"] = "higher",
) -> GeneralScores:
    """General of a run; without arguments, of one that measured none."""
    return GeneralScores(before=before, after=after, name=name, better=better)


@dataclass
class ScoreMatrix:
    """Scores as fractions from 0 to 1; None where nothing was measured.

    Attributes:
        tasks: T names in the order they were learned.
        matrix: (T, T); row i holds the scores after training task i.
        untrained: (T,) scores of the model before any training.
        general: General before and after.

    Raises:
        RunError: a shape is wrong, or a score is not a fraction.
    """

    tasks: list[str]
    matrix: list[list[float | None]]
    untrained: list[float | None]
    general: GeneralScores = field(default_factory=general_scores)

    def __post_init__(self) -> None:
        self.check("the score matrix")

    def check(self, where: str) -> None:
        """Refuse wrong shapes and scores that are not fractions; `where` begins the sentence."""
        size = len(self.tasks)
        if len(self.matrix) != size or any(len(row) != size for row in self.matrix):
            raise RunError(
                f"{where} needs {size} rows of {size} cells, one per task; "
                "write null where nothing was measured"
            )
        if len(self.untrained) != size:
            raise RunError(f"{where} has {len(self.untrained)} untrained scores for {size} tasks")
        for cell in (cell for row in [*self.matrix, self.untrained] for cell in row):
            if cell is not None and not 0 <= cell <= 1:
                raise RunError(
                    f"{where} holds the score {cell}; scores are fractions from 0 to 1, "
                    "so divide percentages by 100"
                )

    @classmethod
    def empty(cls, tasks: Sequence[str], general: GeneralScores | None = None) -> "ScoreMatrix":
        """The matrix of a run that has measured nothing yet."""
        size = len(tasks)
        matrix = cls(list(tasks), [[None] * size for _ in tasks], [None] * size)
        if general is not None:
            matrix.general = general
        return matrix

    @classmethod
    def from_events(
        cls,
        tasks: Sequence[str],
        events: Iterable[Mapping[str, Any]],
        general_name: str | None = None,
        general_better: Literal["higher", "lower"] = "higher",
    ) -> "ScoreMatrix":
        """Gather the final evaluations among a run's events into a matrix.

        Args:
            tasks: T names in the order they are learned.
            events: as in events.jsonl; evaluations that are not final are passed over.
            general_name: what General measures.
            general_better: `higher` for a score, `lower` for a loss.

        Returns:
            The matrix, None where no final evaluation has measured a score.
        """
        matrix = cls.empty(tasks, general_scores(name=general_name, better=general_better))
        for event in events:
            if event["kind"] != "evaluation" or not event["final"]:
                continue
            index = event["task"]
            row = [event["tasks"].get(name, {}).get("score") for name in tasks]
            general = (event.get("general") or {}).get("score")
            if index < 0:
                matrix.untrained, matrix.general["before"] = row, general
            else:
                matrix.matrix[index] = row
                if index == len(tasks) - 1:
                    matrix.general["after"] = general
        matrix.check("the score matrix")
        return matrix

    def metrics(self) -> dict[str, float | None]:
        """Every number of the score matrix by its key in `NUMBERS`; None where it is undefined."""
        return measure(self.matrix, self.untrained)

    def save(self, path: Path | str) -> None:
        """Write the file scores.json, whole or not at all."""
        self.check(str(path))
        write_record(
            path,
            {
                "tasks": self.tasks,
                "matrix": self.matrix,
                "untrained": self.untrained,
                "general": self.general,
            },
        )

    @classmethod
    def load(cls, path: Path | str) -> "ScoreMatrix":
        """Read scores.json.

        Args:
            path: the file.

        Returns:
            The matrix.

        Raises:
            RunError: the file is missing, broken, or not a score matrix.
        """
        content = checked(
            _Content,
            read_record(path, RunError),
            lambda reason: RunError(
                f'{path} is not a score matrix ({{"tasks", "matrix", "untrained", "general"}} '
                f"with numbers or null; {reason}); restore it or repeat the run"
            ),
        )
        general = general_scores() | (content.get("general") or {})
        try:
            return cls(content["tasks"], content["matrix"], content["untrained"], general)
        except RunError as problem:
            raise RunError(f"{path}: {problem}") from None


@closed_record
class _General(TypedDict, total=False):
    """What scores.json says of General; older files say less."""

    before: float | None
    after: float | None
    name: str | None
    better: Literal["higher", "lower"]


@closed_record
class _Content(TypedDict):
    """The fields of scores.json."""

    tasks: list[str]
    matrix: list[list[float | None]]
    untrained: list[float | None]
    general: NotRequired[_General | None]
