"""SHiRA trains the entries that its mask chose, and none but these moves."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.methods import SHiRA, TaskContext, fisher_mask_fn
from fggm_lab.training.checkpoints import saved_model
from tests.support import oracle
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run, small_tasks


def highest(values: Tensor, count: int) -> set[int]:
    order = np.argsort(-values.detach().double().numpy().ravel(), kind="stable")
    return set(order[:count].tolist())


def moved(before: Mapping[str, Tensor], after: torch.nn.Module) -> dict[str, set[int]]:
    """Parameter → the flat numbers of its entries that differ."""
    return {
        name: set((p.detach() != before[name]).flatten().nonzero().flatten().tolist())
        for name, p in after.named_parameters()
    }


def chosen(method: SHiRA, task_context: TaskContext) -> dict[str, set[int]]:
    """Layer's weight → entries that move if all of the adapters' parameters do."""
    model = task_context.model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with method.adapted(task_context):
        trained = [p for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            for parameter in trained:
                assert not parameter.any()
                parameter.add_(0.5)
    task_context.memory.clear()
    assert all(p.requires_grad for p in model.parameters())
    assert not any("shira" in name for name in model.state_dict())
    return {name: entries for name, entries in moved(before, model).items() if entries}


@pytest.mark.parametrize("rank", [1, 3])
def test_fisher_and_magnitude_masks_are_the_highest_entries(rank: int) -> None:
    model = small_model(dtype=torch.float64)
    task_context = context(model)
    fisher = oracle.diagonal_fisher(model, task_context.encoded)
    values = {"fisher": fisher, "magnitude": {n: p.abs() for n, p in model.named_parameters()}}
    for mask, by_name in values.items():
        by_name = {name: value.detach().clone() for name, value in by_name.items()}
        entries = chosen(
            SHiRA(rank=rank, mask=mask, modules=["up_proj", "q_proj"]),  # type: ignore[arg-type]
            context(small_model(dtype=torch.float64)),
        )
        assert len(entries) == 4
        for name, numbers in entries.items():
            count = rank * sum(by_name[name].shape)
            assert numbers == highest(by_name[name], count), (mask, name)


def test_random_masks_follow_seed_task_and_layer() -> None:
    first, again, *others = (
        chosen(SHiRA(), context(small_model(), index, seed))
        for seed, index in ((0, 1), (0, 1), (1, 1), (0, 2))
    )
    assert first == again and all(first != other for other in others)
    like = dict(small_model().named_parameters())
    assert all("proj" in name and len(n) == sum(like[name].shape) for name, n in first.items())
    same_shape = [f"model.layers.{i}.mlp.up_proj.weight" for i in (0, 1)]
    assert first[same_shape[0]] != first[same_shape[1]]


def test_in_a_run_as_many_entries_move_as_the_rank_says_and_no_others(tmp_path: Path) -> None:
    run = small_run(
        SHiRA(mask="fisher", modules=["down_proj"]),
        tmp_path / "run",
        tasks=small_tasks(1),
        general=None,
        fisher_points=1,
        weight_decay=0.1,
    )
    before = {name: p.detach() for name, p in small_model().named_parameters()}
    after = saved_model(run.file("checkpoints", 0), small_model())
    for name, entries in moved(before, after).items():
        if name.endswith("down_proj.weight"):
            assert 0.9 * sum(before[name].shape) < len(entries) <= sum(before[name].shape)
        else:
            assert not entries, name


def test_the_model_as_the_task_began_has_the_same_entries() -> None:
    model, plain = small_model(), small_model()
    task_context = context(model)
    object.__setattr__(task_context, "before", lambda: plain)
    method = SHiRA()
    with method.adapted(task_context):
        begun = method.begun(task_context)
        with torch.no_grad():
            for adapted in (model, begun):
                for name, parameter in adapted.named_parameters():
                    if "shira" in name:
                        parameter.fill_(0.25)
        ids = torch.arange(5).unsqueeze(0)
        assert torch.equal(model(ids).logits, begun(ids).logits)


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    """The Fisher mask is that of the model before the task, which a resumed run does not have."""
    assert_resumes(SHiRA(mask="fisher"), tmp_path)


def test_the_fisher_mask_serves_peft_alone() -> None:
    peft = pytest.importorskip("peft")
    model = small_model()
    task_context = context(model)
    scores = fisher_scores(
        model, task_context.tokenizer, task_context.examples, max_length=64, elementwise=True
    )
    weight = "model.layers.1.self_attn.o_proj.weight"
    before = model.get_parameter(weight).detach().clone()
    config = peft.ShiraConfig(r=2, target_modules=["o_proj"])
    config.mask_fn = fisher_mask_fn(scores, model)
    adapted = peft.get_peft_model(model, config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "shira" in name:
                parameter.fill_(1.0)
    after = adapted.merge_and_unload().get_parameter(weight).detach()
    assert scores.elementwise is not None
    changed = set((after != before).flatten().nonzero().flatten().tolist())
    assert changed == highest(scores.elementwise[weight], 2 * sum(before.shape))


def test_bad_input_is_one_sentence() -> None:
    model = small_model()
    task_context = context(model)
    with (
        pytest.raises(SettingError, match=r"shira: .*c_attn is a Conv1D, and peft adapts torch.nn"),
        SHiRA().adapted(context(small_model("gpt2"))),
    ):
        pass
    with (
        pytest.raises(SettingError, match="k_proj has, which is 8 × 16; choose at most 5"),
        SHiRA(rank=9).adapted(task_context),
    ):
        pass
    with pytest.raises(SettingError, match="mask is 'fischer'; choose one of: random, magnitude, "):
        SHiRA(mask="fischer")  # type: ignore[arg-type]
    rows = fisher_scores(model, task_context.tokenizer, task_context.examples, max_length=64)
    with pytest.raises(SettingError, match=r"needs fisher_scores\(…, elementwise=True\)"):
        fisher_mask_fn(rows, model)
    entries = fisher_scores(
        model, task_context.tokenizer, task_context.examples, max_length=64, elementwise=True
    ).restricted(["model.norm.weight"])
    layer = model.model.layers[0].mlp.up_proj
    with pytest.raises(SettingError, match=r"no scores of model\.layers\.0\.mlp\.up_proj\.weight"):
        fisher_mask_fn(entries, model)(layer, 1)
    with pytest.raises(SettingError, match="none of the model that was given"):
        fisher_mask_fn(entries, small_model())(layer, 1)
