"""Methods work together: each does in a combination what it does alone, or is refused."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

import fggm_lab as lab
from fggm_lab.cli.methods import method_settings
from fggm_lab.errors import SettingError
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.explorer.views import TABS
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask, Scope
from fggm_lab.methods import (
    FGGM,
    METHODS,
    SFT,
    Composed,
    LoRA,
    Method,
    Plan,
    Replay,
    TaskContext,
    make_method,
)
from fggm_lab.methods.lora import factors
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.report import write_report
from fggm_lab.runs import Run
from fggm_lab.runs.compare import labels
from fggm_lab.training.checkpoints import saved_model
from tests.support import oracle
from tests.support.families import FAMILIES
from tests.support.resuming import assert_same_folder, pausing_at
from tests.support.small import context, small_model, small_run, small_tasks

TWO: dict[str, Any] = {"tasks": small_tasks(2), "epochs": 1, "points_per_task": 0}
"""Two tasks and few steps."""


@dataclass(frozen=True)
class Twice(Method):
    """Trains on every batch twice over."""

    name: ClassVar[str] = "twice"
    paper: ClassVar[str] = "none"
    stores: ClassVar[str] = "a count"

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        return [*batch, *batch]

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        return logits.square().mean()

    def after_task(self, context: TaskContext) -> None:
        context.memory["twice"] = torch.tensor(context.index)


def final(run: Run, like: PreTrainedModel) -> dict[str, Tensor]:
    return dict(saved_model(run.file("checkpoints", 1), like).named_parameters())


# What a combination is


def test_a_combination_says_what_its_parts_are() -> None:
    method = make_method("replay+lora+fggm", fggm={"keep": 0.2}, lora={"rank": 4, "lr_scale": 5})
    assert method == Composed((Replay(), LoRA(rank=4, lr_scale=5), FGGM(keep=0.2)))
    assert method.name == "replay+lora+fggm"
    assert method.settings == {
        "replay": Replay().settings,
        "lora": LoRA(rank=4, lr_scale=5).settings,
        "fggm": FGGM(keep=0.2).settings,
    }
    assert make_method(method.name, **method.settings) == method
    assert method.lr_scale == 5
    assert method.masks and method.adapts and not method.alone and not method.whole_gradients
    assert method.stores == f"{Replay.stores}; {FGGM.stores}"
    assert make_method("lora+migu").whole_gradients
    assert Composed((SFT(), LoRA())).stores == "nothing"
    assert replace(method, parts=(SFT(), FGGM())).name == "sft+fggm"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("fggm+random", "fggm and random both choose which units may move; keep one of them"),
        ("mofo+replay+migu", "mofo and migu both choose which units"),
        ("lora+olora", "lora and olora both put adapters into the model; keep one"),
        ("shira+fggm", "shira's parameters are no rows of weights, so fggm has no units to choose"),
        ("mofo+osf", "osf's parameters are no rows of weights, so mofo has no units to choose"),
        ("joint+fggm", "joint cannot be combined; run it by itself"),
        ("lora+untrained", "untrained cannot be combined; run it by itself"),
        ("fggm+lora+fggm", "names fggm twice; leave one out"),
        ("lora+ewc", "ewc works on the model's own weights, which lora freezes; leave one out"),
        ("online-ewc+olora", "online-ewc works on the model's own weights, which olora freezes"),
        ("l2+lora", "l2 works on the model's own weights"),
        ("magnitude+lora", "magnitude works on the model's own weights"),
        ("wise+lora", "wise works on the model's own weights"),
        ("lora+fgm", r"no method is named 'fgm'; there are: sft, .*; did you mean 'fggm'\?"),
        ("lora+", "no method is named ''; there are: sft, "),
    ],
)
def test_what_excludes_each_other_is_one_sentence(names: str, sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence) as refused:
        make_method(names)
    assert "\n" not in str(refused.value)


def test_a_parts_setting_is_written_behind_the_combination() -> None:
    with pytest.raises(SettingError, match=r"write lora\+migu\.lora\.rank=1"):
        method_settings(["lora+migu"], None, ["lora.rank=1"])


def test_settings_go_to_the_parts() -> None:
    with pytest.raises(SettingError, match=r"lora\+fggm has no setting 'keep' of its own; give"):
        make_method("lora+fggm", keep=0.2)
    with pytest.raises(
        SettingError, match=r"fggm has no setting 'kep'; it has: keep, .* mean 'keep'"
    ):
        make_method("lora+fggm", fggm={"kep": 0.2})
    with pytest.raises(SettingError, match="a combination has two methods or more"):
        Composed((FGGM(),))
    with pytest.raises(SettingError, match=r"name the parts of lora\+fggm one by one"):
        Composed((Replay(), make_method("lora+fggm")))


def test_every_two_methods_go_together_or_are_refused() -> None:
    for first in METHODS.values():
        for second in METHODS.values():
            parts = first(), second()
            excluded = (
                (first is second)
                or (first.alone or second.alone)
                or (first.masks and second.masks)
                or (first.adapts and second.adapts)
                or (first.masks and not second.takes_masks)
                or (second.masks and not first.takes_masks)
                or (first.adapts and second.own_weights)
                or (second.adapts and first.own_weights)
                or (first.merges and second.merges)
            )
            if excluded:
                with pytest.raises(SettingError):
                    Composed(parts)
            else:
                assert make_method(Composed(parts).name) == Composed(parts)


def test_two_masks_of_methods_that_did_not_say_so_are_refused() -> None:
    @dataclass(frozen=True)
    class Quiet(Method):
        name: ClassVar[str] = "quiet"
        paper: ClassVar[str] = "none"

        def plan(self, context: TaskContext) -> Plan:
            return Plan(Mask.full(context.model))

    method = Composed((FGGM(), Quiet()))
    with pytest.raises(SettingError, match="fggm and quiet both gave a mask"):
        method.plan(context(small_model()))


# What a combination does


def test_a_batch_mixing_method_and_a_mask(tmp_path: Path) -> None:
    runs = [
        small_run(Composed(parts), tmp_path / f"{i}", **TWO)
        for i, parts in enumerate([(Twice(), FGGM()), (FGGM(), Twice())])
    ]
    alone = small_run(FGGM(), tmp_path / "alone", **TWO)
    first, second = (final(run, small_model()) for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[n], p) for n, p in final(alone, small_model()).items())
    assert runs[0].mask(0) == alone.mask(0)
    for run in runs:
        assert run.memory(1)["twice"] == 1
        mask, drift = run.mask(1), run.drift(1)
        assert mask is not None and drift is not None
        assert not any(drift[name][~mask.units[name]].any() for name in drift)


@pytest.mark.parametrize(
    "names", ["replay+fggm", "lora+fggm", "ewc+migu", "lwf+lora", "replay+olora+random"]
)
def test_the_order_of_the_parts_does_not_matter(tmp_path: Path, names: str) -> None:
    turned = "+".join(reversed(names.split("+")))
    runs = [small_run(make_method(n), tmp_path / n, **TWO) for n in (names, turned)]
    first, second = (final(run, small_model()) for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("names", ["lora", "olora", "lora+fggm", "lwf+replay+lora+fggm-online"])
def test_paused_in_the_middle_of_a_task_and_resumed_is_the_same(tmp_path: Path, names: str) -> None:
    settings = {"family": "gpt2", "fisher_points": 1, "general": None}
    adapter = next(part for part in names.split("+") if part in ("lora", "olora"))
    adapter_settings = {"rank": 2, "dropout": 0.2}
    method = make_method(
        names, **({adapter: adapter_settings} if "+" in names else adapter_settings)
    )
    uninterrupted = small_run(method, tmp_path / "whole", **settings)
    steps = [1, 11]  # with one step saved, and in the middle of the second task
    pause = pausing_at(*steps)
    for step in steps:
        run = small_run(method, tmp_path / "parts", resume=True, pause=pause, **settings)
        assert not run.finished and run.events("step")[-1]["step"] == step
    run = small_run(method, tmp_path / "parts", resume=True, pause=pause, **settings)
    assert_same_folder(uninterrupted, run)


# Masks of adapters


@pytest.mark.parametrize("scope", ["parameter", "global"])
@pytest.mark.parametrize("family", FAMILIES)
def test_fggm_scores_adapters_and_masks_their_output_rows(family: str, scope: Scope) -> None:
    task_context = context(small_model(family, dtype=torch.float64))
    method = make_method("lora+fggm", lora={"rank": 3}, fggm={"scope": scope})
    with method.adapted(task_context):
        plan = method.plan(task_context)
        truth = oracle.unit_sums(
            task_context.model, oracle.diagonal_fisher(task_context.model, task_context.encoded)
        )
        assert plan.scores is not None and plan.mask is not None
        for layer in factors(task_context.model):
            a, b = (f"{layer}.lora_{which}.default.weight" for which in "AB")
            assert not plan.scores.units[a].any()  # B is zero, so A's gradient is
            assert plan.scores.units[b].any()
            torch.testing.assert_close(plan.scores.units[b].double(), truth[b], rtol=1e-5, atol=0)
    assert all(".lora_B." in name for name in plan.mask.units)
    assert plan.mask == Mask.top(plan.scores.of_outputs(), 0.3, scope)


def test_a_row_of_b_is_scored_as_the_row_of_the_weight() -> None:
    """With AᵀA = 1, which holds for A drawn at random in the mean and up to a factor."""
    model = small_model(dtype=torch.float64)
    task_context = context(model)
    plain = fisher_scores(model, task_context.tokenizer, task_context.examples, max_length=64)
    method = LoRA(rank=16, alpha=32, modules=["q_proj", "up_proj"])
    with method.adapted(task_context):
        for a, _ in factors(model).values():
            a.data.copy_(torch.linalg.qr(torch.randn_like(a)).Q)
        scores = fisher_scores(model, task_context.tokenizer, task_context.examples, max_length=64)
        layers = list(factors(model))
    for layer in layers:
        row = scores.units[f"{layer}.lora_B.default.weight"]
        torch.testing.assert_close(row, (32 / 16) ** 2 * plain.units[f"{layer}.weight"])


@pytest.mark.parametrize("names", ["lora+fggm", "olora+random", "lora+fggm-online"])
@pytest.mark.parametrize("family", FAMILIES)
def test_frozen_rows_of_adapters_leave_the_weights_rows_as_they_were(
    tmp_path: Path, family: str, names: str
) -> None:
    run = small_run(make_method(names), tmp_path / "run", family=family, weight_decay=0.1, **TWO)
    steps = [event["task_step"] for event in run.events("step") if event["task"] == 1]
    mask = next(m for step in [None, *steps] if (m := run.mask(1, step)) is not None)
    drift = run.drift(1)
    assert drift is not None
    for name, moving in mask.units.items():
        moved = drift[name.replace(".lora_B.default", "")] > 0
        assert torch.equal(moved, moving), name


def test_migu_masks_b_by_the_whole_layers_output_and_a_by_its_own() -> None:
    def shares(model: PreTrainedModel, module: str, task_context: TaskContext) -> Tensor:
        magnitudes: list[Tensor] = []
        layer = model.get_submodule(module)
        handle = layer.register_forward_hook(
            lambda m, i, out: magnitudes.append(out.detach().abs())
        )
        model(**collate(task_context.encoded, 0))
        handle.remove()
        return (magnitudes[0] / magnitudes[0].sum(dim=-1, keepdim=True)).flatten(0, 1).mean(dim=0)

    model = small_model().train()
    task_context = context(model)
    layer = "model.layers.0.mlp.up_proj"
    plain = shares(model, layer, task_context)
    method = make_method("lora+migu", lora={"rank": 10})
    with method.adapted(task_context):
        a, b = factors(model)[layer]
        outputs = {"A": shares(model, f"{layer}.lora_A.default", task_context), "B": plain}
        for _ in range(2):  # with B at zero and with B as it may become
            method.start(task_context)
            model(**collate(task_context.encoded, 0)).loss.backward()
            assert a.grad is not None and b.grad is not None
            unmasked = {"A": a.grad.clone(), "B": b.grad.clone()}
            method.on_gradients(model)
            method.finish()
            for which, factor in (("A", a), ("B", b)):
                rows = outputs[which].argsort(descending=True)
                rows = rows[: round(0.3 * len(rows))]
                expected = torch.zeros_like(factor)
                expected[rows] = unmasked[which][rows]
                assert factor.grad is not None and torch.equal(factor.grad, expected)
            model.zero_grad()
            b.data.normal_()
            outputs["B"] = shares(model, layer, task_context)
            assert not torch.equal(outputs["B"], plain)
    assert not any(module._forward_hooks for module in model.modules())


# Around a run


def test_settings_on_the_command_line_reach_the_parts() -> None:
    names = ["sft", "lora+fggm", "replay+migu", "fggm"]
    settings = method_settings(names, 0.4, ["lora+fggm.fggm.scope=global", "lora+fggm.lora.rank=2"])
    assert settings == {
        "sft": {},
        "lora+fggm": {"fggm": {"keep": 0.4, "scope": "global"}, "lora": {"rank": 2}},
        "replay+migu": {"migu": {"keep": 0.4}},
        "fggm": {"keep": 0.4},
    }
    for pair in ("lora+fggm.keep=0.2", "lora+fggm.migu.keep=0.2", "lora+fggm.fggm=1"):
        with pytest.raises(SettingError, match=r"write it as lora\+fggm.PART.SETTING=VALUE, PART "):
            method_settings(names, None, [pair])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    methods = [
        make_method("lora+fggm", fggm={"keep": 0.2}),
        make_method("lora+fggm"),
        make_method("olora"),
    ]
    return [
        small_run(method, folder / f"{i}" / method.name, tasks=small_tasks(2), fisher_points=1)
        for i, method in enumerate(methods)
    ]


def test_runs_of_combinations_are_read_compared_and_reported(
    runs: list[Run], tmp_path: Path
) -> None:
    first = Run.open(runs[0].path)
    assert first.config.method == "lora+fggm"
    assert first.config.method_settings["fggm"] == FGGM(keep=0.2).settings
    assert labels([run.config for run in runs]) == [
        "lora+fggm (fggm.keep=0.2)", "lora+fggm (fggm.keep=0.3)", "olora",
    ]  # fmt: skip
    lab.compare(runs)
    masks = {task: first.mask(task) for task in first.config.task_names}
    lab.plots.mask_overlap({task: mask for task, mask in masks.items() if mask is not None})
    settings = [run.config.mask_settings for run in runs]
    assert settings == [(0.2, "parameter"), (0.3, "parameter"), None]
    write_report(runs, tmp_path / "report.html")
    assert "lora+fggm (fggm.keep=0.2): task-1" in (tmp_path / "report.html").read_text("utf-8")


def test_explorers_show_every_view_of_a_combination(runs: list[Run]) -> None:
    figures = RunFigures(runs[:1])
    values = {**figures.description()["values"], "task": "task-1"}
    for tab in TABS:
        for view in tab.views:
            answer = figures.answer(tab.key, view.name, values)
            assert "message" not in answer, (view.name, answer)
