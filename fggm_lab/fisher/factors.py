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

Reduce = Literal["rows", "columns"]
"""What a unit's score sums the squares over: a row (axis 0) or a column (axis 1)."""

CHUNK = 2**21
"""The most numbers a temporary may hold unless a caller says otherwise (8 MB in float32)."""

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
            self._of, self._gram = x, torch.bmm(wide, wide.transpose(1, 2))
        return self._gram

    def clear(self) -> None:
        """Let go of the tensors."""
        self._of = self._gram = None


def widen(x: Tensor) -> Tensor:
    """`x` in at least float32: half-precision squares under- and overflow."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def example_squares(
    parts: Sequence[Part],
    shape: tuple[int, ...],
    reduce: Reduce,
    cache: GramCache | None = None,
    whole: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Every example's squared gradient, summed within each unit: (B, units).

    Args:
        parts: all parts of one parameter's gradient, of the same B examples.
        shape: the parameter's.
        reduce: what a unit is; vectors keep their entries.
        cache: shares Gram matrices between calls.
        whole: of the parameter's shape; gets Σ_b of every squared entry added, in place.
        chunk: the most numbers a temporary may hold, as far as one row of one example allows.
    """
    vectors = [p.values for p in parts if isinstance(p, Entries)]
    if vectors:
        squares = widen(sum(vectors[1:], start=vectors[0])).square()
        if whole is not None:
            whole += squares.sum(0)
        return squares.reshape(len(squares), -1)  # a scalar has one unit
    dense = _joined([p for p in parts if isinstance(p, Dense)])
    scattered = _joined_scatter([p for p in parts if isinstance(p, Scattered)])
    values = dense.left if dense is not None else scattered.values  # type: ignore[union-attr]
    units = shape[0] if reduce == "rows" else shape[1]
    target = _Target(len(values), units, reduce, whole, chunk)
    if dense is not None and whole is not None:
        _add_products(target, dense)
    elif dense is not None:
        _add_dense(target, dense, cache or GramCache())
    if scattered is not None:
        _add_scattered(target, scattered)
    if dense is not None and scattered is not None:
        _add_cross(target, dense, scattered)
    assert target.squares is not None
    return target.squares


class _Target:
    """Where a weight's squares go, and how much memory they may take on the way."""

    def __init__(
        self, batch: int, units: int, reduce: Reduce, whole: Tensor | None, chunk: int
    ) -> None:
        """Args:
        batch, units: what there is to fill.
        reduce: what a unit is.
        whole: the weight's shape, if every entry is wanted.
        chunk: the most numbers in a temporary.
        """
        self.reduce, self.whole = reduce, whole
        self.squares: Tensor | None = None
        self._shape, self._chunk = (batch, units), chunk

    def spans(self, count: int, each: int) -> Iterator[slice]:
        """Slices of `count` things whose every thing takes `each` numbers."""
        step = max(1, self._chunk // max(1, each))
        for start in range(0, count, step):
            yield slice(start, min(count, start + step))

    def add(self, squares: Tensor, some: slice, units: slice | None = None) -> None:
        """Add the squares (b, n), consumed, of some examples, and of some units if named."""
        if self.squares is None and squares.shape == self._shape:
            self.squares = squares
        else:
            self.filled(squares)[some, units or slice(None)] += squares

    def filled(self, like: Tensor) -> Tensor:
        """The squares (B, units); zeros of `like`'s kind where nothing was added yet."""
        if self.squares is None:
            self.squares = like.new_zeros(self._shape)
        return self.squares


def _joined(parts: list[Dense]) -> Dense | None:
    """Several uses as one, laid end to end along the positions."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Dense(torch.cat([p.left for p in parts], 1), torch.cat([p.right for p in parts], 1))


def _joined_scatter(parts: list[Scattered]) -> Scattered | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Scattered(torch.cat([p.ids for p in parts], 1), torch.cat([p.values for p in parts], 1))


def prefers_gram(length: int, own: int, other: int, shared: bool) -> bool:
    """Whether T × T products are cheaper than forming the (own × other) gradient.

    Args:
        length: T, positions per example.
        own: units.
        other: entries per unit.
        shared: the Gram matrix is there already.
    """
    gram = length * length * (own + (0 if shared else other)) + _PASS * length * own
    return gram < length * own * other + _PASS * own * other


def _add_dense(target: _Target, part: Dense, cache: GramCache) -> None:
    """The squares of L_bᵀ R_b, by whichever form is cheaper."""
    own, other = part.left, part.right
    if target.reduce == "columns":
        own, other = other, own
    batch, length, units = own.shape
    if prefers_gram(length, units, other.shape[2], cache.holds(other)):
        gram = cache.gram(other)
        for some in target.spans(batch, length * units):
            block = widen(own[some])
            target.add(torch.bmm(gram[some], block).mul_(block).sum(1), some)
        return
    own, other = widen(own), widen(other)
    for rows in target.spans(units, other.shape[2]):
        for some in target.spans(batch, (rows.stop - rows.start) * other.shape[2]):
            product = _product(own[some, :, rows], other[some])
            target.add(torch.linalg.vector_norm(product, dim=2).square_(), some, rows)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """(b, T, m), (b, T, n) → the gradients (b, m, n)."""
    return torch.bmm(left.transpose(1, 2), right)


def _add_products(target: _Target, part: Dense) -> None:
    """The squares of L_bᵀ R_b, entry by entry."""
    assert target.whole is not None
    left, right = widen(part.left), widen(part.right)
    for rows in target.spans(left.shape[2], right.shape[2]):
        for some in target.spans(left.shape[0], (rows.stop - rows.start) * right.shape[2]):
            squares = _product(left[some, :, rows], right[some]).square_()
            target.whole[rows] += squares.sum(0)
            if target.reduce == "rows":
                target.add(squares.sum(2), some, rows)
            else:
                target.add(squares.sum(1), some)


def _add_scattered(target: _Target, part: Scattered) -> None:
    """The squares of the scattered sums; a token that repeats adds before the square."""
    values = widen(part.values)
    batch = torch.arange(part.ids.shape[0], device=part.ids.device)[:, None]
    largest = int(part.ids.max()) + 1
    pairs, place = torch.unique(part.ids + batch * largest, return_inverse=True)
    sums = values.new_zeros(len(pairs), values.shape[2])
    sums.index_add_(0, place.flatten(), values.flatten(0, 1))
    owners = torch.div(pairs, largest, rounding_mode="floor")
    _scatter(target, owners, pairs % largest, sums.square_())


def _add_cross(target: _Target, dense: Dense, scattered: Scattered) -> None:
    """Twice the products of the dense and the scattered part, at the scattered part's rows."""
    batch, length = scattered.ids.shape
    for some in target.spans(batch, length * (dense.left.shape[1] + 2 * dense.right.shape[2])):
        ids, values = scattered.ids[some], widen(scattered.values[some])
        index = ids[:, None, :].expand(-1, dense.left.shape[1], -1)
        left = widen(dense.left[some].gather(2, index))  # (b, T dense, T scattered)
        rows = torch.bmm(left.transpose(1, 2), widen(dense.right[some]))
        owners = torch.arange(some.start, some.stop, device=ids.device)[:, None].expand_as(ids)
        _scatter(target, owners.flatten(), ids.flatten(), rows.mul_(values).mul_(2).flatten(0, 1))


def _scatter(target: _Target, owners: Tensor, ids: Tensor, rows: Tensor) -> None:
    """Add rows (n, columns) of the examples `owners` (n,) at the weight's rows `ids` (n,)."""
    if target.whole is not None:
        target.whole.index_add_(0, ids, rows.to(target.whole.dtype))
    squares = target.filled(rows)
    if target.reduce == "rows":
        squares.index_put_((owners, ids), rows.sum(1), accumulate=True)
    else:
        squares.index_add_(0, owners, rows)
