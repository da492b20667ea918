"""Fisher scores for looking at: how the model's units weigh on a task while it learns that task."""

from fggm_lab.errors import ModelError, TrainingError
from fggm_lab.fisher import FisherScores
from fggm_lab.methods import TaskContext
from fggm_lab.training.active_rows import ActiveRows
from fggm_lab.training.masked_gradients import MaskedGradients


def recorded_scores(
    context: TaskContext,
    examples: int | None,
    masking: ActiveRows | MaskedGradients | None = None,
) -> FisherScores:
    """The empirical Fisher of every trainable unit, whatever a mask freezes; training goes on
    as if nobody had looked.

    Args:
        context: the task, and the model as it is now.
        examples: how many of the task's training examples to use, drawn by the run's seed and so
            the same ones along a task; None: all.
        masking: what the task is trained under; None before training.

    Returns:
        One score per unit.

    Raises:
        TrainingError: a gradient is not a finite number.
    """
    if masking is not None:
        try:
            with masking.plain():
                return recorded_scores(context, examples)
        except ModelError as error:
            raise TrainingError(f"the Fisher scores cannot be recorded: {error}") from error
    return context.fisher(examples)
