"""FGGM's ablations: what a unit is, which end of the scores moves, what former tasks keep."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.inputs import drawn_examples
from fggm_lab.fisher.scored_parameters import Aggregation
from fggm_lab.methods import FGGM, Method, make_method
from fggm_lab.models.encoding import Encoded
from fggm_lab.training.checkpoints import saved_model
from tests.support import oracle
from tests.support.small import context, small_model, small_run, small_tasks

DOWN = "model.layers.0.mlp.down_proj.weight"


def test_columns_and_entries_are_units_of_their_own() -> None:
    model = small_model()
    task_context = context(model)
    scores_of_entries = fisher_scores(
        model, task_context.tokenizer, task_context.examples, elementwise=True, max_length=64
    )
    assert scores_of_entries.elementwise is not None
    entries = scores_of_entries.elementwise[DOWN]
    by_aggregation: dict[Aggregation, Tensor] = {
        "output": entries.sum(0),
        "none": entries.flatten(),
    }
    for aggregation, by_hand in by_aggregation.items():
        mask = FGGM(keep=0.25, aggregation=aggregation).plan(task_context).mask
        assert mask is not None
        keep = round(0.25 * by_hand.numel())
        threshold = by_hand.sort(descending=True).values[keep - 1]
        assert torch.equal(mask.units[DOWN], by_hand >= threshold * (1 - 1e-6))


def test_of_a_thousand_entries_the_one_of_highest_fisher_moves(tmp_path: Path) -> None:
    """The setting of PIECE-F: single entries over the whole model, 0.1 % of them."""
    method = FGGM(keep=0.001, scope="global", aggregation="none")
    run = small_run(method, tmp_path / "run", tasks=small_tasks(1), general=None, weight_decay=0.1)
    model = small_model()
    fisher = oracle.diagonal_fisher(model, context(model, index=0).encoded)
    after = saved_model(run.file("checkpoints", 0), small_model())
    names = [name for name, _ in model.named_parameters()]
    scores = torch.cat([fisher[name].flatten() for name in names])
    changed = torch.cat(
        [(after.get_parameter(n) != model.get_parameter(n)).flatten() for n in names]
    )
    count = round(0.001 * model.num_parameters())
    assert int(changed.sum()) == count > 3
    assert set(changed.nonzero().flatten().tolist()) == set(scores.topk(count).indices.tolist())


def test_inverted_masks_move_the_lowest_scores() -> None:
    model = small_model()
    plan = FGGM(keep=0.25, invert=True).plan(context(model))
    assert plan.mask is not None and plan.scores is not None
    scores, moving = plan.scores.units[DOWN], plan.mask.units[DOWN]
    assert float(scores[moving].max()) <= float(scores[~moving].min())
    assert float(scores.min()) >= 0  # what is kept for looking at is not turned round


def test_what_former_tasks_moved_stays_frozen(tmp_path: Path) -> None:
    run = small_run(FGGM(keep=0.4, protect_used=True), tmp_path / "run")
    masks = [run.mask(task) for task in range(3)]
    for name in run.mask(0).units:  # type: ignore[union-attr]
        first, second, third = (mask.units[name].int() for mask in masks)  # type: ignore[union-attr]
        assert int((first + second + third).max()) <= 1, "a unit moved in two tasks"
        units = len(first)
        share = round(0.4 * units)
        counts = [int(bits.sum()) for bits in (first, second, third)]
        assert counts == [share, min(share, units - share), max(0, units - 2 * share)]
    # What a later task may not move keeps its bits: drift is exactly zero there.
    drift = run.drift(1)
    assert drift is not None
    used = run.mask(0)
    assert used is not None
    assert all(float(drift[n][bits].abs().sum()) == 0 for n, bits in used.units.items())


def test_units_that_run_out_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"at keep 0\.5 all units are used up before the last"):
        small_run(FGGM(keep=0.5, protect_used=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    FGGM(keep=0.3, protect_used=True).check(4)  # what is left for the last one is enough
    with pytest.raises(SettingError, match="a first task without a mask moves all units"):
        FGGM(protect_used=True, first_task=False)


@pytest.mark.parametrize("method", [FGGM(estimator="true"), "replay+fggm"])
def test_long_answers_are_refused_before_training(tmp_path: Path, method: Method | str) -> None:
    """Before the run's folder is made."""
    if isinstance(method, str):
        method = make_method(method, fggm={"estimator": "true"})
    says = r"^task task-0: the answer of example \d+ has \d+ tokens, .* use estimator='sampled'"
    with pytest.raises(DataError, match=says):
        small_run(method, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_only_answers_that_will_be_scored_are_looked_at() -> None:
    short, long = Encoded((3,), (4, 1), False), Encoded((3,), (4, 5, 1), False)
    method = FGGM(estimator="true", max_examples=1)
    drawn = {seed: drawn_examples(2, 1, None, seed) for seed in range(20)}
    for seed, numbers in drawn.items():
        if numbers == [0]:
            method.check_data(["b", "a"], [[short] * 2, [short, long]], seed)
        else:
            with pytest.raises(DataError, match="task a: the answer of example 1 has 2 tokens"):
                method.check_data(["b", "a"], [[short] * 2, [short, long]], seed)
    assert len({tuple(numbers) for numbers in drawn.values()}) == 2


def test_an_estimator_of_ones_own_is_looked_up_before_training(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no_such_module"):
        small_run(FGGM(estimator="no_such_module:mine"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unknown_aggregation_is_one_sentence() -> None:
    with pytest.raises(SettingError, match="aggregation is 'rows'; choose one of: input, output"):
        FGGM(aggregation="rows")  # type: ignore[arg-type]
