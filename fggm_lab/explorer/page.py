"""The explorer as one HTML file: no kernel, no server, nothing fetched when it is opened."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import product
from pathlib import Path
from typing import Any

from fggm_lab.explorer import assets
from fggm_lab.explorer.replies import json_reply
from fggm_lab.explorer.run_figures import Json, RunFigures
from fggm_lab.explorer.views import CUT
from fggm_lab.files import write_text
from fggm_lab.packing import packed
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.runs import RunsLike
from fggm_lab.runs.compare import comparable_runs, first_seeds

ABSENT = (
    "This page does not hold this figure; a notebook draws it: fggm_lab.explore(…), or fggm-lab "
    "watch on the folder of the runs."
)
_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1rem; max-width: 1180px; background: Canvas; color: CanvasText;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 1.5rem; margin: .3rem 0; overflow-wrap: anywhere; }
.note { opacity: .85; margin: .3rem 0 1rem; }
"""


def write_explorer(runs: RunsLike, path: Path | str) -> None:
    """Write the explorer of runs as a page that works without a kernel, whole or not at all.

    Masks are cut and overlaps counted in the page, at any keep share. Figures of one layer's
    scores, which a page of this size cannot all hold, are left to a notebook; the page says so.

    Args:
        runs: runs of one model over the same tasks, or a folder that holds them; of runs that
            differ in the seed alone the first is shown.
        path: the HTML file.

    Raises:
        RunError: no runs, or runs that cannot be compared.
        LabError: the disk refused; an older file is still there.
    """
    write_text(path, explorer_html(runs))


def explorer_html(runs: RunsLike) -> str:
    """The page of `write_explorer`."""
    figures = RunFigures(first_seeds(comparable_runs(runs)))
    script = (
        f"{assets.module('embedded.js')}\n"
        'open(document.getElementById("explorer"), document.getElementById("content"), Plotly);'
    )
    content = json.dumps(_content(figures), ensure_ascii=False, separators=(",", ":"))
    data = f'<script type="text/plain" id="content">{packed(content)}</script>'
    return page_html(figures, script, data)


def page_html(figures: RunFigures, script: str, data: str = "") -> str:
    """A page around the explorer.

    Args:
        figures: of the runs shown.
        script: an ES module that puts the explorer into `#explorer`; `Plotly` is there.
        data: HTML that holds what the script reads.

    Returns:
        The page, with style and JavaScript inside.
    """
    first = next(iter(figures.cache.runs.values()))
    tasks = first.config.task_names
    title = f"What {first.config.model} forgets: {len(tasks)} task{'s' if len(tasks) > 1 else ''}"
    note = f"Learned in this order: {', '.join(tasks)}."
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{_STYLE}{assets.style()}</style></head>\n<body>"
        f'<main class="fggm-explore"><h1>{escape(title)}</h1><p class="note">{escape(note)}</p>'
        '<div id="explorer"><noscript>The explorer needs JavaScript.</noscript></div>'
        f'{data}</main>\n<script>{plotly_js()}</script>\n<script type="module">{script}</script>'
        "</body></html>\n"
    )


def _content(figures: RunFigures) -> Json:
    description = figures.description()
    scores = {}
    for method in description["cut"]:
        answer = json_reply(figures, {"kind": "scores", "method": method})
        if "message" not in answer:
            scores[method] = answer
    return {
        "description": description,
        "answers": dict(_answers(figures, description)),
        "scores": scores,
        "absent": ABSENT,
    }


def _answers(figures: RunFigures, description: Json) -> Iterator[tuple[str, Json]]:
    """The views at every choice that the page offers, by the key under which it looks them up."""
    options = {
        control["name"]: [option["value"] for option in control["options"]]
        for control in description["controls"]
    }
    first = description["values"]
    options |= {"keep": [first["keep"]], "scope": [first["scope"]], "runs": [first["runs"]]}
    options |= {"parameter": [first["parameter"]]}
    for tab in description["tabs"]:
        for view in tab["views"]:
            # A template of masks is good for every cut, and small; figures of scores are of the
            # whole model.
            names = view["asks"]
            whole_model = {**options, "layer": [None]}
            for values in _choices(first, names, whole_model):
                answer = figures.answer(tab["key"], view["name"], values)
                yield _key(tab["key"], view, values, answer), answer
                if "template" not in answer or "layer" not in names or "task" in names:
                    continue
                layers = [
                    {**values, "layer": layer} for layer in options["layer"] if layer is not None
                ]
                for within in layers:
                    answer = figures.answer(tab["key"], view["name"], within)
                    yield _key(tab["key"], view, within, answer), answer


def _choices(first: Json, names: Sequence[str], options: Mapping[str, Sequence[Any]]) -> list[Json]:
    """The values at first, changed to every combination of the named controls' options."""
    return [
        {**first, **dict(zip(names, chosen, strict=True))}
        for chosen in product(*(options[name] for name in names))
    ]


def _key(tab: str, view: Json, values: Json, answer: Json) -> str:
    """The key under which the page looks an answer up, as `embeddedSource` makes it."""
    names = [name for name in view["asks"] if "template" not in answer or name not in CUT]
    chosen = [values[name] for name in names]
    return json.dumps(
        [tab, view["name"], chosen], ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
