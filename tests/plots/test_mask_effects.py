"""The figure of what units do shows the numbers it was given, and says them."""

import pytest

from fggm_lab.plots import caption_of, description_of, mask_effects
from tests.support.effects import made_effect
from tests.support.records import TASKS


def test_bars_are_the_scores_and_the_likelihoods() -> None:
    effect = made_effect()
    figure = mask_effects(effect)
    names = ["before", "trained with all units", "trained with units frozen"]
    assert [bar.name for bar in figure.data[::2]] == names
    for bar, state in zip(
        figure.data[::2], (effect.before, effect.free, effect.after), strict=True
    ):
        assert state is not None
        assert list(bar.x) == [*TASKS, "General"]
        assert list(bar.y) == [s.score for s in state.tasks.values()] + [state.general]
    for bar, state in zip(
        figure.data[1::2], (effect.before, effect.free, effect.after), strict=True
    ):
        assert state is not None
        assert list(bar.y) == [s.nll for s in state.tasks.values()]
    assert len({bar.marker.pattern.shape for bar in figure.data}) == 3  # not by colour alone


def test_zeroing_has_two_sides_and_its_own_words() -> None:
    figure = mask_effects(made_effect("zeroing"))
    assert len(figure.data) == 4
    assert "30 of 100 units (30 %) set to zero" in caption_of(figure)
    words = description_of(figure)
    assert "FOMC: score 0.85 before, 0.60 units at zero, NLL 1.10 → 1.35." in words
    assert "General: 0.90 before, 0.65 units at zero." in words


def test_freezing_names_its_control() -> None:
    words = description_of(mask_effects(made_effect()))
    assert words.startswith("FOMC trained for 20 steps with 30 of 100 units frozen.")
    assert "0.45 trained with all units, 0.60 trained with units frozen" in words


@pytest.mark.parametrize("general", [None, 3.2])
def test_general_is_left_out_or_stands_among_the_losses(general: float | None) -> None:
    figure = mask_effects(made_effect("zeroing", general, general_better="lower"))
    assert "General" not in figure.data[0].x
    assert ("General" in figure.data[1].x) == (general is not None)
