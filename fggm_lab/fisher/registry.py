"""The registry of estimators: what each is called, and the function that carries it out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from fggm_lab.fisher.fisher_pass import FisherPass

Fill = Callable[[FisherPass], Iterator[tuple[Sequence[int], Tensor]]]
"""Fills the sums; after each batch yields its examples and a number that is finite if all is
well."""


@dataclass(frozen=True)
class Estimator:
    """One way to estimate the Fisher.

    Attributes:
        name: its key in `ESTIMATORS`.
        description: one line.
        fill: does the work.
        reads_examples: whether it looks at examples at all.
        per_example: whether it squares example by example: then its scores have standard errors
            and its batches may be cut to a memory budget.
    """

    name: str
    description: str
    fill: Fill
    reads_examples: bool = True
    per_example: bool = True


ESTIMATORS: dict[str, Estimator] = {}
"""Name → estimator; the command line, docs and widgets list these."""


def estimator(
    name: str, description: str, *, reads_examples: bool = True, per_example: bool = True
) -> Callable[[Fill], Fill]:
    """Register a function under `name`; the arguments are `Estimator`'s."""

    def register(fill: Fill) -> Fill:
        ESTIMATORS[name] = Estimator(name, description, fill, reads_examples, per_example)
        return fill

    return register
