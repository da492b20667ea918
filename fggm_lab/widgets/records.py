"""What runs keep, read once for all views of an explorer, and again when a file changes."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from fggm_lab.errors import RunError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask, Ranking
from fggm_lab.plots.score_curves import run_labels
from fggm_lab.runs import RECORD_FISHER, Run

_KEPT = 40
"""Rankings kept in memory: those of five runs of eight tasks, 0.5 GB for a model of 1.5 B."""


class Records:
    """Runs with their labels, and rankings of their Fisher scores.

    Attributes:
        runs: label → run; labels are unique and do not change while runs grow.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = dict(zip(run_labels(runs), runs, strict=True))
        self._rankings: dict[Path, tuple[int, Ranking]] = {}
        self._cut: tuple[object, dict[str, Mask]] | None = None

    def scored(self, run: Run) -> list[str]:
        """The tasks before which the run's model was scored, in order.

        Raises:
            RunError: there is none (yet).
        """
        tasks = [t for t in run.config.task_names if run.file("fisher", t).exists()]
        if tasks:
            return tasks
        if run.events("step"):  # scores come before a task's first step
            raise RunError(
                f"{run.path} has no Fisher scores, for {run.config.method} has scored no units; "
                f"{RECORD_FISHER}"
            )
        raise RunError(f"{run.path} has no Fisher scores yet; read the runs again when it has")

    def ranking(self, run: Run, task: str) -> Ranking:
        """The scores of output units before a task, ranked.

        Raises:
            RunError: there are none (yet).
            DataError: the file is damaged.
        """
        tasks = self.scored(run)
        if task not in tasks:
            raise RunError(
                f"{run.path} has no Fisher scores of {task} (yet); there are: {', '.join(tasks)}"
            )
        file = run.file("fisher", task)
        stamp = file.stat().st_mtime_ns
        found = self._rankings.pop(file, None)
        if found is None or found[0] != stamp:
            scores = run.fisher(task)
            assert scores is not None  # the file is there
            found = stamp, Ranking(scores.of_outputs())
        self._rankings[file] = found  # the latest comes last
        while len(self._rankings) > _KEPT:
            del self._rankings[next(iter(self._rankings))]
        return found[1]

    def scores(self, run: Run, task: str) -> FisherScores:
        """The scores before a task; raises as `ranking` does."""
        return self.ranking(run, task).scores

    def masks(self, run: Run, keep: float, scope: str) -> dict[str, Mask]:
        """Task → the mask that its stored scores give at a keep share; raises as `ranking` does."""
        rankings = {task: self.ranking(run, task) for task in self.scored(run)}
        what = (list(rankings.values()), keep, scope)
        if self._cut is None or self._cut[0] != what:
            self._cut = what, {t: ranking.top(keep, scope) for t, ranking in rankings.items()}
        return self._cut[1]

    def drift(self, run: Run, task: str) -> dict[str, Tensor]:
        """How far each unit moved during a task.

        Raises:
            RunError: it is not recorded (yet), or the file is damaged.
        """
        found = run.drift(task)
        if found is None:
            raise RunError(f"{run.path} has not recorded how far units moved in {task} (yet)")
        return found
