"""A ranking cut at a keep share is the mask that cutting anew gives."""

import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.masks import SCOPES, Mask, Ranking, Scope
from tests.support.masks import KEEPS, scores_of, uneven_scores
from tests.support.records import made_scores


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("keep", KEEPS)
def test_it_cuts_as_mask_top_does_ties_included(keep: float, scope: Scope) -> None:
    scores = uneven_scores()
    ranking = Ranking(scores)
    mask, anew = ranking.top(keep, scope), Mask.top(scores, keep, scope)
    assert mask == anew and mask.info == anew.info and mask.names == anew.names


def test_every_keep_share_of_a_model() -> None:
    scores = made_scores("FOMC")
    ranking = Ranking(scores)
    for scope in SCOPES:
        for percent in range(1, 101):
            assert ranking.top(percent / 100, scope) == Mask.top(scores, percent / 100, scope)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_scores_of_any_precision_and_sign(dtype: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(5)
    values = torch.randint(-4, 5, (300,), generator=draw).to(dtype)
    values[:3] = torch.tensor([float("inf"), -0.0, 0.0])
    scores = scores_of(p=values, empty=torch.zeros(0), q=values.flip(0))
    for scope in SCOPES:
        assert Ranking(scores).top(0.37, scope) == Mask.top(scores, 0.37, scope)


def test_masks_of_two_keep_shares_are_nested_and_stay_as_they_were() -> None:
    ranking = Ranking(made_scores())
    for scope in SCOPES:
        small = ranking.top(0.1, scope)
        count = small.count
        large = ranking.top(0.4, scope)
        assert (small - large).count == 0 and small.count == count < large.count


def test_what_mask_top_refuses_a_ranking_refuses() -> None:
    with pytest.raises(DataError, match="scores of p contain NaN"):
        Ranking(scores_of(p=torch.tensor([1.0, float("nan")])))
    ranking = Ranking(scores_of(p=torch.rand(4)))
    with pytest.raises(SettingError, match="scope"):
        ranking.top(0.3, "model")  # type: ignore[arg-type]
    for keep in (0, 1.01, True, None):
        with pytest.raises(SettingError, match="keep is"):
            ranking.top(keep)  # type: ignore[arg-type]
    assert Ranking(scores_of()).top(0.3, "global").unit_count == 0


@pytest.mark.parametrize("scope", SCOPES)
def test_counts_of_many_keep_shares_are_those_of_their_masks(scope: Scope) -> None:
    scores = made_scores()
    scores.units["model.layers.1.mlp.down_proj.weight"][:] = 1.0  # ties
    scores.units["model.layers.2.mlp.down_proj.weight"] = torch.zeros(0)
    keeps = [0.3, 1.0, 0.01, 0.3, 0.77]
    counts = Ranking(scores).kept_counts(keeps, scope)
    for keep, row in zip(keeps, counts.tolist(), strict=True):
        assert row == [int(bits.sum()) for bits in Mask.top(scores, keep, scope).units.values()]
    assert Ranking(scores).kept_counts([], scope).shape == (0, len(scores.names))
    with pytest.raises(SettingError, match="keep is 0"):
        Ranking(scores).kept_counts([0], scope)
