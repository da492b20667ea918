"""What the page cuts, counts and writes from stored scores is what Python draws from masks."""

import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
from fggm_lab.plots.shared_units import shared_units_numbers, shared_units_template
from fggm_lab.plots.template import Numbers, Template, filled, value_of
from fggm_lab.plots.union_growth import union_growth_numbers, union_growth_template
from tests.support.records import TASKS, made_scores

PAGE = Path(fggm_lab.explorer.__file__).parent / "page"
CUTS: tuple[tuple[float, Scope], ...] = (
    (0.002, "global"), (0.3, "parameter"), (0.517, "global"), (1.0, "parameter"),
)  # fmt: skip
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
        rng = np.random.default_rng(seed)
        units = {
            name: torch.from_numpy(np.rint(rng.normal(0, 1, size)) * (task != "zeros"))
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
    """Every figure of masks, each template at several cuts."""
    for model, scores in MODELS.items():
        masks = {
            (keep, scope): {task: Mask.top(values, keep, scope) for task, values in scores.items()}
            for keep, scope in CUTS
        }
        for template, numbers in figures_of_masks(scores):
            for (keep, scope), cut_masks in masks.items():
                cut = {"keep": keep, "scope": scope}
                yield Case(model, cut, template, numbers(cut_masks))


def figures_of_masks(
    scores: Scores,
) -> Iterator[tuple[Template, Callable[[dict[str, Mask]], Numbers]]]:
    """Templates, and what gives their numbers from masks."""
    tasks = list(scores)
    units = {name: u.numel() for name, u in scores[tasks[0]].units.items()}
    *_, parameter = (name for name in units if split_name(name).layer == 1)
    for level in ({}, {"layer": 1}, {"layer": OUTSIDE_LAYERS}, {"parameter": parameter}):
        for order in STRIP_ORDERS:
            settings: dict[str, Any] = {**level, "order": order}
            yield mask_map_template(tasks, units, **settings), partial(mask_map_numbers, **settings)
    for layer in (None, 1, OUTSIDE_LAYERS):
        for measure in MEASURES:
            yield (
                mask_overlap_template(tasks, layer, measure),
                partial(overlap_numbers, layer=layer, measure=measure),
            )
        for make_template, numbers in (
            (shared_units_template, shared_units_numbers),
            (union_growth_template, union_growth_numbers),
        ):
            yield (
                make_template(tasks, layer),
                partial(within_layer, numbers, layer),
            )
    yield overlap_per_layer_template(tasks, units), overlap_per_layer_numbers


def within_layer(
    numbers: Callable[[dict[str, Mask]], Numbers], layer: int | None, masks: dict[str, Mask]
) -> Numbers:
    """The numbers of the masks over one layer's parameters."""
    names = [
        name
        for name in next(iter(masks.values())).names
        if layer is None or split_name(name).layer == (None if layer == OUTSIDE_LAYERS else layer)
    ]
    return numbers({task: mask.restricted(names) for task, mask in masks.items()})


def records(scores: Scores) -> dict[str, Any]:
    """What the page ranks."""
    first, *_ = scores.values()
    return {
        "tasks": list(scores),
        "parameters": [
            {"name": name, "units": units.numel(), **split_name(name)._asdict()}
            for name, units in first.units.items()
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
