"""Zeroing and freezing do what they say, and leave the model as it was."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from transformers import PreTrainedModel

from fggm_lab.errors import DataError, ModelError, SettingError, TrainingError
from fggm_lab.evaluation import Evaluation
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import Mask
from fggm_lab.models import fingerprint
from fggm_lab.models.encoding import collate, encode
from fggm_lab.seeds import derived_seed
from fggm_lab.training import ActiveRows
from fggm_lab.training.effects import (
    choose_units,
    freezing,
    measured,
    zeroed,
    zeroing,
)
from fggm_lab.training.schedule import batch_indices
from tests.support.families import FAMILIES, character_tokenizer
from tests.support.small import small_general, small_model, small_tasks

TOKENIZER = character_tokenizer()
TASKS = small_tasks()
ASK: dict[str, Any] = {"general": small_general(), "examples": 4}
STEPS: dict[str, Any] = {"train": "task-1", "steps": 3, "batch_size": 4, "lr": 1e-2}


@pytest.fixture
def model() -> Iterator[PreTrainedModel]:
    """A tiny model that must come back bit for bit."""
    model = small_model()
    before = fingerprint(model)
    yield model
    assert fingerprint(model) == before
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_zeroing_nothing_changes_nothing(model: PreTrainedModel) -> None:
    effect = zeroing(model, TOKENIZER, TASKS, Mask.full(model), **ASK)
    assert effect.before == effect.after and effect.off == 0
    assert list(effect.before.tasks) == TASKS.names
    assert effect.before.general is not None and effect.free is None


@pytest.mark.parametrize("family", FAMILIES)
def test_zeroing_is_what_zeroing_by_hand_does(family: str) -> None:
    model, by_hand = small_model(family), small_model(family)
    mask = Mask.random(model, 0.5, seed=3)
    with torch.no_grad():
        for name, weight in by_hand.named_parameters():
            for unit in range(len(mask.units[name])):
                if not mask.units[name][unit]:
                    index = (..., unit) if mask.axes[name] == 1 else unit
                    weight[index] = 0
    effect = zeroing(model, TOKENIZER, TASKS, mask, **ASK)
    assert effect.after == measured(by_hand, TOKENIZER, TASKS, **ASK)
    assert effect.after != effect.before
    assert effect.off == sum(int((~bits).sum()) for bits in mask.units.values())
    assert effect.units == mask.unit_count


def test_parameters_the_mask_does_not_name_are_left_alone(model: PreTrainedModel) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    nothing = ~Mask.full(model).restricted([name])
    with zeroed(model, nothing) as changed:
        zero = {n for n, p in changed.named_parameters() if not bool(p.any())}
    assert zero == {name}


def test_freezing_every_unit_leaves_every_score(model: PreTrainedModel) -> None:
    effect = freezing(model, TOKENIZER, TASKS, ~Mask.full(model), **STEPS, **ASK)
    assert effect.after == effect.before
    assert effect.free is not None and effect.free != effect.before


def test_freezing_nothing_is_the_control(model: PreTrainedModel) -> None:
    effect = freezing(model, TOKENIZER, TASKS, Mask.full(model), **STEPS, **ASK)
    assert effect.after == effect.free != effect.before
    assert (effect.trained, effect.steps, effect.off) == ("task-1", 3, 0)


def test_freezing_is_a_masked_training_by_hand(model: PreTrainedModel) -> None:
    mask = Mask.random(model, 0.3, seed=1)
    effect = freezing(model, TOKENIZER, TASKS, mask, **STEPS, **ASK)
    by_hand = small_model().train()
    encoded = encode(TOKENIZER, TASKS["task-1"].train, 64)
    batches = batch_indices(len(encoded), 3, 4, derived_seed(0, 1, "data order"))
    with ActiveRows(by_hand, mask) as rows:
        optimizer = rows.attach(AdamW(by_hand.parameters(), lr=1e-2, weight_decay=0))
        for step, batch in enumerate(batches):
            optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 3)
            inputs = collate([encoded[i] for i in batch], TOKENIZER.pad_token_id)
            by_hand(**inputs, use_cache=False).loss.backward()
            torch.nn.utils.clip_grad_norm_(list(rows.parameters()), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    assert effect.after == measured(by_hand.eval(), TOKENIZER, TASKS, **ASK)
    assert effect.after != effect.free


def test_what_is_known_need_not_be_measured_again(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = freezing(model, TOKENIZER, TASKS, Mask.random(model, 0.3), **STEPS, **ASK)
    calls: list[int] = []

    def counted(*args: object, **settings: object) -> Evaluation:
        calls.append(1)
        return Evaluation({}, None, "eval")

    monkeypatch.setattr("fggm_lab.training.effects.evaluate", counted)
    mask = Mask.random(model, 0.6)
    again = freezing(
        model, TOKENIZER, TASKS, mask, before=first.before, free=first.free, **STEPS, **ASK
    )
    assert calls == [1] and (again.before, again.free) == (first.before, first.free)


def test_the_random_generator_goes_on_as_if_nothing_had_been() -> None:
    model = small_model("gpt2")  # it has dropout, so that training draws
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    freezing(model, TOKENIZER, TASKS, Mask.random(model, 0.3), **STEPS, **ASK)
    assert torch.equal(torch.rand(3), expected)


def test_an_error_inside_brings_the_model_back(model: PreTrainedModel) -> None:
    with pytest.raises(RuntimeError, match="on purpose"), zeroed(model, ~Mask.full(model)):
        assert not any(bool(p.any()) for p in model.parameters())
        raise RuntimeError("on purpose")
    broken = small_model()
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.nan)
    before = fingerprint(broken)
    with pytest.raises(TrainingError):
        freezing(broken, TOKENIZER, TASKS, Mask.full(broken), **STEPS, **ASK)
    assert fingerprint(broken) == before


def test_bad_input_is_refused_in_a_sentence(model: PreTrainedModel) -> None:
    full_mask = Mask.full(model)
    with pytest.raises(DataError, match="no task is named 'x'"):
        freezing(model, TOKENIZER, TASKS, full_mask, "x")
    with pytest.raises(SettingError, match="steps is 0"):
        freezing(model, TOKENIZER, TASKS, full_mask, **{**STEPS, "steps": 0})
    with pytest.raises(SettingError, match="examples is 0"):
        zeroing(model, TOKENIZER, TASKS, full_mask, examples=0)
    with pytest.raises(ModelError, match="another model"):
        zeroing(model, TOKENIZER, TASKS, Mask.full(small_model("gpt2")))
    bare = type(TASKS)([replace(task, eval=()) for task in TASKS], "bare")
    with pytest.raises(DataError, match="no eval split"):
        zeroing(model, TOKENIZER, bare, full_mask)


def test_units_are_chosen_from_the_top_the_bottom_or_by_chance() -> None:
    info = FisherInfo("empirical", "input", 1, 1, "x", "task")
    scores = FisherScores(
        {"a": torch.tensor([3.0, 1, 4, 1, 5]), "b": torch.tensor([9.0, 2, 6, 5])},
        {"a": 0, "b": 0}, None, info,
    )  # fmt: skip

    def marked(*how: object) -> list[list[int]]:
        mask = choose_units(scores, *how)  # type: ignore[arg-type]
        return [bits.nonzero().flatten().tolist() for bits in mask.units.values()]

    assert marked("top", 0.4) == [[2, 4], [0, 2]]
    assert marked("bottom", 0.4) == [[1, 3], [1, 3]]
    assert marked("bottom", 0.33, "global") == [[1, 3], [1]]
    assert [len(units) for units in marked("random", 0.4)] == [2, 2]
    with pytest.raises(SettingError, match="rank is 'best'"):
        choose_units(scores, "best", 0.4)  # type: ignore[arg-type]
