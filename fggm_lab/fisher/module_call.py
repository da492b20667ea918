"""One call of a module in a batched pass, and how its tensors divide into examples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Layout:
    """The batch a pass works on: `batch` examples of `length` tokens each."""

    batch: int
    length: int

    def split(self, x: Tensor, ndim: int) -> Tensor | None:
        """Divide a tensor by examples.

        Args:
            x: (batch, …), or (batch · length, …) as mixtures of experts flatten it. If the batch is
                one example, any tensor is that example's.
            ndim: the least number of axes of the result.

        Returns:
            (batch, …) with at least `ndim` axes; None if it cannot be divided so.
        """
        if x.ndim >= ndim and x.shape[0] == self.batch:
            return x
        if x.ndim >= ndim - 1 and x.ndim > 0 and x.shape[0] == self.batch * self.length:
            return x.unflatten(0, (self.batch, self.length))
        return x[None] if self.batch == 1 else None


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one call of a module, and the gradients at its outputs.

    Attributes:
        module: the module.
        args: its positional arguments.
        kwargs: its keyword arguments.
        layout: the batch's.
        outputs: which of the returned tensors the gradients belong to, in order.
        gradients: at these outputs; None for one the objective does not depend on.
        returned: what the module returned, if the rule wants to see it.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    layout: Layout
    outputs: tuple[int, ...]
    gradients: tuple[Tensor | None, ...]
    returned: Any = None

    def arguments(self) -> list[Any]:
        """All arguments in order, positional ones first."""
        return [*self.args, *self.kwargs.values()]


def tensors_of(value: Any) -> Iterator[Tensor]:
    """The tensors in what a module takes or returns: one, or some in a tuple or list."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors_of(item)


def mapped(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """`value` with every tensor in it, in tuples, lists and dictionaries too, replaced."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        return {name: mapped(item, function) for name, item in value.items()}
    if isinstance(value, tuple | list):
        items = [mapped(item, function) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
