"""Each method does what defines it: which units move, chosen from what."""

import dataclasses
from dataclasses import replace
from typing import Any, cast

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods import (
    FGGM,
    METHODS,
    MIGU,
    SFT,
    Plan,
    RandomMask,
    TaskContext,
    make_method,
)
from fggm_lab.methods.masking import TaskMasking, masked_names
from fggm_lab.methods.migu import Magnitude
from fggm_lab.models.encoding import collate
from tests.support.families import FAMILIES
from tests.support.small import context, small_model


def test_sft_masks_nothing() -> None:
    assert SFT().plan(context(small_model())).mask is None


@pytest.mark.parametrize("scope", ["parameter", "global"])
def test_fggm_is_the_top_of_the_new_tasks_fisher(scope: Scope) -> None:
    model = small_model()
    task_context = context(model)
    plan = FGGM(keep=0.3, scope=scope).plan(task_context)
    scores = fisher_scores(model, task_context.tokenizer, task_context.examples, max_length=64)
    assert plan.mask == Mask.top(scores, 0.3, scope)
    assert plan.scores is not None
    assert all(torch.equal(plan.scores.units[n], scores.units[n]) for n in scores.units)


def test_fggm_can_leave_the_first_task_and_other_parameters_alone() -> None:
    model = small_model()
    free = FGGM(first_task=False).plan(context(model, index=0))
    assert free.mask is None and free.scores is not None
    assert FGGM(first_task=False).plan(context(model, index=1)).mask is not None
    linear = FGGM(parameters="linear").plan(context(model)).mask
    assert linear is not None
    assert all("proj" in name for name in linear.units)
    frozen = FGGM(parameters="linear", others="freeze").plan(context(model)).mask
    assert frozen is not None
    assert set(frozen.units) == {name for name, _ in model.named_parameters()}
    assert not frozen.units["model.norm.weight"].any()


def test_a_task_mask_of_ones_own_needs_cut_alone() -> None:
    class Even(TaskMasking):
        def cut(self, task_context: TaskContext) -> Plan:
            mask = Mask.full(task_context.model).restricted(
                masked_names(task_context.model, self.parameters)
            )
            for units in mask.units.values():
                units[1::2] = False
            return Plan(mask)

    model = small_model()
    assert Even(first_task=False).plan(context(model, index=0)) == Plan()
    mask = Even(parameters="linear", others="freeze").plan(context(model)).mask
    assert mask is not None
    assert mask.units["model.layers.0.mlp.up_proj.weight"][:4].tolist() == [True, False] * 2
    assert not mask.units["model.norm.weight"].any()


def test_random_mask_keeps_as_many_units_as_fggm_and_follows_its_seed() -> None:
    model = small_model()
    fisher, chance = FGGM().plan(context(model)).mask, RandomMask().plan(context(model)).mask
    assert fisher is not None and chance is not None
    assert {n: int(u.sum()) for n, u in fisher.units.items()} == {
        n: int(u.sum()) for n, u in chance.units.items()
    }
    assert chance == RandomMask().plan(context(model)).mask
    assert chance != RandomMask().plan(context(model, seed=1)).mask
    assert chance != RandomMask().plan(context(model, index=2)).mask


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("magnitude", "count_padding"), [("share", True), ("share", False), ("sum", True)]
)
def test_migu_keeps_the_rows_with_the_largest_outputs(
    family: str, magnitude: Magnitude, count_padding: bool
) -> None:
    model = small_model(family, tied=False)
    task_context = context(model)
    batch = collate(task_context.encoded, 0)
    outputs: dict[str, torch.Tensor] = {}
    name = {"gpt2": "transformer.h.0.mlp.c_fc"}.get(family, "model.layers.0.mlp.up_proj")
    layer = model.get_submodule(name)
    layer.register_forward_hook(lambda m, i, o: outputs.__setitem__(name, o.detach()))
    method = MIGU(keep=0.3, magnitude=magnitude, count_padding=count_padding)
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    method.start(task_context)
    model(**batch).loss.backward()
    plain = layer.weight.grad.clone()
    norm = next(p for n, p in model.named_parameters() if "norm" in n or "ln_" in n)
    untouched = norm.grad.clone()
    method.on_gradients(model)
    method.finish()
    # By hand, token by token: |output| over its sum, or |output| itself, added up.
    counted = []
    for row, mask in zip(outputs[name], batch["attention_mask"], strict=True):
        for token, real in zip(row, mask, strict=True):
            if real or count_padding:
                size = token.abs()
                counted.append(size / size.sum() if magnitude == "share" else size)
    total = torch.stack(counted).sum(dim=0)
    rows = total.argsort(descending=True)[: round(0.3 * len(total))]
    expected = torch.zeros_like(plain)
    if family == "gpt2":
        expected[:, rows] = plain[:, rows]
    else:
        expected[rows] = plain[rows]
    assert torch.equal(layer.weight.grad, expected)
    assert torch.equal(norm.grad, untouched)
    assert not [h for m in model.modules() for h in m._forward_pre_hooks]


class _Identity(torch.nn.Module):
    """One linear layer that gives back what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 3, bias=False)
        self.layer.weight.data = torch.eye(3)

    def get_output_embeddings(self) -> None:
        """It has no head."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.layer(tokens))


@pytest.mark.parametrize(("magnitude", "row"), [("share", 2), ("sum", 0)])
def test_a_loud_token_decides_by_the_sum_and_not_by_shares(magnitude: Magnitude, row: int) -> None:
    """Tokens (8, 6, 0) and (0, 0.1, 0.9): sums 8, 6.1, 0.9; shares 4/7 + 0, 3/7 + 0.1, 0 + 0.9."""
    model = cast(Any, _Identity())
    method = MIGU(keep=1 / 3, magnitude=magnitude)
    method.start(replace(context(small_model()), model=model))
    model(torch.tensor([[[8.0, -6.0, 0.0], [0.0, 0.1, -0.9]]])).sum().backward()
    masks = method.rows()
    assert masks["layer.weight"].nonzero().flatten().tolist() == [row]
    method.on_gradients(model)
    assert model.layer.weight.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [row]
    assert method.rows() == {}, "the next step begins anew"
    method.finish()


MASKS = [name for name, method in METHODS.items() if method.masks]


@pytest.mark.parametrize("name", MASKS)
def test_every_mask_can_leave_the_first_task_alone_and_says_what_it_does_by_default(
    name: str,
) -> None:
    model = small_model()
    task_context = context(model, index=0)
    method = make_method(name, first_task=False)
    assert method.plan(task_context).mask is None
    method.start(task_context)
    model.train()
    model(**collate(task_context.encoded, 0)).loss.backward()
    before = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    method.on_gradients(model)
    assert method.remask(task_context, 1, 2) is None
    method.finish()
    assert all(torch.equal(model.get_parameter(n).grad, g) for n, g in before.items())
    documented = (METHODS[name].__doc__ or "").partition("first_task:")[2]
    assert "default" in documented.partition(":")[0]


def test_migu_skips_the_first_task_as_its_code_does() -> None:
    model = small_model()
    task_context = context(model, index=0)
    method = MIGU()
    method.start(task_context)
    model.train()
    model(**collate(task_context.encoded, 0)).loss.backward()
    before = {n: p.grad.clone() for n, p in model.named_parameters()}
    method.on_gradients(model)
    assert all(torch.equal(p.grad, before[n]) for n, p in model.named_parameters())


@pytest.mark.parametrize("name", METHODS)
def test_settings_round_trip(name: str) -> None:
    method = make_method(name)
    assert make_method(name, **method.settings) == method


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="no method is named 'fgm'; there are: sft, migu"):
        make_method("fgm")
    with pytest.raises(SettingError, match=r"untrained; did you mean 'fggm'\?$"):
        make_method("fgm")
    with pytest.raises(SettingError, match="fggm has no setting 'alpha'; it has: keep, scope"):
        make_method("fggm", alpha=0.7)
    with pytest.raises(SettingError, match=r"did you mean 'per_task'\?$"):
        make_method("replay", pertask=3)
    with pytest.raises(
        SettingError, match=r"fggm\.first_task is 'False'; it must be true or false"
    ):
        make_method("fggm", first_task="False")
    with pytest.raises(SettingError, match="scope is 'row'; choose one of: parameter, global"):
        FGGM(scope="row")  # type: ignore[arg-type]
    for method in (FGGM, MIGU, RandomMask):
        for keep in (0, -0.1, 1.5, float("nan")):
            with pytest.raises(SettingError, match="keep is"):
                method(keep=keep)


def test_methods_are_frozen_records() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FGGM().keep = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("protect", {"samples": 1.5}, "samples is 1.5; it must be a whole number"),
        ("contrast", {"length": 2.5}, "length is 2.5; it must be a whole number"),
        ("contrast", {"max_examples": 0}, "max_examples is 0; it must be 1 or more"),
        ("fggm", {"max_examples": -3}, "max_examples is -3; it must be 1 or more"),
        ("fggm", {"estimator": "empirica"}, "did you mean 'empirical'?"),
        (
            "fggm",
            {"estimator": "adam"},
            "before training there is none; choose estimator='empirical'",
        ),
        ("fggm", {"scope": "globl"}, "did you mean 'global'?"),
        ("fggm-online", {"refresh": 1.5}, "refresh is 1.5; it must be a whole number"),
        ("l2", {"strength": float("inf")}, "strength is inf; it must be 0 or more"),
    ],
)
def test_a_setting_out_of_range_is_refused_when_it_is_given(
    name: str, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SettingError) as refused:
        make_method(name, **settings)
    assert sentence in str(refused.value)
