"""What runs recorded, read once for all tabs of an explorer, and again when a file changes."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from fggm_lab.errors import RunError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask, Ranking, Scope
from fggm_lab.methods import METHODS, make_method
from fggm_lab.methods.base import MaskOrder
from fggm_lab.methods.compose import PLUS
from fggm_lab.methods.fggm import lowest_first
from fggm_lab.plots.score_curves import run_labels
from fggm_lab.runs import RECORD_FISHER, Run

_MAX_RANKINGS = 40
"""Rankings held in memory: those of five runs of eight tasks, 0.5 GB for a model of 1.5 B."""


class RunCache:
    """Runs by their labels, with the rankings of their Fisher scores.

    Attributes:
        runs: label → run; labels are unique and do not change while runs grow.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: the runs of an explorer.
        """
        self.runs = dict(zip(run_labels(runs), runs, strict=True))
        self._rankings: dict[Path, tuple[int, Ranking]] = {}
        self._masks: tuple[object, dict[str, Mask]] | None = None

    def scored(self, run: Run) -> list[str]:
        """The tasks before which the run's model was scored.

        Args:
            run: one of the runs.

        Returns:
            names, in the order of training.

        Raises:
            RunError: there is none (yet).
        """
        tasks = [name for name in run.config.task_names if run.file("fisher", name).exists()]
        if tasks:
            return tasks
        if run.events("step"):  # scores come before a task's first step
            raise RunError(
                f"{run.path} has no Fisher scores, for {run.config.method} has scored no units; "
                f"{RECORD_FISHER}"
            )
        raise RunError(f"{run.path} has no Fisher scores yet; read the runs again when it has")

    def ranking(self, run: Run, task: str) -> Ranking:
        """The scores of output units before a task, ranked as the run's masks are cut.

        For a method whose masks are cut from scores that are not stored, the highest come first.

        Args:
            run: one of the runs.
            task: its name.

        Returns:
            the ranking, read from the file if that has changed since the last call.

        Raises:
            RunError: there are no scores (yet).
            DataError: the file is damaged.
        """
        tasks = self.scored(run)
        if task not in tasks:
            raise RunError(
                f"{run.path} has no Fisher scores of {task} (yet); there are: {', '.join(tasks)}"
            )
        file = run.file("fisher", task)
        stamp = file.stat().st_mtime_ns
        cached = self._rankings.pop(file, None)
        if cached is None or cached[0] != stamp:
            scores = run.fisher(task)
            assert scores is not None  # the file is there
            outputs = scores.of_outputs()
            cached = (
                stamp,
                Ranking(lowest_first(outputs) if mask_order(run) == "lowest" else outputs),
            )
        self._rankings[file] = cached  # in order of use, the latest last
        while len(self._rankings) > _MAX_RANKINGS:
            del self._rankings[next(iter(self._rankings))]
        return cached[1]

    def scores(self, run: Run, task: str) -> FisherScores:
        """The scores of output units before a task; raises as `ranking` does."""
        scores = self.ranking(run, task).scores
        return lowest_first(scores) if mask_order(run) == "lowest" else scores

    def scores_to_cut(self, run: Run, task: str) -> FisherScores:
        """The scores of output units before a task, those of the units that move the highest.

        Args:
            run: one of the runs.
            task: its name.

        Returns:
            the stored scores, with their signs changed where the lowest move.

        Raises:
            RunError: there are none (yet), or the run's masks are cut from others.
            DataError: the file is damaged.
        """
        ranking = self.ranking(run, task)
        if mask_order(run) == "unstored":
            raise RunError(
                f"{run.path} does not store the scores that {run.config.method} cuts its masks "
                "from; the map of units and the overlaps show its own masks, at the keep share and "
                "scope it trained with"
            )
        return ranking.scores

    def masks(self, run: Run, keep: float, scope: Scope) -> dict[str, Mask]:
        """Task → the mask that its stored scores give at a keep share.

        Of a method whose masks are cut from scores that are not stored, the run's own masks.

        Args:
            run: one of the runs.
            keep: the share of units that may move, in (0, 1].
            scope: whether the share holds within each `parameter` or over all units (`global`).

        Returns:
            a mask for each task in `scored`.

        Raises:
            RunError: there are no scores (yet), or other masks than the run's own are asked for
                that cannot be cut.
            DataError: a file is damaged.
        """
        if mask_order(run) == "unstored" and run.config.mask_settings == (keep, scope):
            stored = {task: run.mask(task) for task in self.scored(run)}
            if masks := {task: mask for task, mask in stored.items() if mask is not None}:
                return masks
        for task in self.scored(run):
            self.scores_to_cut(run, task)  # raises where masks cannot be cut
        rankings = {task: self.ranking(run, task) for task in self.scored(run)}
        key = (list(rankings.values()), keep, scope)
        if self._masks is None or self._masks[0] != key:
            masks = {task: ranking.top(keep, scope) for task, ranking in rankings.items()}
            self._masks = key, masks
        return self._masks[1]

    def drift(self, run: Run, task: str) -> dict[str, Tensor]:
        """How far each unit moved during a task.

        Args:
            run: one of the runs.
            task: its name.

        Returns:
            parameter → (units,) distances.

        Raises:
            RunError: it is not recorded (yet), or the file is damaged.
        """
        drift = run.drift(task)
        if drift is None:
            raise RunError(f"{run.path} has not recorded how far units moved in {task} (yet)")
        return drift


def mask_order(run: Run) -> MaskOrder:
    """Which scores a run's method lets move; a user's own class is not imported to ask it.

    Args:
        run: of any method.

    Returns:
        `highest`, `lowest`, or `unstored`: those of scores that the run does not keep.
    """
    if not all(name in METHODS for name in run.config.method.split(PLUS)):
        return "highest"
    return make_method(run.config.method, **run.config.method_settings).mask_order
