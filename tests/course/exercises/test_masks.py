"""The checks on masks accept right answers and name the usual mistakes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fggm_lab.course.exercises.masks import (
    check_careful_step,
    check_global_shares,
    check_masked_step,
    check_top_units,
)


def top(scores: Tensor, keep: float) -> Tensor:
    bits = torch.zeros(len(scores), dtype=torch.bool)
    bits[scores.argsort(descending=True)[: round(keep * len(scores))]] = True
    return bits


def cut_score(scores: Tensor, keep: float) -> Tensor:
    return scores.sort(descending=True).values[max(0, round(keep * len(scores)) - 1)]


def test_the_top_units() -> None:
    assert check_top_units(top).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s, keep: None, "nothing comes back"),
        (lambda s, keep: s >= cut_score(s, keep), "ties with it through"),
        (lambda s, keep: s > cut_score(s, keep), "it should be 3 of 10"),
        (lambda s, keep: s > s.quantile(1 - keep), "shuts out"),
        (lambda s, keep: top(-s, keep), "while one scoring"),
        (lambda s, keep: top(s, keep).float(), "bools"),
        (lambda s, keep: s.argsort()[:3], "bools"),
    ],
)
def test_mistakes_with_the_top_units(answer: Callable[..., Any], says: str) -> None:
    message = check_top_units(answer)
    assert message.startswith("Not yet") and says in message


def step(w: Tensor, g: Tensor, bits: Tensor, rate: float) -> Tensor:
    new = w.clone()
    new[bits] -= rate * g[bits]
    return new


def in_place(w: Tensor, g: Tensor, bits: Tensor, rate: float) -> Tensor:
    w[bits] -= rate * g[bits]
    return w


def test_a_masked_step() -> None:
    assert check_masked_step(step).startswith("Right")
    where = lambda w, g, bits, rate: torch.where(bits[:, None], w - rate * g, w)  # noqa: E731
    assert check_masked_step(where).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda w, g, bits, rate: w - rate * g, "frozen row moved"),
        (lambda w, g, bits, rate: step(w, g, ~bits, rate), "wrong way round"),
        (lambda w, g, bits, rate: w, "nothing moved"),
        (lambda w, g, bits, rate: step(w, -g, bits, rate), "climbs"),
        (lambda w, g, bits, rate: step(w, g, bits, 1.0), "row 0 should become"),
        (lambda w, g, bits, rate: w - rate * g * bits[:, None], "0 · ∞ is NaN"),
        (in_place, "work on a clone"),
        (lambda w, g, bits, rate: w[bits], "shape (3, 2)"),
        (lambda w, g, bits, rate: None, "nothing comes back"),
    ],
)
def test_mistakes_with_a_masked_step(answer: Callable[..., Any], says: str) -> None:
    message = check_masked_step(answer)
    assert message.startswith("Not yet") and says in message


def counts(scores: dict[str, Tensor], keep: float) -> dict[str, int]:
    all_scores = torch.cat(list(scores.values()))
    threshold = all_scores.sort(descending=True).values[round(keep * len(all_scores)) - 1]
    return {name: int((s >= threshold).sum()) for name, s in scores.items()}


def test_global_shares() -> None:
    right = lambda s, keep: {n: k / len(s[n]) for n, k in counts(s, keep).items()}  # noqa: E731
    assert check_global_shares(right).startswith("Right")
    tensors = lambda s, keep: {n: torch.tensor(v) for n, v in right(s, keep).items()}  # noqa: E731
    assert check_global_shares(tensors).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s, keep: dict.fromkeys(s, keep), "scope 'parameter'"),
        (counts, "numbers of units"),
        (
            lambda s, keep: {
                n: k / sum(counts(s, keep).values()) for n, k in counts(s, keep).items()
            },
            "shares of the mask",
        ),
        (
            lambda s, keep: {n: k / sum(map(len, s.values())) for n, k in counts(s, keep).items()},
            "shares of the model",
        ),
        (lambda s, keep: dict.fromkeys(s, 0.5), "of 'high' 100% move, not 50%"),
        (lambda s, keep: dict.fromkeys(s, "much"), "one number for every"),
        (lambda s, keep: {"high": 1.0}, "keys high, low, mixed"),
        (lambda s, keep: None, "nothing comes back"),
    ],
)
def test_mistakes_with_global_shares(answer: Callable[..., Any], says: str) -> None:
    message = check_global_shares(answer)
    assert message.startswith("Not yet") and says in message


def careful(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    before = weight.detach()[~bits].clone()
    optimizer.step()
    with torch.no_grad():
        weight[~bits] = before


def masked_only(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    assert weight.grad is not None
    weight.grad[~bits] = 0
    optimizer.step()


def no_decay(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    optimizer.param_groups[0]["weight_decay"] = 0
    masked_only(weight, bits, optimizer)


def no_memory(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    optimizer.state.clear()
    masked_only(weight, bits, optimizer)


def all_back(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    before = weight.detach().clone()
    optimizer.step()
    with torch.no_grad():
        weight.copy_(before)


def twice(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
    careful(weight, bits, optimizer)
    careful(weight, bits, optimizer)


def test_a_careful_step() -> None:
    assert check_careful_step(careful).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda weight, bits, optimizer: optimizer.step(), "plain SGD"),
        (masked_only, "weight decay pulls"),
        (no_decay, "AdamW with weight decay): the row that may move"),
        (no_memory, "weight decay pulls"),
        (all_back, "nothing moved"),
        (twice, "did not move as"),
        (lambda weight, bits, optimizer: None, "nothing moved"),
    ],
)
def test_mistakes_with_a_careful_step(answer: Callable[..., Any], says: str) -> None:
    message = check_careful_step(answer)
    assert message.startswith("Not yet") and says in message


def test_what_is_left_in_the_optimiser_moves_frozen_rows_too() -> None:
    def keeps_decay_out(weight: Tensor, bits: Tensor, optimizer: Any) -> None:
        shrunk = weight.detach().clone()
        masked_only(weight, bits, optimizer)
        if optimizer.param_groups[0]["weight_decay"]:
            with torch.no_grad():
                weight[~bits] = shrunk[~bits]

    assert "its momentum from earlier steps" in check_careful_step(keeps_decay_out)
