"""What methods with one mask per task share: which parameters it covers, and the rest of them."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.checks import check_choice
from fggm_lab.fisher import FisherScores
from fggm_lab.mask_settings import check_keep, check_moves, check_scope
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.models import unit_axes
from fggm_lab.models.names import own_weight
from fggm_lab.models.units import unit_count

Parameters = Literal["all", "linear"]
"""What a mask covers: all parameters, or the weights of linear layers."""
Others = Literal["train", "freeze"]
"""What becomes of the parameters that a mask does not cover."""


@dataclass(frozen=True)
class TaskMasking(Method):
    """A method that freezes all but a share of the units for a whole task.

    What such a method defines is `cut`.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too (MIGU's code does not mask it).
    """

    masks: ClassVar[bool] = True

    keep: float = 0.3
    scope: Scope = "parameter"
    parameters: Parameters = "all"
    others: Others = "train"
    first_task: bool = True

    def __post_init__(self) -> None:
        check_keep(self.keep)
        object.__setattr__(self, "scope", check_scope(self.scope))
        check_choice("parameters", self.parameters, Parameters)
        check_choice("others", self.others, Others)

    def check_model(self, model: PreTrainedModel) -> None:
        """Raise a `SettingError` if `keep` lets no unit of the model move."""
        check_moves(self.keep, self.scope, unit_sizes(model, self.parameters))

    def plan(self, context: TaskContext) -> Plan:
        """Cut the mask, and let parameters it does not cover train or freeze, as `others` says."""
        if self.spares(context):
            return Plan()
        cut = self.cut(context)
        if cut.mask is None:
            return cut
        return replace(cut, mask=complete(cut.mask, context.model, self.others))

    def cut(self, context: TaskContext) -> Plan:
        """Choose the units that may move in a task, among those of the `parameters` masked.

        It is not called before a first task that is left unmasked.

        Args:
            context: of the task.

        Returns:
            The mask, and the scores it was cut from; a method that chooses later gives none.
        """
        return Plan()

    def spares(self, context: TaskContext) -> bool:
        """Whether the task is the first one, and left unmasked."""
        return context.index == 0 and not self.first_task


def linear_weights(model: PreTrainedModel) -> set[str]:
    """Names of the weights of linear layers, the output head and tied embeddings excepted."""
    head = model.get_output_embeddings()
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head
    }


def masked_names(model: PreTrainedModel, parameters: Parameters) -> list[str]:
    """Names of the parameters a mask covers: `all` trainable ones, or weights of `linear` layers.

    Only parameters that require a gradient count. Of an adapter (LoRA's BA) that is B alone: its
    rows are the layer's output units, while A's are directions that all of them share, and A's
    gradient is zero as long as B is.

    Args:
        model: the model.
        parameters: `all` or `linear`.

    Returns:
        The names, in the model's order.
    """
    names = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and own_weight(name) is not None
    ]
    if parameters == "all":
        return names
    linear = linear_weights(model)
    return [name for name in names if name in linear]


def unit_sizes(model: PreTrainedModel, parameters: Parameters) -> dict[str, int]:
    """How many units each parameter has that a mask covers, as `masked_names` takes them."""
    axes, shapes = unit_axes(model), {n: tuple(p.shape) for n, p in model.named_parameters()}
    return {name: unit_count(shapes[name], axes[name]) for name in masked_names(model, parameters)}


def masked_scores(
    scores: FisherScores, model: PreTrainedModel, parameters: Parameters
) -> FisherScores:
    """The scores of the parameters that a mask covers.

    Args:
        scores: of the model. Parameters that reading text does not use have none.
        model: the model.
        parameters: `all` or `linear`.

    Returns:
        The scores of those of `masked_names` that were scored.
    """
    names = [name for name in masked_names(model, parameters) if name in scores.units]
    return scores.restricted(names)


def complete(mask: Mask, model: PreTrainedModel, others: Others) -> Mask:
    """Decide about the parameters that a mask does not cover.

    Args:
        mask: the mask.
        model: the model it is of.
        others: whether they `train` or `freeze`.

    Returns:
        The mask itself, or one that freezes them as a whole.
    """
    if others == "train":
        return mask
    axes = unit_axes(model)
    frozen = {
        name: torch.zeros(unit_count(tuple(p.shape), axes[name]), dtype=torch.bool)
        for name, p in model.named_parameters()
        if name not in mask.units
    }
    return Mask({**mask.units, **frozen}, {**mask.axes, **{n: axes[n] for n in frozen}}, mask.info)
