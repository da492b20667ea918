"""How often a training saves the state that an interrupted run goes on from."""

import re
from dataclasses import dataclass

from typing_extensions import Self

from fggm_lab.errors import SettingError

_SECONDS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class CheckpointInterval:
    """From one saved state to the next: so many steps of a task, or so much time.

    Attributes:
        steps: optimiser steps; None where it is a time.
        seconds: that time; None where it is steps.
    """

    steps: int | None
    seconds: float | None

    @classmethod
    def parse(cls, written: int | str) -> Self:
        """Read `200` (steps) or a time such as `90s`, `15min` or `1.5h`.

        Args:
            written: steps, or a number with its unit.

        Returns:
            The interval.

        Raises:
            SettingError: it is written in another way, or is not above 0.
        """
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h)", str(written).strip())
        if match and (seconds := float(match[1]) * _SECONDS[match[2]]) > 0:
            return cls(None, seconds)
        if re.fullmatch(r"\d+", str(written).strip()) and int(written) > 0:
            return cls(int(written), None)
        raise SettingError(
            f"checkpoint_every is {written!r}; write a whole number of steps above 0, or a time "
            "such as 90s, 15min or 1h"
        )

    def is_due(self, task_step: int, elapsed: float) -> bool:
        """Whether to save the state now.

        Args:
            task_step: steps taken in the task.
            elapsed: seconds since the state was last saved.

        Returns:
            Whether the interval has passed.
        """
        if self.steps is not None:
            return task_step % self.steps == 0
        return self.seconds is not None and elapsed >= self.seconds
