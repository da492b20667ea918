"""LoRA (arXiv 2106.09685): freeze the weights, train two thin matrices beside each, add them up."""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.checks import check_count, check_range
from fggm_lab.deprecation import RENAMED_SETTINGS, renamed_arguments
from fggm_lab.extras import require
from fggm_lab.methods.adapters import (
    ADAPTER,
    check_above_zero,
    check_modules,
    chosen_layers,
    merged_afterwards,
)
from fggm_lab.methods.base import Method, TaskContext

if TYPE_CHECKING:
    from peft import LoraModel


@renamed_arguments(**RENAMED_SETTINGS["lora"])
@dataclass(frozen=True)
class LoRA(Method):
    """Train a fresh adapter for each task, and merge it into the weights when the task ends.

    W = W₀ + α/r · BA, W₀ frozen, A (r, in) drawn from the run's seed and the task, B (out, r) zero
    at first (equation 3). Merged, the model is a plain one that moved by rank r at most in every
    adapted weight; whatever else it has (embeddings, norms, biases, the head) did not move.

    The adapters' units are the rows of A and B. B's rows are the output units of W: with row i of B
    frozen at zero, row i of W stays as it was, bit for bit. A's rows are directions of the input
    that all of W's rows share, and while B is zero their gradient and Fisher scores are zero, too.
    So a method that chooses units before a task, such as FGGM, chooses among B's rows, and A trains
    whole. For A drawn at random, the mean of row i's Fisher score in B is that of row i in W, up to
    a factor common to all of W's rows.

    Attributes:
        rank: r.
        alpha: α; a weight's update is scaled by α/r.
        dropout: the share of an adapter's inputs that are dropped in training.
        modules: the layers that are adapted: `linear` (all linear layers but the output head), or
            the ends of their names, such as `["q_proj", "v_proj"]`.
        lr_scale: the factor by which the run's learning rate is multiplied for adapters (10 in
            arXiv 2601.18261: 1e-4 instead of 1e-5).
    """

    name: ClassVar[str] = "lora"
    paper: ClassVar[str] = "arXiv 2106.09685, equation 3"
    adapts: ClassVar[bool] = True

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    modules: str | list[str] = "linear"
    lr_scale: float = 10.0

    def __post_init__(self) -> None:
        check_count("rank", self.rank)
        for name in ("alpha", "lr_scale"):
            check_above_zero(name, getattr(self, name))
        check_range("dropout", self.dropout, 0, 0.99)
        check_modules(self.modules)

    def check(self, tasks: int) -> None:
        """Raise a `MissingExtra` if peft, which makes the adapters, is not installed."""
        require("LoRA", "peft")

    def adapted(self, context: TaskContext) -> AbstractContextManager[None]:
        """Inside, adapters alone train; afterwards, whatever happened, they are merged."""
        return merged_afterwards(context.model, lambda model: self._insert(model, context))

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """The model before the task, with the adapters as they were drawn for it."""
        model = context.before()
        self._insert(model, context)
        return model

    def _insert(self, model: PreTrainedModel, context: TaskContext) -> "LoraModel":
        """Put fresh adapters into the model, in place."""
        require("LoRA", "peft")
        from peft import LoraConfig, LoraModel  # takes seconds to import

        layers = chosen_layers(model, self.modules, "lora")
        kinds = {type(model.get_submodule(name)) for name in layers}
        settings = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # any number does
            lora_dropout=self.dropout,
            target_modules=layers,
            fan_in_fan_out=kinds == {Conv1D},
            init_lora_weights=False,
        )
        with torch.random.fork_rng(devices=[]):
            adapters = LoraModel(model, settings, ADAPTER)
        draw(adapters, torch.Generator().manual_seed(context.seed_for("adapters")))
        return adapters


def factors(model: nn.Module) -> dict[str, tuple[nn.Parameter, nn.Parameter]]:
    """Adapted layer → A (r, in) and B (out, r)."""
    return {
        name: (module.lora_A[ADAPTER].weight, module.lora_B[ADAPTER].weight)
        for name, module in model.named_modules()
        if isinstance(getattr(module, "lora_A", None), nn.ModuleDict)
    }


@torch.no_grad()
def draw(model: nn.Module, rng: torch.Generator) -> None:
    """Draw every A, (r, in), as nn.Linear does, uniform in ±1/√in; set every B to zero."""
    for a, b in factors(model).values():
        fresh: Tensor = torch.empty(a.shape)
        nn.init.kaiming_uniform_(fresh, a=math.sqrt(5), generator=rng)
        a.copy_(fresh)
        b.zero_()
