"""MIGU (arXiv 2406.17245): at every step, only rows with large outputs keep their gradient."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.checks import check_choice
from fggm_lab.distributed import all_reduce, world_size
from fggm_lab.mask_settings import check_keep, check_moves
from fggm_lab.methods.base import Method, TaskContext

Magnitude = Literal["share", "sum"]
"""How a token counts: by the share of each output in the token's outputs, or by the outputs."""


@dataclass
class _Watch:
    """One linear layer's output magnitudes, summed over the tokens of a step."""

    total: Tensor | None = None
    handles: list[RemovableHandle] = field(default_factory=list)


@dataclass(frozen=True)
class MIGU(Method):
    """Mask by output magnitude, chosen anew at every optimiser step, linear layers only.

    Within each layer the rows with the top `keep` of n keep their weight gradient, n being a row's
    output magnitude over the step's tokens. Biases, norms and embeddings are not masked.

    As we understand the paper, n is |output| / Σ|output| of each token, averaged over the tokens:
    `magnitude="share"`. The released code (github.com/wenyudu/MIGU, `uie_trainer_ft.py`) sums
    |output| over the tokens as they are: `magnitude="sum"`, by which a token with large outputs
    counts for more. Everything else here is as in that code: it masks the head, counts padding, and
    leaves the first task unmasked.

    Of an adapter (LoRA's BA) both matrices are masked: A's rows by A's output, B's by the output of
    the whole layer, W₀x + BAx (the released code's `activation_combined`). By B's own output the
    rows that moved first would win for good: it starts at zero.

    Attributes:
        keep: the share of rows that keep their gradient (the paper's threshold is 0.7).
        magnitude: `share`, the paper's, or `sum`, the released code's.
        include_head: mask the output head, too; a tied embedding is then masked by the same rows.
        count_padding: let padding tokens count in the average.
        first_task: whether the first task is masked, too; by default not, as in the released code
            (FGGM and its controls mask it: set both alike to compare them).
    """

    name: ClassVar[str] = "migu"
    paper: ClassVar[str] = "arXiv 2406.17245"
    masks: ClassVar[bool] = True

    keep: float = 0.3
    magnitude: Magnitude = "share"
    include_head: bool = True
    count_padding: bool = True
    first_task: bool = False
    _watches: dict[str, _Watch] = field(default_factory=dict, init=False, repr=False, compare=False)
    _padding: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_keep(self.keep)
        check_choice("magnitude", self.magnitude, Magnitude)

    def check_model(self, model: PreTrainedModel) -> None:
        """Raise a `SettingError` if `keep` lets no row of any linear layer move."""
        rows = {
            name: module.weight.shape[isinstance(module, Conv1D)]
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear | Conv1D)
        }
        check_moves(self.keep, "parameter", rows)

    def start(self, context: TaskContext) -> None:
        """Watch the outputs of linear layers, unless this is an unmasked first task."""
        if context.index == 0 and not self.first_task:
            return
        model = context.model
        head = model.get_output_embeddings()
        names: dict[int, str] = {id(p): name for name, p in model.named_parameters()}
        adapted = adapted_layers(model)
        for module in model.modules():
            if not isinstance(module, nn.Linear | Conv1D) or (
                module is head and not self.include_head
            ):
                continue
            if not module.weight.requires_grad:
                continue
            watch = self._watches.setdefault(names[id(module.weight)], _Watch())
            watched = adapted.get(id(module), module)
            watch.handles.append(watched.register_forward_hook(self._measure(watch)))
        handle = model.register_forward_pre_hook(self._note_padding, with_kwargs=True)
        next(iter(self._watches.values())).handles.append(handle)

    def _note_padding(self, model: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        attention = kwargs.get("attention_mask")
        if attention is not None and not self.count_padding:
            self._padding["tokens"] = attention.bool()
        else:
            self._padding.clear()

    def _measure(self, watch: _Watch) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if not module.training:
                return
            magnitude = output.detach().abs()
            if self.magnitude == "share":
                magnitude = magnitude / magnitude.sum(dim=-1, keepdim=True).clamp_min(1e-30)
            counted = self._padding.get("tokens")
            # Layers that see tokens in another arrangement (experts) count all they see.
            if counted is not None and counted.shape == magnitude.shape[:-1]:
                magnitude = magnitude[counted]
            total = magnitude.flatten(0, -2).float().sum(dim=0)
            watch.total = total if watch.total is None else watch.total + total

        return hook

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Zero the gradient of rows outside the top share; then reset the step's magnitudes."""
        transposed = {
            id(m.weight) for m in model.modules() if isinstance(m, Conv1D)
        }  # stored (in, out)
        parameters = dict(model.named_parameters())
        if world_size() > 1 and self._watches:
            self._sum_over_ranks(
                {
                    name: parameters[name].shape[id(parameters[name]) in transposed]
                    for name in self._watches
                },
                model.device,
            )
        for name, rows in self.rows().items():
            gradient = parameters[name].grad
            if gradient is None:
                continue
            gradient.mul_(rows[None] if id(parameters[name]) in transposed else rows[:, None])
            self._watches[name].total = None

    def _sum_over_ranks(self, rows: dict[str, int], device: torch.device) -> None:
        """Give each layer its magnitudes over the tokens of all ranks.

        Args:
            rows: watched weight → how many rows it has; a rank may have seen none of its outputs.
            device: the model's.
        """
        totals = [
            torch.zeros(rows[name], device=device) if watch.total is None else watch.total
            for name, watch in self._watches.items()
        ]
        flat = torch.cat(totals)
        all_reduce([flat])
        for watch, total in zip(
            self._watches.values(), flat.split(list(rows.values())), strict=True
        ):
            watch.total = total if bool(total.any()) else None

    def rows(self) -> dict[str, Tensor]:
        """The rows that keep their gradient, by the outputs since the last step.

        Returns:
            Name of a watched weight → (out,), bool; those whose layer gave no output are left out.
        """
        return {
            name: top_rows(watch.total, self.keep)
            for name, watch in self._watches.items()
            if watch.total is not None
        }

    def finish(self) -> None:
        """Remove the hooks."""
        for watch in self._watches.values():
            for handle in watch.handles:
                handle.remove()
        self._watches.clear()
        self._padding.clear()


def top_rows(magnitudes: Tensor, keep: float) -> Tensor:
    """Which rows of a layer keep their gradient.

    Args:
        magnitudes: (out,), over a step's tokens; a mean or a sum, for only their order counts.
        keep: the share of rows that keep it.

    Returns:
        (out,), bool: True for the top round(keep · out) rows.
    """
    rows = torch.zeros_like(magnitudes, dtype=torch.bool)
    rows[magnitudes.topk(round(keep * len(rows))).indices] = True
    return rows


def adapted_layers(model: nn.Module) -> dict[int, nn.Module]:
    """The id of each adapter's B → the adapted layer it belongs to."""
    return {
        id(b): layer
        for layer in model.modules()
        if isinstance(matrices := getattr(layer, "lora_B", None), nn.ModuleDict)
        for b in matrices.values()
    }
