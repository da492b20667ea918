"""Squares of stacked weights, used by some examples in some slices, equal those written out."""

import pytest
import torch
from torch import Tensor

from fggm_lab.fisher.factors import Dense, Reduce
from fggm_lab.fisher.stacked import Slice, Stacked, squares_of

B, SLICES, OUT, IN = 3, 4, 6, 5

USES = {
    "once": [[(0, (0, 2), 3), (3, (1,), 1)]],
    "twice, overlapping": [[(0, (0, 2), 3), (1, (0, 1, 2), 2)], [(0, (1, 2), 4), (2, (0,), 2)]],
}
"""Calls, each a list of (slice, the examples that use it, how many tokens each)."""


def parts_of(uses: str) -> list[Stacked]:
    make = torch.Generator().manual_seed(3)

    def rand(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=make)

    return [
        Stacked(
            B,
            [
                Slice(at, torch.tensor(who), Dense(rand(len(who), n, OUT), rand(len(who), n, IN)))
                for at, who, n in call
            ],
        )
        for call in USES[uses]
    ]


@pytest.mark.parametrize("uses", USES)
@pytest.mark.parametrize("reduce", ["rows", "columns"])
@pytest.mark.parametrize("chunk", [1, 2**20])
@pytest.mark.parametrize("elementwise", [True, False])
def test_as_written_out(uses: str, reduce: Reduce, chunk: int, elementwise: bool) -> None:
    parts = parts_of(uses)
    full = torch.zeros(B, SLICES, OUT, IN, dtype=torch.float64)
    for part in parts:
        for piece in part.slices:
            for row, example in enumerate(piece.examples.tolist()):
                full[example, piece.index] += piece.part.left[row].T @ piece.part.right[row]
    entry_sums = torch.zeros(SLICES, OUT, IN, dtype=torch.float64) if elementwise else None
    squares_by_unit = squares_of(parts, (SLICES, OUT, IN), reduce, None, entry_sums, chunk)
    units = full.square().sum(3 if reduce == "rows" else 2).flatten(1)
    torch.testing.assert_close(squares_by_unit, units)
    if entry_sums is not None:
        torch.testing.assert_close(entry_sums, full.square().sum(0))
