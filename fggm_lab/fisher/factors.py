"""Per-example gradients kept as factors, and the sums of their squares without forming them.

The gradient of a weight (rows, columns) for example b is G_b = Σ_t l_t r_tᵀ = L_bᵀ R_b over the T
positions: for a linear layer l_t (rows) is the gradient at the output and r_t (columns) the input,
for an embedding l_t is one-hot. A unit's score needs the squared norm of each row of G_b, and there
are two ways to it:

- **direct**: form G_b (rows, columns) for every example b, and sum the squares of each row. This
  costs T · rows · columns multiply-adds per example, and memory for B such matrices, which is why
  it goes through the weight in chunks.
- **Gram**: with K_b = R_b R_bᵀ (T, T) the squared norm of row i is l_iᵀ K_b l_i, where l_i (T) is
  column i of L_b (T, rows). This costs T² · (rows + columns) multiply-adds and stores nothing of
  the weight's size. Layers with the same input (query, key, value) share K_b (`GramCache`).

Short sequences and large weights favour Gram, long sequences and small weights the direct form;
`prefers_gram` compares the two costs. Scores of single entries need G_b itself, hence the direct
form. Squared norms without the gradient: Goodfellow, arXiv 1510.01799; here per row.

The parts of one gradient from several uses of a weight, such as a tied embedding and head, are
added before they are squared: dense parts by joining them along the positions; for a dense part D
and a scattered part S, |D + S|² = |D|² + |S|² + 2 D·S, where S has few rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Reduce = Literal["rows", "columns"]
"""What a unit's score sums the squares over: a row (axis 0) or a column (axis 1)."""

CHUNK = 2**21
"""The default of the most numbers that a temporary tensor holds (8 MB in float32)."""

_PASS = 16
"""Reading and squaring one number takes about as long as this many multiply-adds of a product."""


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


def written_out(parts: Sequence[Part]) -> Entries:
    """Every example's gradient itself, from its factors.

    Args:
        parts: all parts of one parameter's gradient, `Dense` or `Entries`.

    Returns:
        Their sum, (B, *shape).

    Raises:
        TypeError: a part is scattered, as only those of embeddings are, whose units are rows.
    """
    gradients = []
    for part in parts:
        if isinstance(part, Scattered):
            raise TypeError("the gradient of an embedding is not written out")
        gradients.append(
            part.values if isinstance(part, Entries) else _product(part.left, part.right)
        )
    return Entries(sum(gradients[1:], start=gradients[0]))


def example_squares(
    parts: Sequence[Part],
    shape: tuple[int, ...],
    reduce: Reduce,
    cache: GramCache | None = None,
    entry_sums: Tensor | None = None,
    chunk: int = CHUNK,
) -> Tensor:
    """Sum every example's squared gradient within each unit.

    Args:
        parts: all parts of one parameter's gradient, of the same B examples.
        shape: the parameter's shape.
        reduce: whether a unit is a row or a column; of a vector, every entry is a unit.
        cache: shares Gram matrices between calls.
        entry_sums: a tensor of the parameter's shape, to which every entry's squares, summed over
            the examples, are added in place; None if they are not wanted.
        chunk: the most numbers a temporary may hold, as far as one row of one example allows.

    Returns:
        (B, units) sums of squares.
    """
    vectors = [p.values for p in parts if isinstance(p, Entries)]
    if vectors:
        squares = widen(sum(vectors[1:], start=vectors[0])).square()
        if entry_sums is not None:
            entry_sums += squares.sum(0)
        return squares.reshape(len(squares), -1)  # a scalar has one unit
    dense = _joined([p for p in parts if isinstance(p, Dense)])
    scattered = _joined_scatter([p for p in parts if isinstance(p, Scattered)])
    values = dense.left if dense is not None else scattered.values  # type: ignore[union-attr]
    units = shape[0] if reduce == "rows" else shape[1]
    target = _Target(len(values), units, reduce, entry_sums, chunk)
    if dense is not None and entry_sums is not None:
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
    """The sums that a weight's squares are added to, and the limit on temporary memory."""

    def __init__(
        self, batch: int, units: int, reduce: Reduce, entry_sums: Tensor | None, chunk: int
    ) -> None:
        """Args:
        batch: number of examples.
        units: number of units.
        reduce: whether a unit is a row or a column.
        entry_sums: a tensor of the weight's shape for every entry's sum, or None.
        chunk: the most numbers in a temporary.
        """
        self.reduce, self.entry_sums = reduce, entry_sums
        self.squares: Tensor | None = None
        self._shape, self._chunk = (batch, units), chunk

    def spans(self, count: int, numbers: int) -> Iterator[slice]:
        """Slices of `count` items, each of which takes `numbers` numbers, to fit a temporary."""
        step = max(1, self._chunk // max(1, numbers))
        for start in range(0, count, step):
            yield slice(start, min(count, start + step))

    def add(self, squares: Tensor, examples: slice, units: slice | None = None) -> None:
        """Add squares (b, n), which are consumed, of a slice of examples and a slice of units."""
        if self.squares is None and squares.shape == self._shape:
            self.squares = squares
        else:
            self.filled(squares)[examples, units or slice(None)] += squares

    def filled(self, like: Tensor) -> Tensor:
        """The squares (B, units); zeros of `like`'s kind where nothing was added yet."""
        if self.squares is None:
            self.squares = like.new_zeros(self._shape)
        return self.squares


def _joined(parts: list[Dense]) -> Dense | None:
    """Several uses as one, joined along the positions."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Dense(torch.cat([p.left for p in parts], 1), torch.cat([p.right for p in parts], 1))


def _joined_scatter(parts: list[Scattered]) -> Scattered | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Scattered(torch.cat([p.ids for p in parts], 1), torch.cat([p.values for p in parts], 1))


def prefers_gram(length: int, units: int, other: int, shared: bool) -> bool:
    """Whether products with a T × T matrix are cheaper than forming the (units × other) gradient.

    Args:
        length: T, positions per example.
        units: units of the parameter.
        other: entries per unit.
        shared: whether the Gram matrix has been computed already.

    Returns:
        True for the Gram form, False for the direct one.
    """
    gram = length * length * (units + (0 if shared else other)) + _PASS * length * units
    return gram < length * units * other + _PASS * units * other


def _add_dense(target: _Target, part: Dense, cache: GramCache) -> None:
    """The squares of L_bᵀ R_b, by whichever form is cheaper."""
    unit_side, other_side = part.left, part.right
    if target.reduce == "columns":
        unit_side, other_side = other_side, unit_side
    batch, length, units = unit_side.shape
    if prefers_gram(length, units, other_side.shape[2], cache.holds(other_side)):
        gram = cache.gram(other_side)
        for examples in target.spans(batch, length * units):
            block = widen(unit_side[examples])
            target.add(torch.bmm(gram[examples], block).mul_(block).sum(1), examples)
        return
    unit_side, other_side = widen(unit_side), widen(other_side)
    for rows in target.spans(units, other_side.shape[2]):
        for examples in target.spans(batch, (rows.stop - rows.start) * other_side.shape[2]):
            product = _product(unit_side[examples, :, rows], other_side[examples])
            target.add(torch.linalg.vector_norm(product, dim=2).square_(), examples, rows)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """(b, T, m), (b, T, n) → the gradients (b, m, n)."""
    return torch.bmm(left.transpose(1, 2), right)


def _add_products(target: _Target, part: Dense) -> None:
    """The squares of L_bᵀ R_b, entry by entry."""
    assert target.entry_sums is not None
    left, right = widen(part.left), widen(part.right)
    for rows in target.spans(left.shape[2], right.shape[2]):
        for examples in target.spans(left.shape[0], (rows.stop - rows.start) * right.shape[2]):
            squares = _product(left[examples, :, rows], right[examples]).square_()
            target.entry_sums[rows] += squares.sum(0)
            if target.reduce == "rows":
                target.add(squares.sum(2), examples, rows)
            else:
                target.add(squares.sum(1), examples)


def _add_scattered(target: _Target, part: Scattered) -> None:
    """The squares of the scattered sums; a token that repeats adds before the square."""
    values = widen(part.values)
    batch = torch.arange(part.ids.shape[0], device=part.ids.device)[:, None]
    largest = int(part.ids.max()) + 1
    pairs, inverse = torch.unique(part.ids + batch * largest, return_inverse=True)
    sums = values.new_zeros(len(pairs), values.shape[2])
    sums.index_add_(0, inverse.flatten(), values.flatten(0, 1))
    owners = torch.div(pairs, largest, rounding_mode="floor")
    _scatter(target, owners, pairs % largest, sums.square_())


def _add_cross(target: _Target, dense: Dense, scattered: Scattered) -> None:
    """Twice the products of the dense and the scattered part, at the scattered part's rows."""
    batch, length = scattered.ids.shape
    for examples in target.spans(batch, length * (dense.left.shape[1] + 2 * dense.right.shape[2])):
        ids, values = scattered.ids[examples], widen(scattered.values[examples])
        index = ids[:, None, :].expand(-1, dense.left.shape[1], -1)
        left = widen(dense.left[examples].gather(2, index))  # (b, T dense, T scattered)
        rows = torch.bmm(left.transpose(1, 2), widen(dense.right[examples]))
        owners = torch.arange(examples.start, examples.stop, device=ids.device)[:, None].expand_as(
            ids
        )
        _scatter(target, owners.flatten(), ids.flatten(), rows.mul_(values).mul_(2).flatten(0, 1))


def _scatter(target: _Target, owners: Tensor, ids: Tensor, rows: Tensor) -> None:
    """Add rows (n, columns) of the examples `owners` (n,) at the weight's rows `ids` (n,)."""
    if target.entry_sums is not None:
        target.entry_sums.index_add_(0, ids, rows.to(target.entry_sums.dtype))
    squares = target.filled(rows)
    if target.reduce == "rows":
        squares.index_put_((owners, ids), rows.sum(1), accumulate=True)
    else:
        squares.index_add_(0, owners, rows)
