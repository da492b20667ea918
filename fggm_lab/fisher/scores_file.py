"""The file of Fisher scores: tensors in folders by what they are, and a record in the header."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from typing_extensions import NotRequired, TypedDict

from fggm_lab.files import closed_record, read_recorded, unreadable

FORMAT = "fggm-lab fisher 1"
WHAT = "Fisher scores"
"""What its file holds, for errors."""

UNITS, ENTRIES, ERRORS = "units/", "all/", "errors/"
"""What a tensor's name begins with: scores of units, of single entries, standard errors."""


@closed_record
class _ScoresRecord(TypedDict):
    """What the header says; `shapes` only where every entry is a unit."""

    format: str
    made: dict[str, Any]
    axes: dict[str, int]
    shapes: NotRequired[dict[str, list[int]]]


@dataclass(frozen=True)
class ScoresContent:
    """What a file of scores holds; rounded numbers in float32.

    Attributes:
        units: parameter name → (units,) scores.
        axes: parameter name → the axis its units lie along.
        elementwise: parameter name → the scores of its entries, in its shape; None if not kept.
        errors: parameter name → (units,) standard errors; None if not kept.
        info: how the scores were computed, as JSON has it.
    """

    units: dict[str, Tensor]
    axes: dict[str, int]
    elementwise: dict[str, Tensor] | None
    errors: dict[str, Tensor] | None
    info: dict[str, Any]


def read_scores(file: Path) -> ScoresContent:
    """Read a file of scores.

    Args:
        file: its path.

    Returns:
        What it holds.

    Raises:
        DataError: there is no such file, or it holds no Fisher scores.
    """
    tensors, record = read_recorded(file, _ScoresRecord, FORMAT, WHAT)
    axes = record["axes"]
    units = _numbers(tensors, UNITS, axes, file)
    elementwise = None
    if "shapes" in record:
        elementwise = _shaped(units, record["shapes"], file)
    elif _has(tensors, ENTRIES):
        elementwise = _numbers(tensors, ENTRIES, axes, file)
    # Files written before there were any have no standard errors.
    errors = _numbers(tensors, ERRORS, axes, file) if _has(tensors, ERRORS) else None
    return ScoresContent(units, axes, elementwise, errors, record["made"])


def _has(tensors: Mapping[str, Tensor], folder: str) -> bool:
    return any(name.startswith(folder) for name in tensors)


def _numbers(
    tensors: Mapping[str, Tensor], folder: str, names: Iterable[str], file: Path
) -> dict[str, Tensor]:
    """The tensors of parameters in a folder."""
    numbers = {}
    for name in names:
        values = tensors.get(folder + name)
        if values is None or not values.is_floating_point():
            raise unreadable(file, WHAT, f"it has no numbers {folder}{name}")
        if folder != ENTRIES and values.ndim != 1:
            raise unreadable(file, WHAT, f"{folder}{name} has {values.ndim} dimensions, not one")
        numbers[name] = values.to(torch.promote_types(values.dtype, torch.float32))
    return numbers


def _shaped(
    units: Mapping[str, Tensor], shapes: Mapping[str, list[int]], file: Path
) -> dict[str, Tensor]:
    """A score for each entry in its parameter's shape."""
    shaped = {}
    for name, scores in units.items():
        shape = shapes.get(name)
        if shape is None or min(shape, default=0) < 0 or math.prod(shape) != scores.numel():
            raise unreadable(
                file, WHAT, f"{name} has {scores.numel()} scores and the shape {shape}"
            )
        shaped[name] = scores.view(shape)
    return shaped
