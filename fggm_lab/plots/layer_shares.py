"""The share of each layer that moves under a keep share, and the lowest score that moves."""

from typing import NamedTuple

from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import SCOPES, Mask, Scope
from fggm_lab.masks.mask import count_bits
from fggm_lab.models.names import layer_name, split_name


class LayerShare(NamedTuple):
    """How many units of one layer a mask lets move.

    Attributes:
        layer: `layer 0`, …, or `outside layers` for embeddings, the final norm and the head.
        moved, units: how many units may move, and how many there are.
        share: moved / units.
    """

    layer: str
    moved: int
    units: int
    share: float


def share_per_layer(
    scores: FisherScores, keep: float, scope: Scope = "parameter"
) -> list[LayerShare]:
    """The share of each layer's units that `Mask.top(scores, keep, scope)` lets move.

    Returns:
        One row per layer that has units, in the model's order of layers, what lies outside last.

    Raises:
        SettingError: `keep` or `scope` is outside what it may be.
    """
    return _shares(Mask.top(scores, keep, scope))


class Cut(NamedTuple):
    """The units that move under one keep share and one scope.

    Attributes:
        keep: the keep share.
        lowest: the lowest score that moves; None if none does.
        shares: what moves of each layer.
    """

    keep: float
    lowest: float | None
    shares: list[LayerShare]


def cuts(scores: FisherScores, keep: float) -> dict[Scope, Cut]:
    """For each scope: the lowest score that moves, and each layer's share."""
    if not any(s.numel() for s in scores.units.values()):
        raise SettingError("the Fisher scores have no units to draw; score a model's parameters")
    masks = {name: Mask.top(scores, keep, name) for name in SCOPES}
    return {n: Cut(keep, lowest_moving(scores, m), _shares(m)) for n, m in masks.items()}


def _shares(mask: Mask) -> list[LayerShare]:
    moved: dict[int | None, int] = {}
    units: dict[int | None, int] = {}
    for name, bits in mask.units.items():
        layer = split_name(name).layer
        moved[layer] = moved.get(layer, 0) + count_bits(bits)
        units[layer] = units.get(layer, 0) + bits.numel()
    return [
        LayerShare(layer_name(layer), moved[layer], units[layer], moved[layer] / units[layer])
        for layer in sorted(units, key=lambda n: (n is None, n or 0))
        if units[layer]
    ]


def lowest_moving(scores: FisherScores, mask: Mask) -> float | None:
    """The lowest score among the units a mask lets move; None if it moves none."""
    moving = [scores.units[n].cpu().numpy()[b.cpu().numpy()] for n, b in mask.units.items()]
    return min((float(values.min()) for values in moving if values.size), default=None)
