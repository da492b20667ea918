"""Masks keep exactly what was asked, combine as sets, pack, and project gradients."""

from pathlib import Path

import pytest
import torch

from fggm_lab.errors import DataError, LabError, ModelError, SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.mask_settings import SCOPES
from fggm_lab.masks import Mask, Scope
from tests.support.families import tiny_model
from tests.support.masks import KEEPS, scores_of, uneven_scores
from tests.support.operations import CountedOperations


@pytest.fixture
def scores() -> FisherScores:
    return uneven_scores()


@pytest.mark.parametrize("keep", KEEPS)
def test_parameter_scope_keeps_exactly_the_share_of_each(scores: FisherScores, keep: float) -> None:
    mask = Mask.top(scores, keep, "parameter")
    for name, values in scores.units.items():
        bits = mask.units[name]
        assert bits.dtype == torch.bool and int(bits.sum()) == round(keep * len(values))
        order = sorted(range(len(values)), key=lambda i: (-float(values[i]), i))
        expected = set(order[: round(keep * len(values))])
        assert expected == set(torch.nonzero(bits).flatten().tolist())


@pytest.mark.parametrize("keep", KEEPS)
def test_global_scope_keeps_exactly_the_share_of_all(scores: FisherScores, keep: float) -> None:
    mask = Mask.top(scores, keep, "global")
    flat = torch.cat(list(scores.units.values())).tolist()
    order = sorted(range(len(flat)), key=lambda i: (-flat[i], i))
    expected = sorted(order[: round(keep * len(flat))])
    assert torch.nonzero(torch.cat(list(mask.units.values()))).flatten().tolist() == expected
    assert mask.count == round(keep * mask.unit_count)


def test_more_units_than_quantile_can_take() -> None:
    values = torch.randint(0, 1000, (2**24 + 3,), generator=torch.Generator().manual_seed(0))
    mask = Mask.top(scores_of(big=values.float()), 0.3, "global")
    assert mask.count == round(0.3 * (2**24 + 3))
    assert int(values[mask.units["big"]].min()) >= int(values[~mask.units["big"]].max())


@pytest.mark.parametrize("scope", ["parameter", "global"])
def test_a_million_units_take_few_operations(scope: Scope) -> None:
    scores = scores_of(**{f"p{i}": torch.rand(10_000) for i in range(100)})
    with CountedOperations() as operations:
        mask = Mask.top(scores, 0.3, scope)
    assert mask.count == 300_000
    assert operations.count < 30 * len(scores.units)


@pytest.mark.parametrize("scope", ["parameter", "global"])
def test_a_seed_draws_among_units_of_equal_scores(scope: Scope) -> None:
    """Exactly the share, whatever is higher first, and the last places by lot."""
    scores = scores_of(p=torch.tensor([2.0, *[0.0] * 98, 1.0]), q=torch.zeros(100))
    drawn = [Mask.top(scores, 0.3, scope, seed=seed) for seed in range(400)]
    assert drawn[3] == Mask.top(scores, 0.3, scope, seed=3) and drawn[3].info.seed == 3
    assert {mask.count for mask in drawn} == {60}
    assert all(mask.units["p"][0] and mask.units["p"][99] for mask in drawn)
    moved = torch.stack([torch.cat(list(mask.units.values())) for mask in drawn]).float().mean(0)
    tied = torch.ones(200, dtype=torch.bool)
    tied[[0, 99]] = False
    # each of the tied moves in 29 % of draws (28 of 98, 30 of 100, 58 of 198); sd 0.023
    assert float(moved[tied].min()) > 0.19 and float(moved[tied].max()) < 0.40
    if scope == "parameter":  # each parameter has draws of its own
        assert not torch.equal(drawn[0].units["p"][1:99], drawn[0].units["q"][1:99])


@pytest.mark.parametrize("keep", KEEPS)
def test_a_seed_changes_nothing_where_no_scores_are_equal(keep: float) -> None:
    scores = scores_of(p=torch.randperm(101).float(), q=torch.randperm(50).float() + 0.5)
    for scope in SCOPES:
        assert Mask.top(scores, keep, scope, seed=1) == Mask.top(scores, keep, scope)


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, float("nan"), True, "0.3", None])
def test_keep_outside_its_range_is_refused(scores: FisherScores, keep: object) -> None:
    with pytest.raises(SettingError, match="keep is"):
        Mask.top(scores, keep)  # type: ignore[arg-type]


def test_bad_scope_and_nan_scores_are_refused(scores: FisherScores) -> None:
    with pytest.raises(SettingError, match="scope"):
        Mask.top(scores, 0.3, "model")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="scores of p contain NaN"):
        Mask.top(scores_of(p=torch.tensor([1.0, float("nan")])), 0.5)


@pytest.mark.parametrize("scope", ["parameter", "global"])
def test_random_masks_have_the_share_and_follow_the_seed(
    scores: FisherScores, scope: Scope
) -> None:
    first = Mask.random(scores, 0.3, scope, seed=1)
    assert first == Mask.random(scores, 0.3, scope, seed=1)
    assert first != Mask.random(scores, 0.3, scope, seed=2)
    counted = Mask.top(scores, 0.3, scope)
    assert first.count == counted.count and first.info.seed == 1
    model = tiny_model("gpt2")
    assert Mask.random(model, 0.3).names == [name for name, _ in model.named_parameters()]


def test_set_algebra(scores: FisherScores) -> None:
    a, b = Mask.top(scores, 0.3), Mask.random(scores, 0.5, seed=4)
    full = Mask.full(scores)
    assert ~~a == a and (a | ~a) == full and (a & ~a).count == 0
    assert (a - b) == (a & ~b) and ~(a | b) == (~a & ~b)
    assert (a | b).count + (a & b).count == a.count + b.count
    assert (a & b).share == pytest.approx((a & b).count / a.unit_count)
    assert (a & b).info.source == "(top & random)"
    with pytest.raises(SettingError, match="only one of the two masks has"):
        a & b.restricted(["tied"])


@pytest.mark.parametrize("keep", [0.3, 1.0])
def test_saving_packs_eight_units_to_a_byte(
    scores: FisherScores, keep: float, tmp_path: Path
) -> None:
    mask = Mask.top(scores, keep)
    mask.save(tmp_path / "m")
    again = Mask.load(tmp_path / "m.safetensors")
    assert again == mask and again.info == mask.info and again.names == mask.names
    big = Mask.top(scores_of(p=torch.rand(80_000)), keep)
    big.save(tmp_path / "big")
    assert (tmp_path / "big.safetensors").stat().st_size < 80_000 / 8 + 1000
    with pytest.raises(DataError, match="does not exist"):
        Mask.load(tmp_path / "absent")
    scores.save(tmp_path / "scores")
    with pytest.raises(DataError, match="holds no mask"):
        Mask.load(tmp_path / "scores")


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
def test_projection_zeroes_the_frozen_units_only(family: str) -> None:
    model = tiny_model(family)
    mask = Mask.random(model, 0.3, seed=0)
    left_out = mask.names[1]
    mask = mask.restricted(name for name in mask.names if name != left_out)
    before = {}
    for name, p in model.named_parameters():
        p.grad = before[name] = torch.randn_like(p)
        p.grad = p.grad.clone()
    first = next(iter(mask.units))
    row = int(torch.nonzero(~mask.units[first])[0])
    model.get_parameter(first).grad[row] = float("nan")
    mask.project_(model)
    for name, p in model.named_parameters():
        expected = before[name].clone()
        if name != left_out:
            bits = mask.units[name]
            if mask.axes[name] == 1:
                expected[:, ~bits] = 0
            else:
                expected[~bits] = 0
        assert p.grad is not None and torch.equal(p.grad, expected), name


@pytest.mark.parametrize("family", ["qwen2", "gpt2"])
def test_the_frozen_entries_are_those_projection_zeroes(family: str) -> None:
    model = tiny_model(family)
    mask = Mask.random(model, 0.3, seed=0)
    mask.units[mask.names[1]].fill_(True)
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    mask.project_(model)
    entries = {name: frozen.expand_as(p) for name, p, frozen in mask.frozen(model)}
    assert entries.keys() == set(mask.names) - {mask.names[1]}
    for name, frozen in entries.items():
        assert torch.equal(frozen, model.get_parameter(name).grad == 0), name


def test_projection_says_when_it_would_do_nothing() -> None:
    model = tiny_model("llama")
    with pytest.raises(ModelError, match="no masked parameter has a gradient"):
        Mask.full(model).project_(model)
    other = tiny_model("llama", vocabulary=60)
    for p in other.parameters():
        p.grad = torch.zeros_like(p)
    with pytest.raises(LabError, match="use a mask made for this model"):
        Mask.full(model).project_(other)
