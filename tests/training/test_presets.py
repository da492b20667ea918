"""A preset is settings that `run_sequence` takes, for all of TRACE's tasks or some."""

from dataclasses import replace
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import SFT, make_method
from fggm_lab.runs.published import published
from fggm_lab.tasks import ORDERS, TaskSequence, load_tasks
from fggm_lab.training import run_sequence
from fggm_lab.training.presets import PRESETS, preset
from tests.support.families import character_tokenizer
from tests.support.small import small_model, small_tasks


def test_a_preset_trains_any_of_its_tasks(tmp_path: Path) -> None:
    names = ("Py150", "FOMC", "20Minuten")
    tasks = [replace(task, name=n) for task, n in zip(small_tasks(), names, strict=True)]
    paper = preset("fggm-paper")
    run = run_sequence(
        small_model(), character_tokenizer(), TaskSequence(tasks, "some"), SFT(), tmp_path / "run",
        settings=paper.settings, points_per_task=0,
    )  # fmt: skip
    assert run.finished and run.config.training.epochs == {"Py150": 5, "FOMC": 3, "20Minuten": 7}
    assert run.config.max_new_tokens == {"Py150": 512, "20Minuten": 512}


def test_every_preset_is_settings_that_exist() -> None:
    for name, entry in PRESETS.items():
        options = {option: choice.value for option, choice in entry.options.items()}
        names = (
            ORDERS[options["order"]] if "order" in options else load_tasks(options["tasks"]).names
        )
        assert entry.name == name and entry.settings.for_tasks(names) == entry.settings
        for method in options["methods"]:
            settings = entry.method_settings(method)
            assert make_method(method, **settings).settings.items() >= settings.items()
        chosen = [
            *entry.options.values(),
            *entry.training.values(),
            *(c for s in entry.of_methods.values() for c in s.values()),
        ]
        assert all(choice.reason for choice in chosen if choice.source == "ours")
    with pytest.raises(
        SettingError, match=r"no preset is named 'fggm'; there are: fggm-paper, real"
    ):
        preset("fggm")


def test_published_numbers_are_those_of_the_papers_preset() -> None:
    settings = preset("fggm-paper").settings
    assert {name: getattr(settings, name) for name in published()["training"]} == published()[
        "training"
    ]
