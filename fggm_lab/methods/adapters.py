"""What methods that train peft's adapters share: which layers they adapt, and the merge after."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn
from transformers import PreTrainedModel

from fggm_lab.checks import check_range
from fggm_lab.errors import OldVersion, SettingError, nearest
from fggm_lab.extras import require
from fggm_lab.methods.masking import linear_weights

if TYPE_CHECKING:
    from peft.tuners.tuners_utils import BaseTuner

ADAPTER = "default"
"""peft's usual name for an adapter; it is in the names of its parameters."""


def check_modules(modules: str | list[str]) -> None:
    """Check which layers are to be adapted.

    Args:
        modules: `linear`, or the ends of layers' names.

    Raises:
        SettingError: it is neither.
    """
    ends = modules if isinstance(modules, list) else []
    if modules != "linear" and not (ends and all(isinstance(end, str) for end in ends)):
        raise SettingError(
            f"modules is {modules!r}; give 'linear' or a list of the ends of layers' names"
        )


def check_above_zero(name: str, value: float) -> None:
    """Check a setting that a factor of zero would make pointless.

    Raises:
        SettingError: it is no finite number above 0.
    """
    check_range(name, value, 0)
    if value == 0:
        raise SettingError(f"{name} is 0, so nothing would be learned; it must be above 0")


def require_peft(method: str, config: str) -> None:
    """Check that peft is installed, and that it has a kind of adapter.

    Args:
        method: who needs it, for the message.
        config: the name of the adapter's configuration in peft.

    Raises:
        MissingExtra: peft is not installed.
        OldVersion: it is too old to have it.
    """
    require(method, "peft")
    import peft

    if not hasattr(peft, config):
        raise OldVersion(
            f"{method} needs peft's {config}, which peft {peft.__version__} does not have; install "
            "with: pip install --upgrade peft"
        )


def chosen_layers(model: PreTrainedModel, modules: str | list[str], method: str) -> list[str]:
    """Names of the layers to adapt.

    Args:
        model: the plain model.
        modules: `linear` (all linear layers but the output head), or the ends of layers' names.
        method: who asks, for the message.

    Returns:
        The layers' names, without `.weight`.

    Raises:
        SettingError: no layer's name ends in one of `modules`.
    """
    linear = [name.removesuffix(".weight") for name in sorted(linear_weights(model))]
    if isinstance(modules, str):
        return linear
    for end in modules:
        if not any(_ends(name, end) for name in linear):
            endings = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
            raise SettingError(
                f"{method}'s modules has '{end}', which no linear layer's name ends in; there are: "
                f"{', '.join(endings)}{nearest(end, endings)}"
            )
    return [name for name in linear if any(_ends(name, end) for end in modules)]


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def check_linear(model: PreTrainedModel, layers: Sequence[str], method: str) -> None:
    """Check that layers are of the one kind that peft's newer adapters take.

    Args:
        model: the plain model.
        layers: names of layers.
        method: who asks, for the message.

    Raises:
        SettingError: one is no `torch.nn.Linear`.
    """
    for name in layers:
        layer = model.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise SettingError(
                f"{method}: {name} is a {type(layer).__name__}, and peft adapts torch.nn.Linear "
                "alone here; use lora, or a model with such layers"
            )


@contextmanager
def merged_afterwards(
    model: PreTrainedModel, insert: "Callable[[PreTrainedModel], BaseTuner]"
) -> Iterator[None]:
    """Inside, adapters alone train; afterwards, whatever happened, they are in the weights.

    Args:
        model: the plain model.
        insert: puts fresh adapters into it.

    Yields:
        Nothing; the model is a plain one again afterwards, and trains what it trained.
    """
    trains = {name: p.requires_grad for name, p in model.named_parameters()}
    adapters = insert(model)
    try:
        yield
    finally:
        adapters.merge_and_unload()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trains[name])
