"""Scores and masks written down by hand."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import Mask, MaskInfo

KEEPS = (0.01, 0.05, 0.1, 0.25, 0.3, 0.5, 0.7, 0.999, 1, 1.0)


def scores_of(**units: Tensor) -> FisherScores:
    """Scores of parameters with the given values."""
    info = FisherInfo("empirical", "input", 1, 1, "0" * 16, task="FOMC")
    return FisherScores(units, dict.fromkeys(units, 0), None, info)


def uneven_scores() -> FisherScores:
    """Spread, tied, all-zero, single and odd-sized parameters."""
    rng = torch.Generator().manual_seed(3)
    return scores_of(
        spread=torch.rand(101, generator=rng),
        tied=torch.randint(0, 3, (50,), generator=rng).float(),
        zero=torch.zeros(37),
        one=torch.tensor([2.0]),
        equal=torch.full((5,), 0.5),
    )


def mask_of(**units: list[int]) -> Mask:
    """A mask with the given bits."""
    bits = {name: torch.tensor(values, dtype=torch.bool) for name, values in units.items()}
    return Mask(bits, dict.fromkeys(bits, 0), MaskInfo(0.5, "parameter", "top"))


def mask_with_counts(sizes: Sequence[tuple[int, int]]) -> Mask:
    """A mask with (units, kept units) of each parameter."""
    return mask_of(**{f"p{i}": [1] * k + [0] * (n - k) for i, (n, k) in enumerate(sizes)})
