"""One masked training of a model at a time: what an interrupted one left is closed."""

import warnings
from typing import Any, Protocol
from weakref import WeakSet

from torch import nn


class Masking(Protocol):
    """What holds frozen units still until it is closed."""

    @property
    def model(self) -> nn.Module: ...
    @property
    def owner(self) -> object: ...
    def close(self) -> None: ...


_OPEN: WeakSet[Any] = WeakSet()
"""Every masking that is not closed. Whatever a masking hangs on (a hook, an optimiser) keeps it
alive, so that the set need not."""


def note_open(masking: Masking) -> None:
    """Note down a masking that begins."""
    _OPEN.add(masking)


def note_closed(masking: Masking) -> None:
    """Forget a masking that was closed."""
    _OPEN.discard(masking)


def open_maskings(model: nn.Module) -> list[Any]:
    """The maskings that are open on a model, or on one that shares parameters with it."""
    parameters = {id(parameter) for parameter in model.parameters()}
    return [
        masking
        for masking in list(_OPEN)
        if any(id(parameter) in parameters for parameter in masking.model.parameters())
    ]


def close_earlier(model: nn.Module, spare: object | None = None) -> None:
    """Close the maskings that are open on a model, with a warning.

    Args:
        model: that is to be trained anew.
        spare: leave those of this owner alone, a Trainer whose callbacks begin one after another.
    """
    for masking in open_maskings(model):
        if spare is not None and masking.owner is spare:
            continue
        masking.close()
        warn_of_earlier(masking)


def warn_of_earlier(masking: Masking) -> None:
    """Say that a training was not closed, and is by now."""
    warnings.warn(
        f"an earlier training of this {type(masking.model).__name__} under a mask was interrupted "
        f"or not closed ({type(masking).__name__}); it is closed now, and the weights are as it "
        "left them",
        stacklevel=3,
    )
