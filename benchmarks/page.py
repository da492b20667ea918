"""One move of the keep share in the explorer's page, run by node ÷ the same in Python."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.explorers import KEEPS, LARGE, TASKS, TEN, TINY, Units, make_scores
from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from fggm_lab import explorer
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import SCOPES, Mask, Ranking, Scope
from fggm_lab.models.names import split_name
from fggm_lab.plots.mask_map import mask_map_numbers, mask_map_template
from fggm_lab.plots.mask_overlap import mask_overlap_template, overlap_numbers
from fggm_lab.plots.overlap_per_layer import overlap_per_layer_numbers, overlap_per_layer_template
from fggm_lab.plots.shared_units import shared_units_numbers, shared_units_template
from fggm_lab.plots.template import Numbers, Template, fill
from fggm_lab.plots.union_growth import union_growth_numbers, union_growth_template

PAGE = Path(explorer.__file__).parent / "page" / "cut.js"
FRAME_MS = 16.0
"""A move of `mask_overlap` within one frame of a screen."""

Figures = dict[str, tuple[Template, Callable[[dict[str, Mask]], Numbers]]]


def run(settings: Settings) -> Report:
    """One row per model, scope and figure of masks."""
    rows: list[Row] = []
    tiny = settings.size == "tiny"
    notes = [
        "Page: ranks stay, masks move to the new keep share, numbers are counted, the figure's "
        "template is filled; Plotly's drawing is not part of it. Python: the same from ranks, the "
        "figure as an object."
    ]
    if shutil.which("node") is None:
        notes = ["Not measured: node, which runs the page's code, is not installed."]
    else:
        for model in (TINY,) if tiny else (TEN, LARGE):
            rows += measure(model, SCOPES[:1] if tiny else SCOPES, settings)
    columns = [
        Column("model", "model"),
        Column("units", "units", ",d"),
        Column("scope", "scope"),
        Column("figure", "figure"),
        Column("ms", "page, ms", ".1f"),
        Column("python_ms", "Python, ms", ".1f"),
        Column("ratio", "÷ Python", ".2f"),
    ]
    moves = [row["ms"] for row in rows if row["figure"] == "mask_overlap"]
    goal = f"keep share moved in the page, mask_overlap, {TASKS} tasks, ms"
    targets = [Target(goal, max(moves), FRAME_MS)] if moves else []
    title = f"Moving the keep share over {TASKS} tasks in the page ÷ in Python"
    return Report(title, columns, rows, targets, notes)


def measure(model: Units, scopes: tuple[Scope, ...], settings: Settings) -> list[Row]:
    """Time a move of every figure of masks, side by side in the page and in Python."""
    scores = {f"task {n}": make_scores(model, f"task {n}", n) for n in range(1, TASKS + 1)}
    rankings = {task: Ranking(task_scores) for task, task_scores in scores.items()}
    figures = _figures(scores)
    rows = []
    with _page(scores, figures) as move:
        for scope in scopes:
            for name, (template, numbers) in figures.items():
                in_python = partial(_in_python, template, numbers, rankings)
                calls = {
                    "page": _cycled(partial(move, name, scope)),
                    "python": _cycled(partial(in_python, scope)),
                }
                timings = side_by_side(calls, settings)
                page, python = timings["page"], timings["python"]
                rows.append(
                    {
                        "model": model.name,
                        "units": next(iter(scores.values())).unit_count,
                        "scope": scope,
                        "figure": name,
                        "ms": 1e3 * page.median,
                        "python_ms": 1e3 * python.median,
                        "ratio": ratio(page, python),
                        "raw": raw(timings),
                    }
                )
    return rows


def _in_python(
    template: Template, numbers: Callable[[dict[str, Mask]], Numbers],
    rankings: dict[str, Ranking], scope: Scope, keep: float,
) -> object:  # fmt: skip
    """The figure by Python, from ranks."""
    masks = {task: ranking.top(keep, scope) for task, ranking in rankings.items()}
    return fill(template, numbers(masks))


def _cycled(move: Callable[[float], object]) -> Callable[[], object]:
    """A call that moves to the next keep share each time."""
    keeps = cycle(KEEPS)
    return lambda: move(next(keeps))


def _figures(scores: dict[str, FisherScores]) -> Figures:
    tasks = list(scores)
    units = {name: u.numel() for name, u in scores[tasks[0]].units.items()}
    return {
        "mask_overlap": (mask_overlap_template(tasks), overlap_numbers),
        "overlap_per_layer": (
            overlap_per_layer_template(tasks, units), overlap_per_layer_numbers
        ),
        "shared_units": (shared_units_template(tasks), shared_units_numbers),
        "union_growth": (union_growth_template(tasks), union_growth_numbers),
        "mask_map": (mask_map_template(tasks, units), mask_map_numbers),
    }  # fmt: skip


@contextmanager
def _page(
    scores: dict[str, FisherScores], figures: Figures
) -> Iterator[Callable[[str, Scope, float], None]]:
    """Node with the page's code and all scores; calling it draws a figure and waits."""
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("records.json", "scores.bin")]
        first, *_ = scores.values()
        records = {
            "tasks": list(scores),
            "parameters": [
                {"name": name, "units": units.numel(), **split_name(name)._asdict()}
                for name, units in first.units.items()
            ],
            "templates": {name: template.to_json() for name, (template, _) in figures.items()},
        }
        files[0].write_text(json.dumps(records), encoding="utf-8")
        arrays = [units.numpy() for task in scores.values() for units in task.units.values()]
        files[1].write_bytes(np.concatenate(arrays).astype("<f4").tobytes())
        script = Path(__file__).with_name("page_moves.mjs")
        process = subprocess.Popen(
            ["node", str(script), str(PAGE), *map(str, files)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        with process:

            def answer() -> None:
                if process.stdout is None or not process.stdout.readline():
                    raise RuntimeError("node ended; its error stands above")

            def move(figure: str, scope: Scope, keep: float) -> None:
                assert process.stdin is not None
                message = {"figure": figure, "keep": keep, "scope": scope}
                print(json.dumps(message), file=process.stdin, flush=True)
                answer()

            answer()
            yield move
            assert process.stdin is not None
            process.stdin.close()
