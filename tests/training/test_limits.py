"""What cannot be trained is refused before anything is scored, wherever it is asked for."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainingArguments

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, Method, make_method
from fggm_lab.tasks import Task, TaskSequence
from fggm_lab.training import ActiveRows, FGGMCallback, MaskedGradients, run_sequence
from fggm_lab.training.schedule import measuring_steps, recording_steps
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import QUICK, small_model, small_run, small_tasks

HALF = r"^.* is in float16, .*; load the model in bfloat16 or float32$"


def train_by_callback(model: Any, callback: FGGMCallback, out: Path) -> None:
    rows = [{"input_ids": list(range(5, 13)), "labels": list(range(5, 13))}] * 2
    args = TrainingArguments(str(out), max_steps=1, use_cpu=True, report_to=[], disable_tqdm=True)
    Trainer(model, args, train_dataset=rows, callbacks=[callback]).train()


def test_float16_weights_are_not_trained_anywhere(tmp_path: Path) -> None:
    model = small_model(dtype=torch.float16)
    for make in (ActiveRows, MaskedGradients):
        with pytest.raises(ModelError, match=HALF):
            make(model, Mask.random(model, 0.3))
    with pytest.raises(ModelError, match=HALF):
        run_sequence(model, character_tokenizer(), small_tasks(), FGGM(), tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()
    with pytest.raises(ModelError, match=HALF):
        train_by_callback(model, FGGMCallback(), tmp_path)


def test_frozen_float16_weights_are_no_hindrance() -> None:
    model = small_model(dtype=torch.float16)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data = parameter.data.float()
        else:
            parameter.requires_grad_(False)
    MaskedGradients(model, None).close()


def test_float16_weights_are_scored_well_enough_to_choose_units() -> None:
    examples, masks = some_examples(6), []
    for dtype in (torch.float32, torch.float16):
        scores = fisher_scores(small_model(dtype=dtype), character_tokenizer(), examples)
        masks.append(Mask.top(scores, 0.3))
    exact, half = masks
    assert sum(int((exact[n] & half[n]).sum()) for n in exact.units) > 0.95 * exact.count


@pytest.mark.parametrize("name", ["fggm", "random", "magnitude", "migu", "replay+fggm"])
def test_a_keep_share_that_moves_nothing_is_refused_before_anything_is_done(
    name: str, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"fggm": {"keep": 1e-9}} if "+" in name else {"keep": 1e-9}
    method: Method = make_method(name, **settings)
    with pytest.raises(SettingError, match=r"^keep is 1e-09, .* nothing would move; keep more"):
        small_run(method, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_entries_may_be_fewer_than_any_share_of_rows(tmp_path: Path) -> None:
    FGGM(keep=1e-3, scope="global", aggregation="none").check_model(small_model())
    with pytest.raises(SettingError, match="nothing would move"):
        FGGM(keep=1e-9, scope="global", aggregation="none").check_model(small_model())


def test_the_callback_refuses_such_a_share_too(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="nothing would move; keep more than"):
        train_by_callback(small_model(), FGGMCallback(keep=1e-9), tmp_path)


def test_a_run_folder_too_deep_for_its_files_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="is too long for this file system; choose a shorter"):
        small_run(FGGM(), tmp_path / ("n" * 300))


def test_the_longest_task_name_is_trained_and_read_again(tmp_path: Path) -> None:
    task = small_tasks(1)[0]
    tasks = TaskSequence([Task("ü" * 100, task.train, task.eval, task.test)], "small")
    run = small_run(FGGM(), tmp_path / "run", tasks=tasks, epochs=1)
    assert run.finished and run.mask(0) is not None and run.fisher("ü" * 100) is not None


def test_more_points_than_steps_are_all_steps_and_cost_no_more() -> None:
    assert measuring_steps(6, 10**12) == {1, 2, 3, 4, 5} == measuring_steps(6, 6)
    assert recording_steps(6, 10**12) == {1, 2, 3, 4, 5, 6} == recording_steps(6, 6)
