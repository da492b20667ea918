"""Protect and Contrast: the self-Fisher says which units move."""

import numpy as np
import pytest
import torch

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, Contrast, Protect
from fggm_lab.methods.masking import TaskMasking
from fggm_lab.models.sampling import own_samples
from tests.support.families import tiny_model
from tests.support.small import context, small_model


def self_fisher(model, task_context):  # type: ignore[no-untyped-def]
    drawn = own_samples(
        model,
        task_context.tokenizer,
        20,
        length=10,
        seed=task_context.index + 1000 * task_context.seed,
    )
    return fisher_scores(model, task_context.tokenizer, drawn, max_length=64)


def moved(mask: Mask) -> dict[str, list[bool]]:
    return {name: bits.tolist() for name, bits in mask.units.items()}


def test_protect_moves_the_units_with_the_lowest_self_fisher() -> None:
    model = small_model()
    task_context = context(model)
    mask = Protect(keep=0.25, samples=20, length=10).plan(task_context).mask
    assert mask is not None
    for name, units in self_fisher(model, task_context).units.items():
        keep = round(0.25 * len(units))
        lowest = np.argsort(units.numpy(), kind="stable")[:keep]
        assert set(mask.units[name].nonzero().flatten().tolist()) == set(lowest.tolist())


@pytest.mark.parametrize("method", [Protect(0.3, samples=3, length=6), FGGM(0.3, invert=True)])
def test_which_unused_tokens_move_does_not_depend_on_their_id(method: TaskMasking) -> None:
    """Most rows of an untied embedding score zero; the run's seed and the task draw among them."""
    name = "model.embed_tokens.weight"
    model = tiny_model("llama", tied=False, vocabulary=400)
    plans = {
        (seed, index): method.plan(context(model, index=index, seed=seed))
        for seed, index in ((0, 1), (0, 2), (1, 1))
    }
    moving = []
    for plan in plans.values():
        assert plan.mask is not None and plan.scores is not None
        bits, scores = plan.mask.units[name], plan.scores.units[name]
        assert int(bits.sum()) == 120 and not scores[bits].any()
        assert int((scores == 0).sum()) > 300
        halves = int(bits[:200].sum()), int(bits[200:].sum())
        assert min(halves) > 30, "the lowest ids move"
        moving.append(bits)
    assert not torch.equal(moving[0], moving[1]) and not torch.equal(moving[0], moving[2])
    again = method.plan(context(model, index=1, seed=0)).mask
    assert again == plans[0, 1].mask


def test_contrast_moves_the_units_with_the_highest_ratio() -> None:
    model = small_model()
    task_context = context(model)
    plan = Contrast(keep=0.25, samples=20, length=10).plan(task_context)
    assert plan.mask is not None and plan.scores is not None
    new = fisher_scores(model, task_context.tokenizer, task_context.examples, max_length=64)
    for name, self_scores in self_fisher(model, task_context).units.items():
        ratio = new.units[name].double() / (self_scores.double() + 1e-30)
        chosen = ratio[plan.mask.units[name]]
        left = ratio[~plan.mask.units[name]]
        assert len(chosen) == round(0.25 * len(self_scores))
        if len(chosen) and len(left):
            assert float(chosen.min()) >= float(left.max())
    assert torch.equal(plan.scores.units["model.norm.weight"], new.units["model.norm.weight"])


def test_no_data_is_needed_and_the_first_task_can_be_free() -> None:
    model = small_model()
    task_context = context(model)
    task_context.encoded.clear()  # protect looks at no example
    assert Protect(samples=4, length=8).plan(task_context).mask is not None
    assert Protect(first_task=False).plan(context(model, index=0)).mask is None
    assert Contrast(first_task=False).plan(context(model, index=0)).mask is None
