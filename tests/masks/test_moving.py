"""A unit can move only if its parameter is trainable and the mask lets it."""

import pytest

from fggm_lab.masks import Mask, moving_units
from fggm_lab.training import freezing
from tests.support.families import character_tokenizer
from tests.support.small import small_model, small_tasks


def test_a_frozen_embedding_counts_as_still_wherever_units_are_counted() -> None:
    model = small_model()
    embedding = model.get_input_embeddings().weight.requires_grad_(False)
    mask = Mask.random(model, 0.3, seed=1)
    moving, units = moving_units(model, mask)
    embedding_units = int(mask.units["model.embed_tokens.weight"].sum())
    assert embedding_units > 0 and (moving, units) == (
        mask.count - embedding_units,
        mask.unit_count,
    )
    assert moving_units(model, None) == (units - embedding.shape[0], units)
    effect = freezing(
        model, character_tokenizer(), small_tasks(), mask, "task-1",
        steps=1, batch_size=4, examples=2,
    )  # fmt: skip
    assert (effect.off, effect.units) == (units - moving, units)


@pytest.mark.parametrize("names", [["model.norm.weight"], []])
def test_parameters_a_mask_does_not_name_move_whole(names: list[str]) -> None:
    model = small_model()
    mask = (~Mask.full(model)).restricted(names)
    moving, units = moving_units(model, mask)
    assert units - moving == mask.unit_count
