"""What zeroing or freezing units did, with numbers a test can foresee."""

from fggm_lab.evaluation import TaskScore
from fggm_lab.training.effects import Effect, Measured
from tests.support.records import TASKS


def made_effect(action: str = "freezing", general: float | None = 0.9, **more: object) -> Effect:
    """Three states of eight tasks, each worse than the last."""

    def state(lost: float) -> Measured:
        scores = {
            name: TaskScore(0.9 - lost - 0.05 * n, 0.5, 0.1 + lost + n, 32, 0)
            for n, name in enumerate(TASKS)
        }
        return Measured(scores, None if general is None else general - lost)

    free = None if action == "zeroing" else state(0.4)
    trained = {} if action == "zeroing" else {"trained": "FOMC", "steps": 20}
    return Effect(action, state(0), state(0.25), free, 30, 100, **trained, **more)  # type: ignore[arg-type]
