"""Models without weights: the real code runs on them, and no number of a large tensor exists.

Inside `Weightless` a tensor is one of two kinds. Large tensors of floats, and whatever is computed
from them, are torch's fake tensors: shape, type and storage size, no memory. Everything else (token
ids, masks, small vectors) is computed as ever, so that sizes which depend on ids, and what the lab
asks of a norm's few numbers, come out right. A single number computed from fake tensors, such as a
loss, is a real zero: it can be asked whether it is finite.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from fggm_lab.errors import ModelError, first_line

_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
"""What configs call the number of experts among which a router chooses by its numbers."""

_BY_NUMBERS = (
    DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException,
)  # fmt: skip
"""What fake tensors raise where they would have to know a number."""

_REMEDY = "load it and run it on a few examples instead (peak_memory_mb in a run's events)"

_REAL = 2**16
"""The most floats of a new tensor that is real."""


class Weightless(TorchDispatchMode):
    """Inside its `with` block, tensors of many floats take no memory and hold no numbers."""

    def __init__(self) -> None:
        super().__init__()
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, keywords)) if isinstance(leaf, Tensor)]
        if any(isinstance(tensor, FakeTensor) for tensor in inputs):
            with self._fake:
                out = func(*args, **keywords)
            return tree_map_only(FakeTensor, _zero_if_single, out)
        if not inputs and func.namespace == "aten":  # it makes a new tensor
            with self._fake:
                out = func(*args, **keywords)
            if isinstance(out, Tensor) and out.is_floating_point() and out.numel() > _REAL:
                return out
        return func(*args, **keywords)


def _zero_if_single(tensor: FakeTensor) -> Tensor:
    """A real zero in the place of a single number that is not known."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.numel() == 1 else tensor


@contextmanager
def weightless_model(config: PreTrainedConfig, dtype: torch.dtype) -> Iterator[PreTrainedModel]:
    """Build a causal language model without weights, in evaluation mode, on the CPU.

    Args:
        config: of the model.
        dtype: of the weights that it would have.

    Yields:
        The model, of use inside the block alone.

    Raises:
        ModelError: the config's fields contradict each other, or are no language model's; or the
            sizes of its tensors depend on numbers, as in a mixture of experts.
    """
    if any(getattr(config.get_text_config(), name, None) for name in _EXPERTS):
        raise ModelError(
            f"{config.model_type} is a mixture of experts, whose memory depends on which experts "
            f"its weights choose; {_REMEDY}"
        )
    with Weightless(), torch.random.fork_rng(devices=[]):
        try:
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
        except (TypeError, ValueError, KeyError, RuntimeError, ArithmeticError) as problem:
            raise ModelError(
                f"no model can be built from this config ({first_line(problem)}); check its "
                "model_type and sizes"
            ) from problem
        try:
            yield model.eval()
        except _BY_NUMBERS as problem:
            raise ModelError(
                f"the sizes of tensors in {type(model).__name__} depend on numbers "
                f"({first_line(problem)}), which a model without weights does not have; {_REMEDY}"
            ) from problem
