"""A configuration is complete and checked, and two of them say how they differ."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import make_method
from fggm_lab.runs import RunConfig, versions
from fggm_lab.runs.config import SCHEMA
from fggm_lab.settings import by_task

Make = Callable[..., RunConfig]


def test_it_survives_json(config: Make) -> None:
    run_config = config(
        method="fggm",
        method_settings={"keep": 0.3, "masked": ["all"]},
        branch={"run": "r", "task": 1},
    )
    assert RunConfig.model_validate(json.loads(run_config.model_dump_json())) == run_config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": -1.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": {"A": 1, "B": 0}}, "epochs.B"),
        ({"epochs": [1, 2]}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": {"A": 1.5}}, "max_new_tokens.A"),
        ({"split": "train"}, "split"),
        ({"learning_rate": 1}, "learning_rate"),
        ({"batch_size": 1.5}, "batch_size"),
        ({"task_names": []}, "task_names"),
        ({"branch": {"run": "r", "task": -1}}, "branch.task"),
        ({"fisher_points": -1}, "fisher_points"),
        ({"fisher_examples": 0}, "fisher_examples"),
        ({"seed": None}, "seed"),
    ],
)
def test_a_wrong_setting_is_one_sentence_naming_it(
    config: Make, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(SettingError, match=f"^setting {named}: ") as caught:
        config(**change)
    assert "\n" not in str(caught.value)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SettingError, match="setting model: field required"):
        RunConfig.model_validate({})


def test_the_difference_lists_every_setting_and_no_version(config: Make) -> None:
    config_here = config(lr=1e-3, method="fggm", method_settings={"keep": 0.3, "scope": "layer"})
    other = config(
        method="fggm", method_settings={"keep": 0.5, "scope": "layer"}, versions={"torch": "1.0"}
    )
    assert config_here.difference(other) == [
        "method_settings.keep: 0.5 there, 0.3 here",
        "lr: 0.0005 there, 0.001 here",
    ]
    assert "torch: 1.0 there" in " ".join(config_here.version_difference(other))
    assert config_here.difference(config_here) == config_here.version_difference(config_here) == []


def test_a_setting_only_one_side_has_is_a_difference(config: Make) -> None:
    plain, clipped = config(clip=None), config(clip=1.0, method_settings={"rows": 2})
    assert plain.difference(clipped) == [
        "clip: 1.0 there, not set here",
        "method_settings.rows: 2 there, not set here",
    ]
    assert (
        config(method_settings={"keep": 1}).difference(config(method_settings={"keep": 1.0})) == []
    )


def test_a_branch_shows_in_the_difference(config: Make) -> None:
    lines = config().difference(config(branch={"run": "runs/sft", "task": 2}))
    assert "branch.run: runs/sft there, not set here" in lines
    assert "branch.task: 2 there, not set here" in lines


def test_the_schema_is_recorded_and_is_no_setting(config: Make) -> None:
    new, old = config(), config(schema_version=1)
    assert new.schema_version == SCHEMA > old.schema_version
    assert new.difference(old) == [] == old.difference(new)
    assert "schema_version" not in new.settings()
    assert new.model_dump()["schema_version"] == SCHEMA


def test_what_is_only_recorded_is_no_setting_and_older_runs_lack_it(config: Make) -> None:
    new = config(preset="fggm-paper", processor="a processor", threads=2, attention="sdpa")
    old = config()
    assert (old.preset, old.processor, old.threads) == (None, None, None)
    assert new.difference(old) == [] == old.difference(new)
    stored = json.loads(new.model_dump_json())
    assert RunConfig.model_validate(stored) == new
    assert (stored["processor"], stored["threads"]) == ("a processor", 2)
    for name in ("preset", "processor", "threads", "attention"):
        del stored[name]
    assert RunConfig.model_validate(stored) == old
    assert "preset" not in json.loads(old.model_dump_json())


def test_versions_are_recorded_unless_given(config: Make) -> None:
    assert config().versions == versions()
    assert {"python", "torch", "transformers"} <= set(versions())


def test_epochs_and_new_tokens_may_be_a_tasks_own(config: Make) -> None:
    run_config = config(epochs={"A": 0.5, "B": 2}, max_new_tokens={"B": 7})
    assert RunConfig.model_validate(json.loads(run_config.model_dump_json())) == run_config
    assert (
        run_config.training.epochs_of("A"),
        run_config.training.epochs_of("B"),
        config().training.epochs_of("B"),
    ) == (0.5, 2, 3)
    assert run_config.difference(config()) == [
        "epochs.A: not set there, 0.5 here",
        "epochs.B: not set there, 2.0 here",
        "max_new_tokens.B: not set there, 7 here",
        "epochs: 3.0 there, not set here",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": {"A": 1}}, r"^epochs has no number for B; give one for every task"),
        ({"epochs": {"A": 1, "B": 1, "b": 1}}, r"^epochs names a task 'b' .*: A, B; did .* 'B'\?"),
        ({"max_new_tokens": {"C": 1}}, r"^max_new_tokens names a task 'C' that is not learned"),
    ],
)
def test_numbers_for_other_tasks_are_refused(
    config: Make, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        config(**change)


def test_numbers_in_order_become_numbers_by_name() -> None:
    assert by_task("epochs", [1, 2.5], ["A", "B"]) == {"A": 1, "B": 2.5}
    assert by_task("epochs", 3, ["A", "B"]) == 3
    assert by_task("epochs", {"B": 1}, ["A", "B"]) == {"B": 1}
    with pytest.raises(SettingError, match=r"^epochs has 3 numbers for 2 tasks \(A, B\)"):
        by_task("epochs", (1, 2, 3), ["A", "B"])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"keep": 0.1, "scope": "global"}, (0.1, "global")),
        ({"keep": 0.1, "scope": "layer"}, (0.1, "parameter")),
        ({"keep": 1}, (1.0, "parameter")),
        ({"replay": {"share": 0.5}, "fggm": {"keep": 0.1, "scope": "global"}}, (0.1, "global")),
        ({"lora": {"rank": 8}, "migu": {"keep": 0.2}}, (0.2, "parameter")),
        ({"strength": 1000.0}, None),
        ({}, None),
    ],
)
def test_the_mask_settings_are_those_the_method_trained_with(
    config: Make, settings: dict[str, Any], expected: tuple[float, str] | None
) -> None:
    assert config(method_settings=settings).mask_settings == expected


@pytest.mark.parametrize("methods", ["fapm+fggm", "fggm+fapm", "l2+fggm"])
def test_of_combined_methods_the_one_that_cuts_masks_counts(config: Make, methods: str) -> None:
    """Shares of other things, such as of changes that FAPM keeps, are no mask's."""
    method = make_method(methods, fggm={"keep": 0.4, "scope": "global", "first_task": False})
    recorded = config(method=method.name, method_settings=method.settings)
    assert recorded.mask_settings == (0.4, "global")
    assert recorded.first_task_masked is False


@pytest.mark.parametrize("method", ["sft", "fapm", "l2", "self-kl"])
def test_methods_without_masks_have_no_mask_settings(config: Make, method: str) -> None:
    recorded = config(method=method, method_settings=make_method(method).settings)
    assert recorded.mask_settings is None and recorded.first_task_masked is None
