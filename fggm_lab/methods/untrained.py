"""The lower bound: the model as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.methods.base import Method
from fggm_lab.models.encoding import Encoded


@dataclass(frozen=True)
class Untrained(Method):
    """Take no step at all: the model stays as it is."""

    name: ClassVar[str] = "untrained"
    paper: ClassVar[str] = "lower bound"
    alone: ClassVar[bool] = True

    def training_set(self, index: int, encoded: Sequence[list[Encoded]]) -> Sequence[Encoded]:
        """No examples."""
        return []
