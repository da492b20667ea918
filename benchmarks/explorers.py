"""One move of the explorer's keep share where Python draws it: cut, count, make the figure.

The page of the explorer does the same itself (`benchmarks.page`); Python draws for figures on their
own, and for runs whose masks do not follow from stored scores.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.explorer.selection import Selection
from fggm_lab.explorer.views import TABS, View
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import SCOPES, Mask, Scope, expected_jaccard, jaccard, z_score
from fggm_lab.runs import Run, RunConfig
from fggm_lab.settings import TrainingSettings

TASKS = 8
KEEPS = (0.3, 0.29, 0.1, 0.5)
"""Where the slider moves, in turn."""


class Units(NamedTuple):
    """A model's units: of one layer, how many layers, and of the embedding; and the limit, ms."""

    name: str
    layer: dict[str, int]
    layers: int
    vocabulary: int
    limit_ms: float


def _block(hidden: int, inner: int, keys: int, biases: bool) -> dict[str, int]:
    """The units of one layer of a Llama, with biases of a Qwen2."""
    attention = {"q_proj": hidden, "k_proj": keys, "v_proj": keys}
    parts = {f"self_attn.{name}.weight": n for name, n in attention.items()}
    parts |= {f"self_attn.{name}.bias": n for name, n in attention.items() if biases}
    mlp = {"gate_proj": inner, "up_proj": inner, "down_proj": hidden}
    norms = ("input_layernorm.weight", "post_attention_layernorm.weight")
    return {
        **parts,
        "self_attn.o_proj.weight": hidden,
        **{f"mlp.{name}.weight": n for name, n in mlp.items()},
        **dict.fromkeys(norms, hidden),
    }


TEN = Units("10 M parameters", _block(256, 1024, 256, False), 8, 8192, 100.0)
LARGE = Units("Qwen2-1.5B", _block(1536, 8960, 256, True), 28, 151_936, 500.0)
TINY = Units("tiny", _block(16, 32, 8, False), 2, 64, 500.0)


def run(settings: Settings) -> Report:
    """One row per model, scope and view that follows the keep share."""
    rows: list[Row] = []
    tiny = settings.size == "tiny"
    models = (TINY,) if tiny else (TEN, LARGE)
    for model in models:
        with _figures(model) as figures:
            for scope in SCOPES[:1] if tiny else SCOPES:
                rows += measure(figures, model, scope, settings)
    columns = [
        Column("model", "model"),
        Column("units", "units", ",d"),
        Column("scope", "scope"),
        Column("view", "view"),
        Column("ms", "ms", ".1f"),
        Column("worst_ms", "worst", ".1f"),
        Column("anew_ms", "anew, ms", ".0f"),
        Column("ratio", "÷ anew", ".2f"),
    ]
    targets = [
        Target(
            f"keep share moved, {model.name}, {TASKS} tasks, ms",
            max(row["ms"] for row in rows if row["model"] == model.name),
            model.limit_ms,
        )
        for model in models
    ]
    notes = [
        "Anew: Mask.top of every task, and of every two tasks the Jaccard index, its chance level "
        "and z-score, without a figure."
    ]
    title = f"Moving the keep share over {TASKS} tasks: cut, count, change the figure"
    return Report(title, columns, rows, targets, notes)


def measure(figures: RunFigures, model: Units, scope: Scope, settings: Settings) -> list[Row]:
    """Time a move in every view that follows it, side by side with cutting all masks anew."""
    values = {**figures.description()["values"], "scope": scope}
    scores = [figures.cache.scores(Selection(figures.cache, values).run, t) for t in _names()]
    rows = []
    for tab in TABS:
        for view in (view for view in tab.views if "keep" in view.controls):
            calls = {"move": _move(figures, view, values), "anew": _anew(scores, scope)}
            timings = side_by_side(calls, settings)
            move, anew = timings["move"], timings["anew"]
            rows.append(
                {
                    "model": model.name,
                    "units": scores[0].unit_count,
                    "scope": scope,
                    "view": f"{tab.title}: {view.name}",
                    "ms": 1e3 * move.median,
                    "worst_ms": 1e3 * max(move.seconds),
                    "anew_ms": 1e3 * anew.median,
                    "ratio": ratio(move, anew),
                    "raw": raw(timings),
                }
            )
    return rows


def _move(figures: RunFigures, view: View, values: Mapping[str, Any]) -> Callable[[], object]:
    """The figure at the next keep share at every call."""
    keeps = cycle(KEEPS)

    def call() -> object:
        return view.draw(Selection(figures.cache, {**values, "keep": next(keeps)}))

    return call


def _anew(scores: list[FisherScores], scope: Scope) -> Callable[[], object]:
    """The same masks and numbers without ranks that are kept."""
    keeps = cycle(KEEPS)

    def call() -> object:
        keep = next(keeps)
        masks = [Mask.top(task_scores, keep, scope) for task_scores in scores]
        return [
            (jaccard(a, b), expected_jaccard(a, b), z_score(a, b))
            for a, b in combinations(masks, 2)
        ]

    return call


def _names() -> list[str]:
    return [f"task {number}" for number in range(1, TASKS + 1)]


@contextmanager
def _figures(model: Units) -> Iterator[RunFigures]:
    """The figures of a run that has nothing but the scores of every task."""
    with TemporaryDirectory() as folder:
        config = RunConfig(
            model=model.name, model_fingerprint="0" * 16, tasks="made", task_names=_names(),
            task_fingerprint="0" * 16, method="fggm", training=TrainingSettings(max_length=1),
        )  # fmt: skip
        run = Run.create(Path(folder) / "fggm", config)
        for seed, name in enumerate(_names()):
            make_scores(model, name, seed).save(run.file("fisher", name))
        yield RunFigures([run])


def make_scores(model: Units, task: str, seed: int) -> FisherScores:
    """Scores of many orders of magnitude, a part of them common to all tasks."""
    common = torch.Generator().manual_seed(100)
    generator = torch.Generator().manual_seed(seed)
    sizes = {"model.embed_tokens.weight": model.vocabulary}
    for layer in range(model.layers):
        sizes |= {f"model.layers.{layer}.{name}": n for name, n in model.layer.items()}
    sizes["model.norm.weight"] = model.layer["input_layernorm.weight"]
    units = {
        name: torch.exp(
            2 * torch.randn(n, generator=common) + 2 * torch.randn(n, generator=generator)
        )
        for name, n in sizes.items()
    }
    info = FisherInfo("empirical", "input", 1, 1, "random", task)
    return FisherScores(units, dict.fromkeys(units, 0), None, info)
