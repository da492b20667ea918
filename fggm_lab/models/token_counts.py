"""How many tokens go through a model, forward and backward, by what they are spent on.

Counted are the passes through the model as a whole, where they happen: whoever calls the model,
a copy of it, or `generate` is counted, and padding apart. A step through one layer alone is not.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

WAYS = ("forward", "backward", "forward_padded", "backward_padded")
"""What is counted: tokens of each way, and with the padding beside them."""

TokenCounts = dict[str, dict[str, int]]
"""Purpose → way → tokens."""

_NOTHING = ""
_PURPOSE: ContextVar[str | None] = ContextVar("purpose", default=None)


def no_tokens(purposes: tuple[str, ...]) -> TokenCounts:
    """Counts of nothing yet, for each of some purposes."""
    return {purpose: dict.fromkeys(WAYS, 0) for purpose in purposes}


def add_counts(total: TokenCounts, counts: TokenCounts) -> None:
    """Add counts to others, in place."""
    for purpose, ways in counts.items():
        sums = total.setdefault(purpose, dict.fromkeys(WAYS, 0))
        for way, tokens in ways.items():
            sums[way] += tokens


def settle(counts: TokenCounts) -> None:
    """Turn counts that lie on a GPU into numbers, in place; a pass does not wait for them."""
    for ways in counts.values():
        for way, tokens in ways.items():
            ways[way] = int(tokens)


@contextmanager
def counted_as(purpose: str) -> Iterator[None]:
    """Inside, tokens are spent on `purpose`, unless this is inside `uncounted`."""
    token = _PURPOSE.set(_NOTHING if _PURPOSE.get() == _NOTHING else purpose)
    try:
        yield
    finally:
        _PURPOSE.reset(token)


@contextmanager
def uncounted() -> Iterator[None]:
    """Inside, no token counts: the model is only looked at."""
    token = _PURPOSE.set(_NOTHING)
    try:
        yield
    finally:
        _PURPOSE.reset(token)


def count_tokens(model: nn.Module, counts: Callable[[], TokenCounts]) -> RemovableHandle:
    """Count a model's tokens from here on, where `counted_as` says what they are spent on.

    A backward pass is counted where it arrives at the logits: again for each pass through the same
    graph, and not at all where nobody differentiates. Copies of the model, by `copy.deepcopy`,
    count into the same.

    Args:
        model: called as a model of transformers is.
        counts: gives what is counted into; asked at each pass. On a GPU `settle` makes it whole.

    Returns:
        A handle whose `remove()` ends the counting.
    """

    def add(purpose: str, way: str, tokens: int, padded: int) -> None:
        of_purpose = counts().setdefault(purpose, dict.fromkeys(WAYS, 0))
        of_purpose[way] = of_purpose[way] + tokens  # not in place: of a GPU both may be tensors
        of_purpose[f"{way}_padded"] += padded

    def after_forward(_: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        purpose = _PURPOSE.get()  # here, for a backward pass may run in another thread
        if not purpose:
            return
        size = _size(args, kwargs)
        add(purpose, "forward", *size)
        logits = getattr(output, "logits", None)
        if isinstance(logits, Tensor) and logits.requires_grad:
            logits.register_hook(lambda _: add(purpose, "backward", *size))

    return model.register_forward_hook(after_forward, with_kwargs=True)


def _size(args: Any, kwargs: Mapping[str, Any]) -> tuple[int, int]:
    """The size of a forward pass.

    With a cache the mask is that of the tokens before, too; those of this pass are the last.

    Returns:
        Its tokens without padding, which of a GPU is a tensor, and with it.
    """
    entries = [*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    rows, length = next(entry.shape[:2] for entry in entries if entry is not None)
    mask = kwargs.get("attention_mask")
    if mask is None or mask.ndim != 2:
        return rows * length, rows * length
    tokens = mask[:, -length:].sum()
    return int(tokens) if tokens.device.type == "cpu" else cast(int, tokens), rows * length
