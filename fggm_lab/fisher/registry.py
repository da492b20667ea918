"""The registry of estimators: what each is called, and the function that carries it out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from fggm_lab.deprecation import present_name
from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.models.encoding import Encoded
from fggm_lab.plugins import ESTIMATORS_GROUP, look_up

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
        answer_tokens: the most tokens that an answer may have, the end token not counted (None: any
            number).
    """

    name: str
    description: str
    fill: Fill
    reads_examples: bool = True
    per_example: bool = True
    answer_tokens: int | None = None


ESTIMATORS: dict[str, Estimator] = {}
"""Name → estimator; the command line, docs and widgets list these."""


def find_estimator(name: str) -> Estimator:
    """An estimator by name.

    Args:
        name: a key of `ESTIMATORS`, the name of one that an installed package registers in the
            entry-point group `fggm_lab.estimators`, or `module:name`: an `Estimator`, or a function
            decorated with `estimator`.

    Returns:
        The estimator.

    Raises:
        SettingError: there is none of that name.
    """
    target = look_up("estimator", present_name("estimator", name), ESTIMATORS, ESTIMATORS_GROUP)
    if isinstance(target, Estimator):
        return target
    for registered in ESTIMATORS.values():
        if registered.fill is target:
            return registered
    raise SettingError(
        f"{name} is no estimator; decorate the function with fggm_lab.fisher.registry.estimator"
    )


def check_before_training(estimator: Estimator) -> None:
    """Check that an estimator can score a model that is yet to be trained.

    Args:
        estimator: the estimator.

    Raises:
        SettingError: it reads an optimiser that has taken steps, and there is none before training.
    """
    if not estimator.reads_examples:
        raise SettingError(
            f"estimator {estimator.name!r} reads an optimiser's second moment, and before training "
            "there is none; choose estimator='empirical', or the method fggm-online, which gathers "
            "it"
        )


def check_answers(
    estimator: Estimator, encoded: Sequence[Encoded], numbers: Sequence[int], where: str = ""
) -> None:
    """Check that an estimator can take the answers of some examples.

    Args:
        estimator: the estimator.
        encoded: the examples that it would score.
        numbers: what to call each in the error.
        where: what the examples are of, for the error.

    Raises:
        DataError: an answer has more tokens than the estimator takes.
    """
    limit = estimator.answer_tokens
    if limit is None:
        return
    for number, example in zip(numbers, encoded, strict=True):
        if len(example.answer) > limit + 1:  # the end token is one more
            raise DataError(
                f"{where}{': ' if where else ''}the answer of example {number} has "
                f"{len(example.answer) - 1} tokens, and estimator {estimator.name!r} takes answers "
                f"of {limit}; use estimator='sampled', which estimates the same"
            )


def estimator(
    name: str,
    description: str,
    *,
    reads_examples: bool = True,
    per_example: bool = True,
    answer_tokens: int | None = None,
) -> Callable[[Fill], Fill]:
    """Register a function as an estimator.

    Args:
        name: its key in `ESTIMATORS`.
        description: one line for the command line and the documentation.
        reads_examples: whether it looks at examples at all.
        per_example: whether it squares example by example.
        answer_tokens: the most tokens that an answer may have, if it is limited.

    Returns:
        A decorator that registers a function and returns it unchanged.
    """

    def register(fill: Fill) -> Fill:
        ESTIMATORS[name] = Estimator(
            name, description, fill, reads_examples, per_example, answer_tokens
        )
        return fill

    return register
