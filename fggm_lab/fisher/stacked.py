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
    entry_sums: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Sum every example's squared gradient within each unit.

    Args:
        pieces: all parts of one parameter's gradient, stacked or not, of the same B examples.
        shape: the parameter's shape.
        reduce: whether a unit is a row or a column.
        cache: shares Gram matrices between calls.
        entry_sums: a tensor of the parameter's shape, to which every entry's squares, summed over
            the examples, are added in place; None if they are not wanted.
        chunk: the most numbers a temporary may hold, as far as one row of one example allows.

    Returns:
        (B, units) sums of squares.
    """
    stacked = [piece for piece in pieces if isinstance(piece, Stacked)]
    plain = [piece for piece in pieces if not isinstance(piece, Stacked)]
    if stacked:
        return stacked_squares(stacked, shape, reduce, entry_sums, chunk)
    return example_squares(plain, shape, reduce, cache, entry_sums, chunk)


def stacked_squares(
    parts: Sequence[Stacked],
    shape: tuple[int, ...],
    reduce: Reduce,
    entry_sums: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Sum every example's squared gradient within each unit of each slice.

    Args:
        parts: all parts of one parameter's gradient, of the same B examples.
        shape: the parameter's, (slices, rows, columns).
        reduce: whether a unit is a row or a column.
        entry_sums: of the parameter's shape; gets Σ_b of every squared entry added, in place.
        chunk: the most numbers a temporary may hold, as far as one row of one example allows.

    Returns:
        (B, slices · units) sums of squares.
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
        target = None if entry_sums is None else entry_sums[index]
        squares = example_squares(dense, shape[1:], reduce, None, target, chunk)
        if out is None:
            out = squares.new_zeros(batch, shape[0], units)
        out[examples, index] = squares
    assert out is not None  # a call without any token has no parts
    return out.flatten(1)


def _aligned(pieces: list[Slice], batch: int) -> tuple[Tensor, list[Dense]]:
    """One slice's parts from several calls, extended with zeros to the same examples."""
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
