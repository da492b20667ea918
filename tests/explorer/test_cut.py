"""What the page cuts, counts and writes from stored scores is what Python draws from masks."""

import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

import fggm_lab.explorer
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.mask_settings import Scope
from fggm_lab.masks import Mask
from fggm_lab.models.names import split_name
from fggm_lab.plots.fisher_spectra import fisher_spectra_numbers, fisher_spectra_template
from fggm_lab.plots.kept_shares import kept_shares_numbers, kept_shares_template
from fggm_lab.plots.lorenz_curves import lorenz_curves_numbers, lorenz_curves_template
from fggm_lab.plots.mask_map import mask_map_numbers, mask_map_template
from fggm_lab.plots.mask_overlap import (
    MEASURES,
    OUTSIDE_LAYERS,
    mask_overlap_template,
    overlap_numbers,
)
from fggm_lab.plots.mask_strips import STRIP_ORDERS
from fggm_lab.plots.overlap_per_layer import (
    overlap_per_layer_numbers,
    overlap_per_layer_template,
)
from fggm_lab.plots.parameter_groups import GROUPINGS
from fggm_lab.plots.shared_units import shared_units_numbers, shared_units_template
from fggm_lab.plots.template import Numbers, Template, filled, value_of
from fggm_lab.plots.union_growth import union_growth_numbers, union_growth_template
from tests.support.records import TASKS, made_scores

PAGE = Path(fggm_lab.explorer.__file__).parent / "page"
CUTS: tuple[tuple[float, Scope], ...] = (
    (0.002, "global"), (0.3, "global"), (0.5, "parameter"), (1.0, "parameter"),
)  # fmt: skip
"""A half of an odd number of units is a half to be rounded."""
Scores = dict[str, FisherScores]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the page's code")


def unequal_tasks(count: int) -> Scores:
    """Scores of several tasks, alike to different degrees."""
    common = made_scores()
    tasks = {task: made_scores(task, seed=n + 1) for n, task in enumerate(TASKS[:count])}
    for n, scores in enumerate(tasks.values()):
        for name, units in scores.units.items():
            units += common.units[name] * (n % 3)
    return tasks


def ties() -> Scores:
    """Few different scores in float64, negative ones and -0 among them; an empty parameter, and
    others of one to three units."""
    sizes = {"wte.weight": 40, "h.0.a.weight": 0, "h.0.b.weight": 1, "h.0.b.bias": 2,
             "h.1.a.weight": 3, "h.1.b.weight": 65, "h.1.b.bias": 33}  # fmt: skip
    tasks = {}
    for seed, task in enumerate(["a[b] {c}", "second", "zeros"]):
        normal = np.random.default_rng(seed).normal
        units = {
            name: torch.from_numpy(
                np.zeros(size) if task == "zeros" else np.rint(normal(0, 1, size))
            )
            for name, size in sizes.items()
        }
        info = FisherInfo("empirical", "input", 100, 1200, "0123456789abcdef", task)
        tasks[task] = FisherScores(units, dict.fromkeys(units, 0), None, info)
    return tasks


MODELS: dict[str, Scores] = {
    "eight tasks": unequal_tasks(8),
    "two tasks": unequal_tasks(2),
    "ties": ties(),
}


@dataclass
class Case:
    """A figure that both draw.

    Attributes:
        model: key of `MODELS`.
        cut: keep share, scope, and the task of a figure that shows one.
        template: of the figure.
        numbers: that Python counts.
    """

    model: str
    cut: dict[str, Any]
    template: Template
    numbers: Numbers

    def __str__(self) -> str:
        return f"{self.template.name} {self.template.settings} of {self.model} at {self.cut}"


def cases() -> Iterator[Case]:
    """Every figure, each template at several cuts."""
    for model, scores in MODELS.items():
        task = list(scores)[-1]
        for template, numbers in [*of_masks(scores), *of_scores(scores), *of_task(scores[task])]:
            for keep, scope in CUTS:
                cut = {"keep": keep, "scope": scope, "task": task}
                yield Case(model, cut, template, numbers(keep=keep, scope=scope))


Figures = Iterator[tuple[Template, Callable[..., Numbers]]]
"""Templates, and what gives their numbers at a keep share and scope."""


def of_masks(scores: Scores) -> Figures:
    """The figures of several tasks' masks."""
    tasks = list(scores)
    units = units_of(scores[tasks[0]])
    *_, parameter = (name for name in units if split_name(name).layer == 1)

    @cache
    def masks(layer: int | None, keep: float, scope: Scope) -> dict[str, Mask]:
        cut_masks = {task: Mask.top(values, keep, scope) for task, values in scores.items()}
        return {task: mask.restricted(inside(units, layer)) for task, mask in cut_masks.items()}

    def numbers(
        count: Callable[..., Numbers], masks_layer: int | None = None, **settings: Any
    ) -> Callable[..., Numbers]:
        return lambda keep, scope: count(masks(masks_layer, keep, scope), **settings)

    for level in ({}, {"layer": 1}, {"layer": OUTSIDE_LAYERS}, {"parameter": parameter}):
        for order in STRIP_ORDERS:
            settings: dict[str, Any] = {**level, "order": order}
            template = mask_map_template(tasks, units, **settings)
            yield template, numbers(mask_map_numbers, **settings)
    for layer in (None, 1, OUTSIDE_LAYERS):
        for measure in MEASURES:
            settings = {"layer": layer, "measure": measure}
            yield mask_overlap_template(tasks, **settings), numbers(overlap_numbers, **settings)
        yield shared_units_template(tasks, layer), numbers(shared_units_numbers, layer)
        yield union_growth_template(tasks, layer), numbers(union_growth_numbers, layer)
    yield overlap_per_layer_template(tasks, units), numbers(overlap_per_layer_numbers)


def of_scores(scores: Scores) -> Figures:
    """The figure of several tasks' scores, of those that it takes: none is negative."""
    positive = {
        task: task_scores
        for task, task_scores in scores.items()
        if all(bool((units >= 0).all()) for units in task_scores.units.values())
    }
    for layer in (None, 1, OUTSIDE_LAYERS):
        of_layer = {
            task: task_scores.restricted(inside(units_of(task_scores), layer))
            for task, task_scores in positive.items()
        }
        yield (
            lorenz_curves_template(of_layer, layer),
            lambda keep, scope, of_layer=of_layer: lorenz_curves_numbers(of_layer, keep),
        )


def of_task(scores: FisherScores) -> Figures:
    """The figures of one task's scores."""
    for by in GROUPINGS:
        template = kept_shares_template(units_of(scores), by)
        yield template, partial(kept_shares_numbers, scores, by)
    yield fisher_spectra_template(scores), partial(fisher_spectra_numbers, scores)


def units_of(scores: FisherScores) -> dict[str, int]:
    """How many units each parameter has."""
    return {name: units.numel() for name, units in scores.units.items()}


def inside(names: Iterable[str], layer: int | None) -> list[str]:
    """The parameters of a layer, or of the whole model."""
    number = None if layer == OUTSIDE_LAYERS else layer
    return [name for name in names if layer is None or split_name(name).layer == number]


def records(scores: Scores) -> dict[str, Any]:
    """What the page ranks."""
    first, *_ = scores.values()
    return {
        "tasks": list(scores),
        "parameters": [
            {"name": name, "units": count, **split_name(name)._asdict()}
            for name, count in units_of(first).items()
        ],
        "wide": any(units.dtype == torch.float64 for units in first.units.values()),
        "scores": [torch.cat(list(task.units.values())).tolist() for task in scores.values()],
    }


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Case, dict[str, Any]]]:
    """Each case, and the figure that the page draws."""
    every = list(cases())
    templates = {id(case.template): case.template for case in every}
    message = {
        "records": {model: records(scores) for model, scores in MODELS.items()},
        "templates": {key: template.to_json() for key, template in templates.items()},
        "cases": [
            {"model": case.model, "template": id(case.template), "cut": case.cut} for case in every
        ],
    }
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("draw_cases.mjs")), str(PAGE / "cut.js")],
        input=json.dumps(message), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return list(zip(every, json.loads(done.stdout), strict=True))


def differences(python: Any, page: Any, path: str = "") -> Iterator[str]:
    """Where two values are not the same, numbers to 1e-9."""
    if hasattr(python, "tolist"):
        python = python.tolist()
    if isinstance(python, list | tuple) and isinstance(page, list) and len(python) == len(page):
        for index, items in enumerate(zip(python, page, strict=True)):
            yield from differences(*items, f"{path}[{index}]")
    elif isinstance(python, float | int) and isinstance(page, float | int):
        if not math.isclose(python, page, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{path}: {python} here, {page} on the page"
    elif python != page:
        yield f"{path}: {python!r} here, {page!r} on the page"


def test_the_page_draws_what_python_draws(drawn: list[tuple[Case, dict[str, Any]]]) -> None:
    wrong = []
    for case, page in drawn:
        values = filled(case.template, case.numbers)
        for slot in case.template.slots:
            page_value: Any = page
            for key in slot.path:
                page_value = page_value[key]
            path = "/".join(map(str, slot.path))
            wrong += [f"{case}: {path}{d}" for d in differences(value_of(slot, values), page_value)]
        for name, text in page["layout"]["meta"].items():
            wrong += [f"{case}: {name}{d}" for d in differences(values[name], text)]
    assert not wrong, "\n".join(wrong[:20])


def test_a_page_draws_what_plotly_accepts(drawn: list[tuple[Case, dict[str, Any]]]) -> None:
    for _, page in drawn[:: len(drawn) // 20]:
        assert go.Figure(data=page["data"], layout=page["layout"]).data
