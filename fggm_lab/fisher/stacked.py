"""Gradients of stacked weights (experts, out, in), of which an example uses only some slices."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fggm_lab.fisher.factors import CHUNK, Dense, GramCache, Part, Reduce, example_squares


@dataclass(frozen=True, slots=True)
class Slice:
    """The gradient part of one slice of a stacked weight.

    Attributes:
        index: which slice.
        examples: (b,) the examples that used it, ascending.
        part: their gradients, for these b examples.
    """

    index: int
    examples: Tensor
    part: Dense


@dataclass(frozen=True, slots=True)
class Stacked:
    """A gradient part that touches some slices, for some of `batch` examples."""

    batch: int
    slices: Sequence[Slice]


Piece = Part | Stacked
"""A part of a parameter's gradient, in any form."""


def squares_of(
    pieces: Sequence[Piece],
    shape: tuple[int, ...],
    reduce: Reduce,
    cache: GramCache | None = None,
    whole: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Every example's squared gradient, summed within each unit: (B, units).

    Args:
        pieces: all parts of one parameter's gradient, stacked or not, of the same B examples.
        shape, reduce, cache, whole, chunk: as in `example_squares`.
    """
    stacked = [piece for piece in pieces if isinstance(piece, Stacked)]
    plain = [piece for piece in pieces if not isinstance(piece, Stacked)]
    if stacked:
        return stacked_squares(stacked, shape, reduce, whole, chunk)
    return example_squares(plain, shape, reduce, cache, whole, chunk)


def stacked_squares(
    parts: Sequence[Stacked],
    shape: tuple[int, ...],
    reduce: Reduce,
    whole: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Every example's squared gradient, summed within each unit of each slice: (B, units).

    Args:
        parts: all parts of one parameter's gradient, of the same B examples.
        shape: the parameter's, (slices, rows, columns).
        reduce: what a unit is.
        whole: of the parameter's shape; gets Σ_b of every squared entry added, in place.
        chunk: the most numbers a temporary may hold, as far as one row of one example allows.
    """
    units = shape[1] if reduce == "rows" else shape[2]
    batch = parts[0].batch
    used: dict[int, list[Slice]] = {}
    for part in parts:
        for piece in part.slices:
            used.setdefault(piece.index, []).append(piece)
    out: Tensor | None = None
    for index, pieces in used.items():
        examples, dense = _aligned(pieces, batch)
        target = None if whole is None else whole[index]
        squares = example_squares(dense, shape[1:], reduce, None, target, chunk)
        if out is None:
            out = squares.new_zeros(batch, shape[0], units)
        out[examples, index] = squares
    assert out is not None  # a call without any token has no parts
    return out.flatten(1)


def _aligned(pieces: list[Slice], batch: int) -> tuple[Tensor, list[Dense]]:
    """One slice's parts from several calls, all made to speak of all examples."""
    if len(pieces) == 1:
        return pieces[0].examples, [pieces[0].part]
    everyone = torch.arange(batch, device=pieces[0].examples.device)
    return everyone, [
        Dense(
            *(
                side.new_zeros(batch, *side.shape[1:]).index_copy_(0, piece.examples, side)
                for side in (piece.part.left, piece.part.right)
            )
        )
        for piece in pieces
    ]
