"""Scoring a model that FSDP2 has cut into shards."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from torch import nn

from fggm_lab.distributed import world
from fggm_lab.models.sharding import is_sharded, whole_weights

P = ParamSpec("P")
R = TypeVar("R")


def on_whole_weights(score: Callable[P, R]) -> Callable[P, R]:
    """Let a function that scores its first argument, `model`, score a sharded one, too.

    Args:
        score: scores a plain model, and shares the examples among the ranks of a world.

    Returns:
        The same function. Every rank calls it with the same examples; it gathers the whole weights,
        scores its share, and all get the sum.
    """

    @wraps(score)
    def scored(*args: P.args, **kwargs: P.kwargs) -> R:
        model = args[0] if args else kwargs.get("model")
        if not (isinstance(model, nn.Module) and is_sharded(model)):
            return score(*args, **kwargs)
        with whole_weights(model), world():
            return score(*args, **kwargs)

    return scored
