"""Continual-learning metrics of the score matrix; every variant has its own name.

`R[i][j]` is the score on task j after training task i, `b[j]` the untrained model's score on
task j; both count from 0 here, from 1 in the formulas. A cell that was not measured is None, and a
metric that needs such a cell is None, never 0. Metrics carry the unit of the scores.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean

from fggm_lab.errors import SettingError

Row = Sequence[float | None]
Matrix = Sequence[Row]


def _size(matrix: Matrix) -> int:
    """T of a T x T matrix."""
    if any(len(row) != len(matrix) for row in matrix):
        raise SettingError(
            f"the score matrix has {len(matrix)} rows but not all have {len(matrix)} cells; "
            "write None where nothing was measured"
        )
    return len(matrix)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean, or None if there is nothing to average or something is missing."""
    numbers = []
    for value in values:
        if value is None:
            return None
        numbers.append(value)
    return fmean(numbers) if numbers else None


def _minus(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _check_step(matrix: Matrix, t: int) -> None:
    if not 1 <= t <= _size(matrix):
        raise SettingError(f"t is {t}; it must be from 1 to the number of tasks, {len(matrix)}")


def op_after(matrix: Matrix, t: int) -> float | None:
    """OP_t: mean score on the tasks 1..t after training task t (TRACE, arXiv 2310.06762).

    Args:
        matrix: (T, T).
        t: number of tasks trained, 1 to T.

    Returns:
        The mean, in the unit of the scores; None where a cell is missing.
    """
    _check_step(matrix, t)
    return _mean(matrix[t - 1][:t])


def op_final(matrix: Matrix) -> float | None:
    """OP_T: mean score on all T tasks after the last one (TRACE, arXiv 2310.06762)."""
    return op_after(matrix, len(matrix)) if _size(matrix) else None


def op_mean_over_steps(matrix: Matrix) -> float | None:
    """Mean of OP_1 ... OP_T, a different number from OP_T."""
    return _mean(op_after(matrix, t) for t in range(1, _size(matrix) + 1))


def _backward_changes(matrix: Matrix, t: int) -> list[float | None]:
    """R[t][j] - R[j][j] for each j < t."""
    return [_minus(matrix[t - 1][j], matrix[j][j]) for j in range(t - 1)]


def bwt_gem(matrix: Matrix) -> float | None:
    """Backward transfer, divided by T - 1 (GEM, arXiv 1706.08840); negative is forgetting."""
    return bwt_gem_after(matrix, len(matrix)) if _size(matrix) else None


def bwt_gem_after(matrix: Matrix, t: int) -> float | None:
    """`bwt_gem` of the first t tasks, after training task t."""
    _check_step(matrix, t)
    return _mean(_backward_changes(matrix, t))


def bwt_trace(matrix: Matrix) -> float | None:
    """Backward transfer, divided by T (TRACE, arXiv 2310.06762); negative is forgetting."""
    mean = bwt_gem(matrix)
    return None if mean is None else mean * (len(matrix) - 1) / len(matrix)


def fwt(matrix: Matrix, untrained: Row) -> float | None:
    """Forward transfer: mean over j > 1 of R[j-1][j] - b[j] (GEM, arXiv 1706.08840).

    Args:
        matrix: (T, T); needs the cells just above the diagonal.
        untrained: (T,) scores of the untrained model, b.

    Returns:
        The mean, in the unit of the scores; None where a cell is missing, and of a single task.

    Raises:
        SettingError: `untrained` has another length than the matrix.
    """
    if len(untrained) != _size(matrix):
        raise SettingError(
            f"the untrained model has {len(untrained)} scores for {len(matrix)} tasks; "
            "write None where nothing was measured"
        )
    return _mean(_minus(matrix[j - 1][j], untrained[j]) for j in range(1, len(matrix)))


def forgetting(matrix: Matrix) -> float | None:
    """Mean over j < T of the fall from the best earlier score on task j to the last one.

    Chaudhry et al. 2018 (arXiv 1801.10112). The maximum runs over every earlier step that was
    measured; each step from task j on must have been.

    Args:
        matrix: (T, T).

    Returns:
        The mean, in the unit of the scores; more is more forgotten. None where a cell is missing.
    """
    return forgetting_along(matrix)[-1] if _size(matrix) else None


def forgetting_along(matrix: Matrix) -> list[float | None]:
    """`forgetting` of the tasks so far, after each of them.

    Args:
        matrix: (T, T).

    Returns:
        (T,) as many numbers as tasks, the last that of all tasks; None after the first.
    """
    size = _size(matrix)
    best: list[float | None] = [None] * size  # of each task, over the steps so far
    gaps = [False] * size  # a step since the task was learned was not measured
    means = []
    for i, row in enumerate(matrix):
        means.append(
            _mean(
                None if gap else _minus(b, x)
                for b, gap, x in zip(best[:i], gaps, row, strict=False)
            )
        )
        best = [
            x if b is None else b if x is None else max(b, x)
            for b, x in zip(best, row, strict=True)
        ]
        gaps = [
            gap or (x is None and j <= i) for j, (gap, x) in enumerate(zip(gaps, row, strict=True))
        ]
    return means


def learning_accuracy(matrix: Matrix) -> float | None:
    """Mean of R[j][j]: how well each task was learned when its turn came (arXiv 1810.11910)."""
    return learning_accuracy_after(matrix, len(matrix)) if _size(matrix) else None


def learning_accuracy_after(matrix: Matrix, t: int) -> float | None:
    """`learning_accuracy` of the first t tasks."""
    _check_step(matrix, t)
    return _mean(matrix[j][j] for j in range(t))
