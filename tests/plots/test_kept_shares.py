"""Shares kept at every keep share are those of the masks that would be made."""

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask, Scope
from fggm_lab.plots import describe, description_of, kept_shares
from fggm_lab.plots.parameter_groups import Grouping
from tests.support.records import made_scores


def tied() -> FisherScores:
    """Scores full of ties, across parameters and layers."""
    scores = made_scores()
    scores.units = {name: units.clamp(max=50).round() for name, units in scores.units.items()}
    return scores


def members(scores: FisherScores, row: str) -> list[str]:
    if row == "outside layers":
        return ["model.embed_tokens.weight", "model.norm.weight"]
    if row.startswith("layer "):
        return [n for n in scores.names if f".layers.{row.split()[1]}." in n]
    weight = row if row.endswith(".bias") else f"{row}.weight"
    return [n for n in scores.names if n.endswith(f".{weight}")]


@pytest.mark.parametrize("by", ["layer", "module"])
@pytest.mark.parametrize("scope", ["global", "parameter"])
@pytest.mark.parametrize("scores", [made_scores(), tied()], ids=["distinct", "tied"])
def test_every_point_is_the_share_of_a_mask(
    scores: FisherScores, scope: Scope, by: Grouping
) -> None:
    figure = kept_shares(scores, by, scope, keep=0.123)
    lines = [t for t in figure.data if t.meta and "row" in t.meta]
    assert lines[0].x[0] == 0 and lines[0].x[-1] == 1 and 0.123 in lines[0].x
    for index, keep in enumerate(lines[0].x):
        if index == 0:
            assert all(line.y[0] == 0 for line in lines)
            continue
        mask = Mask.top(scores, keep, scope)
        for line in lines:
            names = members(scores, line.name)
            moved = sum(int(mask.units[n].sum()) for n in names)
            assert line.y[index] == moved / sum(mask.units[n].numel() for n in names)


def test_bars_repeat_the_lines_at_the_marked_share() -> None:
    scores = made_scores("FOMC")
    figure = kept_shares(scores, keep=0.25)
    bars = next(t for t in figure.data if t.type == "bar")
    at = {t.name: t.y[list(t.x).index(0.25)] for t in figure.data if t.meta and "row" in t.meta}
    assert dict(zip(bars.y, bars.x, strict=True)) == at
    mask = Mask.top(scores, 0.25, "global")
    assert sum(row[0] for row in bars.customdata) == mask.count
    assert description_of(figure) == describe(kept_shares(scores, keep=0.25))


def test_words_name_what_moves_most_and_least() -> None:
    scores = made_scores()
    for name, units in scores.units.items():
        units += 1e6 if ".layers.2." in name else 0
    text = describe(kept_shares(scores, keep=0.2))
    share = 100 * round(0.2 * scores.unit_count) / 1088
    assert f"most of layer 2 {share:.1f} %, least of outside layers 0 %" in text


def test_lines_of_a_deep_model_stay_within_the_points_a_browser_likes() -> None:
    figure = kept_shares(made_scores(layers=95))
    assert sum(len(t.x) for t in figure.data) <= 5000
    assert len(next(t for t in figure.data if t.name == "layer 94").x) > 20


def test_settings_outside_their_range_are_refused() -> None:
    scores = made_scores()
    with pytest.raises(SettingError, match="by is 'row'; choose one of: layer, module"):
        kept_shares(scores, "row")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="keep is 0"):
        kept_shares(scores, keep=0)
    with pytest.raises(SettingError, match="scope"):
        kept_shares(scores, scope="row")  # type: ignore[arg-type]
    empty = FisherScores({"w": torch.zeros(0)}, {"w": 0}, None, scores.info)
    with pytest.raises(SettingError, match="no units"):
        kept_shares(empty)
