"""Per-example gradients kept as factors, and the sums of their squares without forming them.

A weight's gradient for example b is Σ_t l_t r_tᵀ over positions t: for a linear layer l is the
gradient at the output and r the input, for an embedding l is one-hot. With K = R Rᵀ (T × T) the
squared norm of its row i is l_iᵀ K l_i, so the row scores cost T²(in + out) multiply-adds and
nothing of the weight's size is stored (the identity behind per-example gradient norms: Goodfellow,
arXiv 1510.01799; here per row). Parts of one gradient from several uses of a weight, such as a
tied embedding and head, are added before the square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Reduce = Literal["rows", "columns", "entries"]
"""Which sums of squares to return: per row (axis 0), per column (axis 1), or every entry."""

CHUNK = 2**24
"""The most numbers a temporary may hold (64 MB in float32)."""

_BLOCK = 16
"""The fewest positions worth a matrix product of their own."""

_PASS = 16
"""Reading and squaring one number costs about as much as this many multiply-adds in a product."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A gradient part Σ_t left_t right_tᵀ: left (B, T, rows), right (B, T, columns)."""

    left: Tensor
    right: Tensor


@dataclass(frozen=True, slots=True)
class Scattered:
    """A gradient part that adds values (B, T, columns) to the rows named by ids (B, T)."""

    ids: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True)
class Entries:
    """A vector's gradient per example, (B, *shape), already summed over positions."""

    values: Tensor


Part = Dense | Scattered | Entries


class GramCache:
    """The last K = X Xᵀ: layers that share an input (query, key, value) share its Gram matrix."""

    def __init__(self) -> None:
        self._of: Tensor | None = None
        self._gram: Tensor | None = None

    def holds(self, x: Tensor) -> bool:
        """Whether X's Gram matrix needs no computing."""
        return self._of is x

    def gram(self, x: Tensor) -> Tensor:
        """X (B, T, n) → X Xᵀ (B, T, T), in at least float32."""
        if self._of is not x or self._gram is None:
            wide = widen(x)
            self._of, self._gram = x, wide @ wide.transpose(1, 2)
        return self._gram

    def clear(self) -> None:
        """Let go of the tensors."""
        self._of = self._gram = None


def widen(x: Tensor) -> Tensor:
    """`x` in at least float32: half-precision squares under- and overflow."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def add_squares(
    total: Tensor, parts: Sequence[Part], reduce: Reduce, cache: GramCache | None = None
) -> None:
    """Add Σ_b (Σ parts of example b)², reduced, to `total`.

    Args:
        total: (rows,), (columns,) or the parameter's shape, by `reduce`; changed in place.
        parts: all parts of one parameter's gradient, of the same B examples.
        reduce: what to sum the squares over; vectors always keep their entries.
        cache: shares Gram matrices between calls.
    """
    vectors = [p.values for p in parts if isinstance(p, Entries)]
    if vectors:
        total += widen(sum(vectors[1:], start=vectors[0])).square().sum(0)
        return
    dense = _joined([p for p in parts if isinstance(p, Dense)])
    scattered = _joined_scatter([p for p in parts if isinstance(p, Scattered)])
    if dense is not None:
        _add_dense(total, dense, reduce, cache or GramCache())
    if scattered is not None:
        _add_scattered(total, scattered, reduce)
    if dense is not None and scattered is not None:
        _add_cross(total, dense, scattered, reduce)


def _joined(parts: list[Dense]) -> Dense | None:
    """Several uses as one, laid end to end along the positions."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Dense(torch.cat([p.left for p in parts], 1), torch.cat([p.right for p in parts], 1))


def _joined_scatter(parts: list[Scattered]) -> Scattered | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Scattered(torch.cat([p.ids for p in parts], 1), torch.cat([p.values for p in parts], 1))


def _spans(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` things whose every thing takes `each` numbers, within CHUNK numbers."""
    step = max(1, CHUNK // max(1, each))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def prefers_gram(length: int, own: int, other: int, shared: bool) -> bool:
    """Whether T × T products are cheaper than forming the (own × other) gradient.

    Args:
        length: T, positions per example.
        own: units.
        other: entries per unit.
        shared: the Gram matrix is there already.
    """
    gram = length * length * (0.65 * own + (0 if shared else other)) + _PASS * length * own
    return gram < length * own * other + _PASS * own * other


def _add_dense(total: Tensor, part: Dense, reduce: Reduce, cache: GramCache) -> None:
    """Σ_b of the squares of L_bᵀ R_b."""
    if reduce == "entries":
        left, right = widen(part.left), widen(part.right)
        for rows in _spans(left.shape[2], right.shape[2]):
            for some in _spans(left.shape[0], (rows.stop - rows.start) * right.shape[2]):
                total[rows] += _product(left[some, :, rows], right[some]).square_().sum(0)
        return
    own, other = (part.left, part.right) if reduce == "rows" else (part.right, part.left)
    batch, length, units = own.shape
    if prefers_gram(length, units, other.shape[2], cache.holds(other)):
        gram = cache.gram(other)
        for some in _spans(batch, length * units):
            _add_quadratic(total, gram[some], widen(own[some]))
        return
    wide_own, wide_other = widen(own), widen(other)
    for rows in _spans(units, other.shape[2]):
        for some in _spans(batch, (rows.stop - rows.start) * other.shape[2]):
            product = _product(wide_own[some, :, rows], wide_other[some])
            total[rows] += product.square_().sum((0, 2))


def _add_quadratic(total: Tensor, gram: Tensor, own: Tensor) -> None:
    """Σ_b g_iᵀ K g_i for every column i of own (b, T, units), K = gram (b, T, T) symmetric.

    Blocks right of the diagonal count twice and those left of it not at all: 5/8 of the work.
    """
    length = own.shape[1]
    step = max(_BLOCK, -(-length // 4))
    for start in range(0, length, step):
        stop = min(length, start + step)
        block = own[:, start:stop]
        product = gram[:, start:stop, start:stop] @ block
        if stop < length:
            product.baddbmm_(gram[:, start:stop, stop:], own[:, stop:], alpha=2)
        total += product.mul_(block).sum((0, 1))


def _product(left: Tensor, right: Tensor) -> Tensor:
    """(b, T, m), (b, T, n) → the gradients (b, m, n)."""
    return torch.bmm(left.transpose(1, 2), right)


def _add_scattered(total: Tensor, part: Scattered, reduce: Reduce) -> None:
    """Σ_b of the squares of the scattered sums; a token that repeats adds before the square."""
    values = widen(part.values)
    batch = torch.arange(part.ids.shape[0], device=part.ids.device)[:, None]
    largest = int(part.ids.max()) + 1
    pairs, place = torch.unique(part.ids + batch * largest, return_inverse=True)
    sums = values.new_zeros(len(pairs), values.shape[2])
    sums.index_add_(0, place.flatten(), values.flatten(0, 1))
    _scatter(total, pairs % largest, sums.square_(), reduce)


def _add_cross(total: Tensor, dense: Dense, scattered: Scattered, reduce: Reduce) -> None:
    """Twice the products of the dense and the scattered part, at the scattered part's rows."""
    batch, length = scattered.ids.shape
    for some in _spans(batch, length * (dense.left.shape[1] + 2 * dense.right.shape[2])):
        ids, values = scattered.ids[some], widen(scattered.values[some])
        index = ids[:, None, :].expand(-1, dense.left.shape[1], -1)
        left = widen(dense.left[some].gather(2, index))  # (b, T dense, T scattered)
        rows = torch.bmm(left.transpose(1, 2), widen(dense.right[some]))
        _scatter(total, ids.flatten(), rows.mul_(values).mul_(2).flatten(0, 1), reduce)


def _scatter(total: Tensor, ids: Tensor, rows: Tensor, reduce: Reduce) -> None:
    """Add rows (n, columns), belonging to the weight's rows `ids` (n,), to `total`."""
    if reduce == "rows":
        total.index_add_(0, ids, rows.sum(1).to(total.dtype))
    elif reduce == "columns":
        total += rows.sum(0)
    else:
        total.index_add_(0, ids, rows.to(total.dtype))
