"""The record of training settings: one default each, one sentence for each mistake."""

import inspect
from typing import Any

import pytest
import torch

import fggm_lab as lab
from fggm_lab.errors import SettingError
from fggm_lab.seeds import derived_seed
from fggm_lab.settings import TrainingSettings


def test_every_setting_is_described_and_has_a_default() -> None:
    assert TrainingSettings() == TrainingSettings(**TrainingSettings().model_dump())
    for name, field in TrainingSettings.model_fields.items():
        assert field.description, name


def test_run_sequence_names_them_with_the_defaults_of_the_record() -> None:
    named = inspect.signature(lab.run_sequence).parameters
    assert not any(p.kind is p.VAR_KEYWORD for p in named.values())
    for name, value in TrainingSettings():
        assert named[name].default == value


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"clip": 0}, r"^setting clip: .* \(it is 0\); write a number above 0, or none$"),
        ({"batch_size": 1.5}, r"^setting batch_size: .*; write a whole number of 1 or more, at"),
        ({"schedule": "cosine"}, r"^setting schedule: .*; write one of: constant, linear$"),
        (
            {"epochs": {"A": 0}},
            r"^setting epochs.A: .*; write a number above 0, at most 10,000, one",
        ),
        ({"epochs": 1e9}, r"^setting epochs: .*; write a number above 0, at most 10,000, one for"),
        ({"lr": 1e300}, r"^setting lr: .*; write a number of 0 or more, at most 1,000,000$"),
        ({"clip": float("inf")}, r"^setting clip: .*finite number .*; write a number above 0, or"),
        ({"seed": 10**22}, r"^setting seed: .*, at most 9,223,372,036,854,775,807$"),
        ({"distance_samples": 10**9}, r"^setting distance_samples: .*, at most 1,000,000$"),
        ({"probe": 0}, r"^probe is 0, so the 12 evaluations .*, or points_per_task=0 \(--points 0"),
        ({"schedule": "s" * 999}, r"^setting schedule: .*s…s+'\); write one of: constant, linear$"),
        ({"autocast": "perhaps"}, r"^setting autocast: .*; write true or false$"),
        ({"point_per_task": 3}, r"there is no such setting; did you mean 'points_per_task'\?"),
    ],
)
def test_a_mistake_is_one_sentence_with_a_remedy(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence):
        TrainingSettings(**changes)
    with pytest.raises(SettingError, match=sentence):
        TrainingSettings().with_changes(**changes)


def test_changes_leave_the_record_as_it_is() -> None:
    settings = TrainingSettings(lr=1e-3)
    assert settings.with_changes(clip=None, lr=2e-3).clip is None
    assert settings == TrainingSettings(lr=1e-3)


def test_a_former_name_is_accepted_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match="recompute is now called gradient_checkpointing"):
        assert TrainingSettings().with_changes(recompute=True).gradient_checkpointing


def test_numbers_of_traces_other_tasks_are_left_out() -> None:
    settings = TrainingSettings(epochs={"FOMC": 3, "mine": 2, "Py150": 5}, max_new_tokens=[7, 8])
    of_two_tasks = settings.for_tasks(["mine", "FOMC"])
    assert of_two_tasks.epochs == {"FOMC": 3, "mine": 2}
    assert (of_two_tasks.epochs_of("mine"), of_two_tasks.max_new_tokens) == (
        2,
        {"mine": 7, "FOMC": 8},
    )
    with pytest.raises(SettingError, match=r"^epochs names a task 'mine' .* did you mean 'mined'"):
        settings.for_tasks(["mined", "FOMC"])


def test_no_examples_are_needed_where_nothing_is_measured_inside_a_task() -> None:
    assert TrainingSettings(points_per_task=0, probe=0).probe == 0


def test_the_largest_seed_gives_every_task_one_that_generators_take() -> None:
    purposes = ("data order", "random mask", "own samples", "adapters", "anything else")
    for purpose in purposes:
        torch.Generator().manual_seed(derived_seed(10**15, 999, purpose))
