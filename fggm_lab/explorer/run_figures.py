"""The figures of runs, drawn when a page asks for them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import LabError, SettingError
from fggm_lab.explorer.run_cache import RunCache, mask_order
from fggm_lab.explorer.selection import Selection
from fggm_lab.explorer.views import ALL, TABS, View
from fggm_lab.mask_settings import MaskSettings
from fggm_lab.masks import SCOPES
from fggm_lab.masks.pairs import in_order
from fggm_lab.models.names import split_name
from fggm_lab.plots import bare, caption_of, description_of
from fggm_lab.plots.mask_overlap import MEASURES, OUTSIDE_LAYERS, part_name
from fggm_lab.plots.mask_strips import STRIP_ORDERS
from fggm_lab.plots.parameter_groups import GROUPINGS
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.plots.thinning import light
from fggm_lab.runs import Run
from fggm_lab.sentences import full_sentence

Json = dict[str, Any]


class StoredScores(NamedTuple):
    """The scores that a run's masks are cut from, as a page reads them.

    Attributes:
        header: `tasks`, `parameters` (name, layer, module, units), `dtype`.
        arrays: per task (units,) numbers, of the parameters one after another; the highest move.
    """

    header: Json
    arrays: list[np.ndarray]


class RunFigures:
    """What an explorer shows of runs of one model over the same tasks.

    It knows no page and no widget: it takes requests and gives answers that JSON can hold.

    Attributes:
        cache: what the runs recorded.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: runs that can be compared, of one model.
        """
        self.cache = RunCache(runs)

    def description(self) -> Json:
        """The tabs and their views, the controls with their options, and the values at first.

        At first a run with Fisher scores and masks is chosen, the last task that it has scores of,
        and the keep share and scope that it trained with.

        Returns:
            `tabs`: key, title, and of each view its name, the controls that change it, and those
            of them whose values the page sends when it asks (it applies the others itself).
            `controls`: name, label, kind (`list`, `buttons`, `ticks`, `share`), `shared` (it stands
            above the tabs), and options: text, value, for parameters their layer. `values`: name →
            value. `cut`: the runs whose masks follow from stored scores.
        """
        runs = self.cache.runs
        first = self._first_scored()
        used = _mask_settings([runs[first], *runs.values()])
        names = self._parameter_names()
        layers = in_order(split_name(name).layer for name in names)
        numbers = [None, *(OUTSIDE_LAYERS if layer is None else layer for layer in layers)]
        modules = dict.fromkeys(split_name(name).module for name in names)
        tasks = runs[first].config.task_names
        controls = [
            _control("method", "list", [_option(self._text(label), label) for label in runs]),
            _control("task", "list", [_option(name) for name in tasks]),
            _control("layer", "list", [_option(part_name(number), number) for number in numbers]),
            _control("keep", "share", [], label="keep share"),
            _control("scope", "buttons", [_option(name) for name in SCOPES]),
            _control("runs", "ticks", [_option(label) for label in runs], label="methods"),
            _control("stability", "buttons", [_option("BWT", "bwt"), _option(GENERAL, "general")]),
            _control("module", "list", [_option("all modules", ALL), *map(_option, modules)]),
            _control("by", "buttons", [_option(name) for name in GROUPINGS]),
            _control("parameter", "list", [
                _option("all parameters", ALL),
                *({**_option(name), "layer": _layer_number(name)} for name in names),
            ]),
            _control("order", "buttons", [_option(name) for name in STRIP_ORDERS],
                     label="units by"),
            _control("measure", "buttons", [
                _option(measure.name, name) for name, measure in MEASURES.items()
            ]),
        ]  # fmt: skip
        values = {
            control["name"]: control["options"][0]["value"]
            for control in controls if control["options"]
        }  # fmt: skip
        values |= {
            "method": first, "task": self._last_scored(runs[first]), "keep": used.keep,
            "scope": used.scope, "runs": list(runs),
        }  # fmt: skip
        return {
            "tabs": [
                {"key": tab.key, "title": tab.title, "views": [
                    {"name": view.name, "controls": list(view.controls),
                     "asks": [name for name in view.controls if name not in view.in_page]}
                    for view in tab.views
                ]}
                for tab in TABS
            ],
            "controls": controls,
            "values": values,
            "cut": [label for label, run in runs.items() if mask_order(run) != "unstored"],
        }  # fmt: skip

    def answer(self, tab: str, view: str, values: Mapping[str, Any]) -> Json:
        """The figure of a view.

        Args:
            tab: the key of its tab.
            view: its name.
            values: control → value, at least of those that change the view.

        Returns:
            `figure` (Plotly's data and layout), `caption`, `description`; or `template`, which the
            page fills from `scores`, and a `note` that precedes its texts; or `message`, a sentence
            that says why there is no figure.
        """
        try:
            return _answer(_view(tab, view), Selection(self.cache, values))
        except LabError as error:
            return {"message": full_sentence(str(error))}

    def scores(self, method: str) -> StoredScores:
        """The scores that a run's masks are cut from.

        Args:
            method: the label of the run.

        Returns:
            the scores of every task that has them.

        Raises:
            LabError: there is no such run, it has no scores (yet), or does not store those that
                its masks are cut from.
        """
        run = Selection(self.cache, {"method": method}).run
        tasks = self.cache.scored(run)
        scores = [self.cache.scores_to_cut(run, task) for task in tasks]
        arrays = [
            np.concatenate([units.numpy() for units in task_scores.units.values()])
            for task_scores in scores
        ]
        parameters = [
            {"name": name, "layer": split_name(name).layer, "module": split_name(name).module,
             "units": units.numel()}
            for name, units in scores[0].units.items()
        ]  # fmt: skip
        header = {"tasks": tasks, "parameters": parameters, "dtype": str(arrays[0].dtype)}
        return StoredScores(header, arrays)

    def stamp(self) -> str:
        """A text that changes when a run has recorded more."""
        files = [run.path / "events.jsonl" for run in self.cache.runs.values()]
        return " ".join(str(file.stat().st_size) if file.exists() else "-" for file in files)

    def _text(self, label: str) -> str:
        return label if self.cache.runs[label].finished else f"{label} (unfinished)"

    def _first_scored(self) -> str:
        """The first run that has Fisher scores and masks, else that has scores, else the first."""
        runs = self.cache.runs
        scored = [label for label, run in runs.items() if self._names(run)]
        masked = [label for label in scored if runs[label].config.mask_settings is not None]
        return [*masked, *scored, *runs][0]

    def _last_scored(self, run: Run) -> str:
        """The last task that a run has scores of, else the last."""
        try:
            return self.cache.scored(run)[-1]
        except LabError:
            return run.config.task_names[-1]

    def _parameter_names(self) -> list[str]:
        """The parameters of the first scores that can be read; all runs are of one model."""
        per_run = (self._names(run) for run in self.cache.runs.values())
        return next((names for names in per_run if names), [])

    def _names(self, run: Run) -> list[str]:
        """The parameters of a run's first scores; none where those cannot be read."""
        try:
            return self.cache.scores(run, self.cache.scored(run)[0]).names
        except LabError:  # the views say what is wrong with it
            return []


def _answer(view: View, chosen: Selection) -> Json:
    """A template where the page can fill it, else the figure."""
    note = f"{chosen.note} " if view.of_layer and chosen.note else ""
    if view.template is not None and mask_order(chosen.run) != "unstored":
        for task in chosen.cache.scored(chosen.run):
            chosen.cache.ranking(chosen.run, task)  # raises where a file is damaged
        template = view.template(chosen)
        if template is not None:
            light(template.skeleton)
            return {"template": template.to_json(), "note": note}
    figure = view.draw(chosen)
    return {
        "figure": _json(light(bare(figure))),
        "caption": f"{note}{caption_of(figure)}",
        "description": f"{note}{description_of(figure)}",
    }


def _json(figure: go.Figure) -> Json:
    """A figure for JSON; Plotly writes its arrays as text that its JavaScript reads."""
    plain: Json = json.loads(figure.update_layout(autosize=True).to_json())
    return plain


def _view(tab: str, name: str) -> View:
    for candidate in TABS:
        for view in candidate.views:
            if (candidate.key, view.name) == (tab, name):
                return view
    raise SettingError(f"there is no view '{name}' in a tab '{tab}'; reload the page")


def _control(name: str, kind: str, options: Sequence[Json], label: str | None = None) -> Json:
    return {"name": name, "label": label or name, "kind": kind, "options": list(options),
            "shared": name in _SHARED}  # fmt: skip


_SHARED = ("method", "task", "layer", "keep", "scope")
"""The controls above the tabs."""


def _option(text: str, value: Any = None) -> Json:
    return {"text": text, "value": text if value is None and text != part_name(None) else value}


def _layer_number(name: str) -> int:
    layer = split_name(name).layer
    return OUTSIDE_LAYERS if layer is None else layer


def _mask_settings(runs: Iterable[Run]) -> MaskSettings:
    """The mask settings of the first run that has any, else the default ones."""
    return next(
        (settings for run in runs if (settings := run.config.mask_settings) is not None),
        MaskSettings(),
    )
