"""Which parameters of a model are scored, and along which axis their units lie."""

import re
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.models.check import check_whole_gradients
from fggm_lab.models.quantised import check_unquantised
from fggm_lab.models.units import ENTRY, other_axis, unit_axes

Aggregation = Literal["input", "output", "none"]
"""What a weight's unit sums over: its inputs (rows), its outputs (columns), nothing (entries)."""


def uncompiled(model: PreTrainedModel) -> PreTrainedModel:
    """The model inside one that `torch.compile` wraps: same parameters, by their plain names.

    Args:
        model: as it was passed.

    Returns:
        The model inside, or the model itself.

    Raises:
        ModelError: a layer is compiled by itself, so that names differ from the plain model's.
    """
    plain: PreTrainedModel = getattr(model, "_orig_mod", model)
    for name, module in plain.named_modules():
        if hasattr(module, "_orig_mod"):
            raise ModelError(
                f"{name} is compiled by itself, so its parameters have names that fit no plain "
                "model; score the model before you compile its layers"
            )
    return plain


def scored_parameters(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """The parameters to score: those of floating point that require gradients.

    Args:
        model: as `uncompiled` gives it.

    Returns:
        Name → parameter, in the model's order.

    Raises:
        ModelError: there is none, they are quantised, or `ActiveRows` is open on the model.
    """
    check_unquantised(model)
    check_whole_gradients(model)
    floating = {n: p for n, p in model.named_parameters() if p.is_floating_point()}
    if not floating:
        raise ModelError("the model has no floating-point parameter to score")
    trainable = {n: p for n, p in floating.items() if p.requires_grad}
    if not trainable:
        raise ModelError(
            "every parameter of the model is frozen, so there is nothing to score; thaw what is "
            "to be trained, e.g. model.requires_grad_(True)"
        )
    return trainable


def scored_axes(
    model: PreTrainedModel, parameters: dict[str, nn.Parameter], aggregation: Aggregation
) -> dict[str, int]:
    """The axis of each parameter's units.

    Args:
        model: whose layers tell which axis counts outputs.
        parameters: those that are scored, by name.
        aggregation: what a unit sums over.

    Returns:
        Name → axis, `ENTRY` where every entry is a unit.
    """
    axes = {name: axis for name, axis in unit_axes(model).items() if name in parameters}
    if aggregation == "output":
        return {n: other_axis(tuple(parameters[n].shape), axis) for n, axis in axes.items()}
    return dict.fromkeys(axes, ENTRY) if aggregation == "none" else axes


def unused_parameters(unreached: set[str], units: Mapping[str, Tensor]) -> list[str]:
    """Name the parameters that reading a text does not use: those of a vision tower, for example.

    Their scores are 0, and among the units of a mask they would dilute its share.

    An expert that the texts do not choose is another matter: its fellows, whose names differ only
    in a number, are used.

    Args:
        unreached: the parameters that the likelihood of the probe's text does not depend on.
        units: every parameter's scores.

    Returns:
        The names, in the model's order.
    """
    pattern = {name: re.sub(r"\d+", "#", name) for name in units}
    zero = {name for name in unreached if name in units and not units[name].any()}
    used = {pattern[name] for name in units if name not in zero}
    return [name for name in units if name in zero and pattern[name] not in used]
