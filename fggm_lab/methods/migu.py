"""MIGU (arXiv 2406.17245): at every step, only rows with large outputs keep their gradient."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.mask_settings import check_keep
from fggm_lab.methods.base import Method, TaskContext


@dataclass
class _Watch:
    """One linear layer's output magnitudes, summed over the tokens of a step."""

    total: Tensor | None = None
    tokens: int = 0
    handles: list[RemovableHandle] = field(default_factory=list)


@dataclass(frozen=True)
class MIGU(Method):
    """Mask by output magnitude, chosen anew at every optimiser step, linear layers only.

    n = |output| / Σ|output| per token, averaged over the step's tokens; within each layer the rows
    with the top `keep` of n keep their weight gradient. Biases, norms and embeddings are not
    masked. The defaults are those of the released code.

    Of an adapter (LoRA's BA) both matrices are masked: A's rows by A's output, B's by the output of
    the whole layer, W₀x + BAx (the released code's `activation_combined`). By B's own output the
    rows that moved first would win for good: it starts at zero.

    Attributes:
        keep: the share of rows that keep their gradient (the paper's threshold is 0.7).
        include_head: mask the output head, too; a tied embedding is then masked by the same rows.
        count_padding: let padding tokens count in the average.
        first_task: whether the first task is masked.
    """

    name: ClassVar[str] = "migu"
    paper: ClassVar[str] = "arXiv 2406.17245"
    masks: ClassVar[bool] = True

    keep: float = 0.3
    include_head: bool = True
    count_padding: bool = True
    first_task: bool = False
    _watches: dict[str, _Watch] = field(default_factory=dict, init=False, repr=False, compare=False)
    _padding: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_keep(self.keep)

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
            share = magnitude / magnitude.sum(dim=-1, keepdim=True).clamp_min(1e-30)
            counted = self._padding.get("tokens")
            # Layers that see tokens in another arrangement (experts) average over all they see.
            if counted is not None and counted.shape == share.shape[:-1]:
                share = share[counted]
            share = share.flatten(0, -2).float()
            total = share.sum(dim=0)
            watch.total = total if watch.total is None else watch.total + total
            watch.tokens += share.shape[0]

        return hook

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Zero the gradient of rows outside the top share; then reset the step's magnitudes."""
        transposed = {
            id(m.weight) for m in model.modules() if isinstance(m, Conv1D)
        }  # stored (in, out)
        for name, parameter in model.named_parameters():
            watch = self._watches.get(name)
            if watch is None or watch.total is None or parameter.grad is None:
                continue
            mean = watch.total / watch.tokens
            rows = torch.zeros_like(mean)
            rows[mean.topk(round(self.keep * len(mean))).indices] = 1
            axis = 1 if id(parameter) in transposed else 0
            parameter.grad.mul_(rows[None] if axis else rows[:, None])
            watch.total, watch.tokens = None, 0

    def finish(self) -> None:
        """Remove the hooks."""
        for watch in self._watches.values():
            for handle in watch.handles:
                handle.remove()
        self._watches.clear()
        self._padding.clear()


def adapted_layers(model: nn.Module) -> dict[int, nn.Module]:
    """The id of each adapter's B → the adapted layer it belongs to."""
    return {
        id(b): layer
        for layer in model.modules()
        if isinstance(matrices := getattr(layer, "lora_B", None), nn.ModuleDict)
        for b in matrices.values()
    }
