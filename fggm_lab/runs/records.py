"""What a run keeps of each task: where every file lies, and how it is read."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fggm_lab.errors import RunError
from fggm_lab.files import read_tensors
from fggm_lab.runs.config import RunConfig
from fggm_lab.runs.predictions import Prediction, read_predictions, write_predictions

if TYPE_CHECKING:
    from torch import Tensor

    from fggm_lab.fisher.scores import FisherScores
    from fggm_lab.masks.mask import Mask

UNTRAINED = "00-start"
"""The name, among files, of what was kept before any task."""

STATE_ENTRY = "progress"
"""What the header of the file that training goes on from says: how far it is."""

_STEP = re.compile(r"\d+", re.ASCII)

Kind = Literal["fisher", "masks", "drift", "checkpoints", "memory", "predictions"]


class TaskRecords:
    """The files of a run's tasks. A task is given by its 0-based index or by its name."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path = path
        self.config = config

    def task_index(self, task: int | str) -> int:
        """The 0-based index of a task.

        Args:
            task: its index or its name.

        Returns:
            The index, checked to be one of the run's.

        Raises:
            RunError: the run has no such task.
        """
        names = self.config.task_names
        if isinstance(task, str) and task in names:
            return names.index(task)
        if isinstance(task, int) and 0 <= task < len(names):
            return task
        raise RunError(
            f"{self.path} has no task {task!r}; its tasks are 0 to {len(names) - 1}: "
            f"{', '.join(names)}"
        )

    def task_key(self, task: int | str) -> str:
        """A task's name among files, `01-C-STANCE` for the first."""
        index = self.task_index(task)
        safe = re.sub(r"[^\w.-]+", "_", self.config.task_names[index])
        return f"{index + 1:02d}-{safe}"

    def file(self, kind: Kind, task: int | str, step: int = 0) -> Path:
        """Where a task's record of one kind lives, whether it is there yet or not.

        Args:
            kind: of the record.
            task: the task's index or name.
            step: the step of the task after which the record was made; 0: before the first.

        Returns:
            The path of a safetensors file, `01-C-STANCE@000040.safetensors` for step 40; for
            `predictions` of a Parquet file, for `checkpoints` of a transformers folder.
        """
        step_suffix = f"@{step:06d}" if step else ""
        suffix = {"checkpoints": "", "predictions": ".parquet"}.get(kind, ".safetensors")
        return self.path / kind / (self.task_key(task) + step_suffix + suffix)

    def _files_along(self, kind: Kind, task: int | str) -> dict[int, Path]:
        """The files of one kind that are there: step of the task after which one was made → it."""
        first = self.file(kind, task)
        files = {0: first} if is_there(first) else {}
        for path in self.path.glob(f"{kind}/{self.task_key(task)}@*.safetensors"):
            if step := _STEP.fullmatch(path.stem.rpartition("@")[2]):  # not so a file's copy
                files[int(step[0])] = path
        return dict(sorted(files.items()))

    def remove_later(self, kind: Kind, task: int, step: int) -> None:
        """Delete a task's records of a kind that were made after a step.

        Args:
            kind: of the records.
            task: the task's index; T, if all are learned: nothing is deleted.
            step: the step of the task.
        """
        if task < len(self.config.task_names):
            for made_after, path in self._files_along(kind, task).items():
                if made_after > step:
                    path.unlink(missing_ok=True)
                    path.with_suffix(".json").unlink(missing_ok=True)  # the scores' readable copy

    def fisher(self, task: int | str) -> "FisherScores | None":
        """The Fisher scores before a task, None if none were kept.

        Args:
            task: the task's index or name.

        Returns:
            The scores that the method's mask was cut from; of a method that scores nothing, those
            that were recorded (`fisher_points`).
        """
        path = self.file("fisher", task)
        if not is_there(path):
            return None
        from fggm_lab.fisher.scores import FisherScores

        return FisherScores.load(path)

    def fisher_along(self, task: int | str) -> "dict[int, FisherScores]":
        """The Fisher scores kept before a task and along it.

        Args:
            task: the task's index or name.

        Returns:
            Step of the task → scores, in the order of steps; step 0 is before the task. Empty if
            none were kept.
        """
        from fggm_lab.fisher.scores import FisherScores

        files = self._files_along("fisher", task)
        return {step: FisherScores.load(path) for step, path in files.items()}

    def mask(self, task: int | str, step: int | None = None) -> "Mask | None":
        """The mask a task was trained under, None if none was kept.

        Args:
            task: the task's index or name.
            step: the one chosen after this step, 0: before the task; by default the last one, for
                a method that chooses anew along a task.

        Returns:
            The mask, None if there is none of that step.
        """
        files = self._files_along("masks", task)
        path = files.get(max(files, default=0) if step is None else step)
        if path is None:
            return None
        from fggm_lab.masks.mask import Mask

        return Mask.load(path)

    def mask_steps(self, task: int | str) -> list[int]:
        """The steps of a task after which a mask was chosen and kept; 0: before the task.

        Args:
            task: the task's index or name.

        Returns:
            The steps in order; empty if no mask was kept.
        """
        return list(self._files_along("masks", task))

    def memory(self, task: int | str) -> "dict[str, Tensor]":
        """What the method kept after a task.

        Args:
            task: the task's index or name.

        Returns:
            The method's tensors by the names it gave them; empty if it keeps nothing.

        Raises:
            RunError: the file is damaged.
        """
        return _tensors(self.file("memory", task)) or {}

    def drift(self, task: int | str) -> "dict[str, Tensor] | None":
        """How far each unit moved during a task.

        Args:
            task: the task's index or name.

        Returns:
            Name of the parameter → (units,) the norm of each unit's change; None if not recorded.

        Raises:
            RunError: the file is damaged.
        """
        drift = _tensors(self.file("drift", task))
        # The course's stored runs have rounded numbers.
        return None if drift is None else {name: moved.float() for name, moved in drift.items()}

    def predictions(
        self, after: int | str | None, task: int | str | None = None
    ) -> list[Prediction]:
        """The scored answers of the model as it was after a task, one for each example.

        Args:
            after: the task trained last; None: the untrained model.
            task: whose examples; None: those of every task.

        Returns:
            The answers in the tasks' and examples' order; empty if none were kept, as in runs of
            older versions.

        Raises:
            RunError: the run has no such task, or the file is damaged or cannot be read.
        """
        name = None if task is None else self.config.task_names[self.task_index(task)]
        path = self.predictions_file(after)
        return read_predictions(path, name) if is_there(path) else []

    def save_predictions(self, after: int | str | None, rows: Sequence[Prediction]) -> None:
        """Keep the scored answers given after a task (None: before any), whole or not at all."""
        name = None if after is None else self.config.task_names[self.task_index(after)]
        named = [replace(row, trained_after=name) for row in rows]
        write_predictions(self.predictions_file(after), named)

    def predictions_file(self, after: int | str | None) -> Path:
        """Where the answers given after a task are kept, whether they are there yet or not.

        Args:
            after: the task's index or name; None: the untrained model.

        Returns:
            The path of a Parquet file.
        """
        if after is None:
            return self.path / "predictions" / f"{UNTRAINED}.parquet"
        return self.file("predictions", after)

    def checkpoint(self, task: int | str | None) -> Path | None:
        """The model's folder after a task (None: before any), readable by `load_model`.

        Args:
            task: the task's index or name; None: the untrained model.

        Returns:
            The folder; None if none was kept.
        """
        untrained = self.path / "checkpoints" / UNTRAINED
        path = untrained if task is None else self.file("checkpoints", task)
        return path if is_there(path) and path.is_dir() else None

    def remove_checkpoint(self, task: int | str) -> None:
        """Delete the model kept after a task, if it was."""
        shutil.rmtree(self.file("checkpoints", task), ignore_errors=True)


def is_there(path: Path) -> bool:
    """Whether a file or a folder of a run is there.

    Args:
        path: its path.

    Returns:
        Whether it is.

    Raises:
        RunError: the folder that it would be in may not be read.
    """
    try:
        return path.exists()
    except OSError as problem:
        raise RunError(
            f"{path} cannot be read: {problem.strerror}; check its permissions"
        ) from None


def _tensors(path: Path) -> "dict[str, Tensor] | None":
    """The tensors of a file; None if it is not there. Raises RunError if it is damaged."""
    if not is_there(path):
        return None

    def damaged(reason: str) -> RunError:
        return RunError(f"{path} is damaged ({reason}); restore it or repeat the run")

    return read_tensors(path, damaged, fields=())[0]
