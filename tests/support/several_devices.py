"""A model whose layers lie on two devices, where there is one: it has places, and no numbers.

Torch's fake tensors know on which device each of them lies, and refuse what a GPU refuses: an
operation over two devices. So they tell whether the lab moves what it must, and nothing of numbers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.hooks import (
    AlignDevicesHook,
    add_hook_to_module,
    attach_execution_device_hook,
)
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from transformers import PreTrainedModel

from tests.support.families import tiny_model

DEVICES = ("cpu", "cpu:1")
"""Two names that fake tensors tell apart; real ones do not."""


class DeviceFakes(FakeTensorMode):
    """Fake tensors that answer what code asks of numbers, as a sound model's would."""

    def __init__(self, *, anything: bool) -> None:
        """Args:
        anything: whether something is true of the numbers, such as that one of them is not zero.
        """
        super().__init__(allow_non_fake_inputs=True)
        self._anything = anything

    def dispatch(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, object] | None = None
    ) -> object:
        try:
            return super().dispatch(func, types, args, kwargs or {})
        except (DataDependentOutputException, DynamicOutputShapeException):
            (tensor, *_), name = args, str(func)
            if "allclose" in name:
                return True
            if "_local_scalar_dense" in name:
                if tensor.dtype == torch.bool:
                    return self._anything
                return 0.0 if tensor.is_floating_point() else 1
            if "_unique2" in name:  # as if all were different
                index = torch.empty_like(tensor)
                return tensor.flatten(), index, index.flatten()
            raise


@contextmanager
def split_model(*, anything: bool = False) -> Iterator[PreTrainedModel]:
    """A small Llama, its second layer, last norm and head on the second device.

    Its inputs and outputs are on the first one, as accelerate arranges it for `device_map`.

    Args:
        anything: as `DeviceFakes` takes it.

    Yields:
        The model, of use inside the block.
    """
    model = tiny_model("llama", tied=False)
    inner = model.model
    with DeviceFakes(anything=anything):
        for module in (inner.layers[1], inner.norm, model.lm_head):
            _move(module, DEVICES[1])
        for module in (inner.embed_tokens, inner.layers[0], inner.rotary_emb):
            _move(module, DEVICES[0])
        add_hook_to_module(model, AlignDevicesHook(DEVICES[0], io_same_device=True))
        yield model


def _move(module: nn.Module, device: str) -> None:
    """Give a module fake tensors of the same sizes elsewhere, and accelerate's hooks."""
    for part in module.modules():
        for name, weight in part.named_parameters(recurse=False):
            part.register_parameter(name, nn.Parameter(torch.empty_like(weight, device=device)))
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, torch.empty_like(buffer, device=device))
    add_hook_to_module(module, AlignDevicesHook(device))
    for child in module.children():
        attach_execution_device_hook(child, device)
