"""Sums of squares from factors equal those of the gradients written out."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fggm_lab.fisher import factors
from fggm_lab.fisher.factors import Dense, Entries, GramCache, Scattered, example_squares

B, T, OUT, IN = 3, 40, 7, 5


def written_out(parts: list[Dense | Scattered]) -> Tensor:
    """(B, OUT, IN): every example's gradient in full."""
    entry_sums = torch.zeros(B, OUT, IN, dtype=torch.float64)
    for part in parts:
        for b in range(B):
            if isinstance(part, Dense):
                entry_sums[b] += part.left[b].T @ part.right[b]
            else:
                for t, row in enumerate(part.ids[b].tolist()):
                    entry_sums[b, row] += part.values[b, t]
    return entry_sums


@pytest.fixture(params=["dense", "scattered", "both", "dense twice", "scattered twice"])
def parts(request: pytest.FixtureRequest) -> list[Dense | Scattered]:
    rng = torch.Generator().manual_seed(1)

    def rand(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=rng)

    def dense(length: int = T) -> Dense:
        return Dense(rand(B, length, OUT), rand(B, length, IN))

    def scattered() -> Scattered:
        return Scattered(torch.randint(0, OUT, (B, 9), generator=rng), rand(B, 9, IN))

    makers: dict[str, Callable[[], list[Dense | Scattered]]] = {
        "dense": lambda: [dense()],
        "scattered": lambda: [scattered()],
        "both": lambda: [scattered(), dense()],
        "dense twice": lambda: [dense(), dense(13)],
        "scattered twice": lambda: [scattered(), scattered()],
    }
    return makers[request.param]()


@pytest.mark.parametrize("gram", [True, False])
@pytest.mark.parametrize("chunk", [1, 2**24])
@pytest.mark.parametrize("reduce", ["rows", "columns"])
@pytest.mark.parametrize("elementwise", [True, False])
def test_squares_of_every_example(
    parts: list[Dense | Scattered],
    reduce: factors.Reduce,
    chunk: int,
    gram: bool,
    elementwise: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(factors, "prefers_gram", lambda *_: gram)
    squares = written_out(parts).square()
    entry_sums = torch.ones(OUT, IN, dtype=torch.float64) if elementwise else None
    units = example_squares(parts, (OUT, IN), reduce, GramCache(), entry_sums, chunk)
    expected = squares.sum(2 if reduce == "rows" else 1)
    torch.testing.assert_close(units, expected, rtol=1e-12, atol=1e-14)
    if entry_sums is not None:
        torch.testing.assert_close(entry_sums, squares.sum(0) + 1, rtol=1e-12, atol=0)


def test_a_vectors_parts_add_before_the_square() -> None:
    a, b = torch.randn(B, OUT, dtype=torch.float64), torch.randn(B, OUT, dtype=torch.float64)
    entry_sums = torch.zeros(OUT, dtype=torch.float64)
    units = example_squares([Entries(a), Entries(b)], (OUT,), "rows", entry_sums=entry_sums)
    torch.testing.assert_close(units, (a + b) ** 2)
    torch.testing.assert_close(entry_sums, ((a + b) ** 2).sum(0))


def test_gram_is_shared_by_layers_with_one_input() -> None:
    x, cache = torch.randn(2, 4, 3), GramCache()
    assert cache.gram(x) is cache.gram(x)
    assert not cache.holds(x.clone())


def test_the_choice_follows_the_length() -> None:
    assert factors.prefers_gram(16, 1024, 1024, shared=False)
    assert not factors.prefers_gram(2048, 256, 256, shared=False)
