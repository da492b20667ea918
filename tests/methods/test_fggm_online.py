"""FGGM-online: Adam's own second moment, cut after the first steps, and no drift where frozen."""

from pathlib import Path

import pytest
from torch.optim import AdamW

from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGMOnline
from fggm_lab.models.encoding import collate
from tests.support.resuming import assert_same_run
from tests.support.small import context, small_model, small_run, small_tasks


def test_the_mask_is_that_of_adams_second_moment() -> None:
    model = small_model()
    task_context = context(model)
    method = FGGMOnline(keep=0.3, gather=0.5, rewind=False)
    optimizer = AdamW(model.parameters(), lr=1e-2)
    method.start(task_context)
    mask = None
    for step in range(4):
        optimizer.zero_grad()
        model(**collate(task_context.encoded[step : step + 4], 0)).loss.backward()
        method.on_gradients(model)
        optimizer.step()
        assert mask is None
        mask = method.remask(task_context, step + 1, 8)
    assert mask is not None
    scores: FisherScores = fisher_scores(
        model, task_context.tokenizer, task_context.examples, estimator="adam", optimizer=optimizer
    )
    assert mask == Mask.top(scores, 0.3)


def test_frozen_units_do_not_move_over_a_task_and_the_others_do(tmp_path: Path) -> None:
    run = small_run(FGGMOnline(gather=0.4), tmp_path / "run")
    for task in range(3):
        assert run.mask(task, step=0) is None  # it begins unmasked
        mask, drift = run.mask(task), run.drift(task)
        assert mask is not None and drift is not None
        assert 0.2 < mask.share < 0.4
        for name, moving in mask.units.items():
            assert float(drift[name][~moving].abs().sum()) == 0
        assert sum(float(drift[n][m].sum()) for n, m in mask.units.items()) > 0
        (event,) = (e for e in run.events("task") if e["task"] == task)
        assert event["kept"] == mask.count


def test_without_rewinding_the_first_steps_remain(tmp_path: Path) -> None:
    run = small_run(FGGMOnline(gather=0.4, rewind=False), tmp_path / "run")
    mask, drift = run.mask(0), run.drift(0)
    assert mask is not None and drift is not None
    assert sum(float(drift[n][~m].sum()) for n, m in mask.units.items()) > 0


def test_a_refreshed_mask_is_chosen_anew(tmp_path: Path) -> None:
    run = small_run(FGGMOnline(gather=0.3, refresh=2), tmp_path / "run")
    steps = sorted(int(p.stem.rpartition("@")[2]) for p in (run.path / "masks").glob("01-*@*"))
    assert steps == [2, 4]  # of 6 steps
    assert run.mask(0) == run.mask(0, step=4) != run.mask(0, step=2)


@pytest.mark.parametrize("method", [FGGMOnline(gather=0.4), FGGMOnline(gather=0.3, refresh=2)])
@pytest.mark.parametrize("at", [7, 9, 11])
def test_paused_anywhere_it_goes_on_bit_for_bit(
    method: FGGMOnline, at: int, tmp_path: Path
) -> None:
    uninterrupted = small_run(method, tmp_path / "whole")
    steps = iter(range(1, 100))
    paused = small_run(method, tmp_path / "run", pause=lambda: next(steps) == at)
    assert not paused.finished
    assert_same_run(uninterrupted, small_run(method, tmp_path / "run", resume=True))


def test_the_first_task_can_be_left_unmasked(tmp_path: Path) -> None:
    run = small_run(FGGMOnline(gather=0.4, first_task=False), tmp_path / "run")
    assert run.mask(0) is None and run.mask(1) is not None


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"gather is 1\.5; it must be from 0 to 1"):
        FGGMOnline(gather=1.5)
    with pytest.raises(SettingError, match="gather is 1, so the mask would be cut when the task"):
        FGGMOnline(gather=1)
    with pytest.raises(SettingError, match="refresh is 0; it must be 1 or more"):
        FGGMOnline(refresh=0)


def test_a_mask_is_cut_before_the_last_step_or_the_task_is_refused(tmp_path: Path) -> None:
    run = small_run(FGGMOnline(gather=0.99), tmp_path / "run", tasks=small_tasks(1))
    assert [event["task_step"] for event in run.events("step")][-1] == 6
    assert run.mask(0, step=5) == run.mask(0) is not None
    with pytest.raises(SettingError, match="task task-0 takes a single step, and fggm-online"):
        small_run(FGGMOnline(), tmp_path / "one", tasks=small_tasks(1), epochs=1, batch_size=10)
