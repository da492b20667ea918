"""The tabs of the explorer: each a row of controls, a live figure, its caption and its words."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.masks import SCOPES, Mask
from fggm_lab.plots import (
    bare,
    caption_of,
    describe_spectra,
    description_of,
    fisher_spectra,
    forgetting_curves,
    mask_overlap,
)
from fggm_lab.plots.curves import GENERAL, run_labels
from fggm_lab.plots.overlap import layer_name, layers_of
from fggm_lab.plots.spectra import modules_of, show_keep, show_module
from fggm_lab.runs import Run

_WIDE = {"description_width": "initial"}
ALL_TASKS, ALL_MODULES = "all tasks", "all modules"
"""A list shows a value of None as if nothing were chosen, so these stand for it."""


def _choice(description: str, options: Sequence[str]) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(description=description, options=options, style=_WIDE)


class _Tab:
    """Controls above, then the figure, its caption and, folded away, the same in words."""

    _offering = False

    def __init__(self, controls: Sequence[ipywidgets.Widget]) -> None:
        self.figure: go.FigureWidget | None = None
        self._place = ipywidgets.VBox()
        self._caption = ipywidgets.HTML()
        self._words = ipywidgets.HTML()
        row = ipywidgets.HBox(list(controls), layout={"flex_flow": "row wrap"})
        self.box = ipywidgets.VBox([row, self._place, self._caption, self._words])

    def listen(self, call: Callable[[], None], *controls: ipywidgets.Widget) -> None:
        """Call when a reader changes one of the controls, not when `offer` does."""
        for control in controls:
            control.observe(lambda _: None if self._offering else call(), "value")

    def offer(self, control: ipywidgets.Dropdown, options: Sequence[str]) -> None:
        """Give a control other options; its value stays if it is still among them."""
        value = control.value
        self._offering = True
        try:
            control.options = options
            if options:
                control.value = value if value in options else options[0]
        finally:
            self._offering = False

    def show(self, figure: go.Figure) -> None:
        """Put a figure in place of the one shown; one of the same shape is changed in place."""
        plain = bare(figure).update_layout(autosize=True)
        if self.figure is not None and _alike(self.figure, plain):
            with self.figure.batch_update():
                for old, new in zip(self.figure.data, plain.data, strict=True):
                    old.update(z=new.z, text=new.text, customdata=new.customdata)
        else:
            self.figure = go.FigureWidget(plain)
            self._place.children = (self.figure,)
        self.say(caption_of(figure), description_of(figure))

    def say(self, caption: str, words: str) -> None:
        """Set the texts below the figure."""
        self._caption.value = f"<p style='line-height:1.4'>{escape(caption)}</p>"
        self._words.value = (
            f"<details><summary>The same in words</summary><p style='line-height:1.4'>"
            f"{escape(words)}</p></details>"
        )

    def show_nothing(self, why: str) -> None:
        """Say why there is no figure."""
        self.figure = None
        self._place.children = (ipywidgets.HTML(f"<p>{escape(why)}</p>"),)
        self._caption.value = self._words.value = ""


def _alike(a: go.Figure, b: go.Figure) -> bool:
    """Whether `b` differs from `a` in the content of heatmaps alone."""
    kinds = [t.type for t in a.data], [t.type for t in b.data]
    return kinds[0] == kinds[1] == ["heatmap"] * len(a.data) and all(
        tuple(old.x) == tuple(new.x) for old, new in zip(a.data, b.data, strict=True)
    )


class ForgettingTab(_Tab):
    """Forgetting curves with a list of tasks and a list of methods."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        names = run_labels(self.runs)
        tasks = list(dict.fromkeys(t for run in runs for t in run.config.task_names))
        self.task = _choice("task", [ALL_TASKS, GENERAL, *tasks])
        self.methods = [ipywidgets.Checkbox(True, description=n, indent=False) for n in names]
        for box in self.methods:
            box.layout.width = "auto"
        super().__init__([self.task, *(self.methods if len(names) > 1 else [])])
        self.listen(self.refresh, self.task, *self.methods)
        self.refresh()

    def refresh(self) -> None:
        """Draw what the controls ask for, from the records as they are now."""
        chosen = [run for run, box in zip(self.runs, self.methods, strict=True) if box.value]
        if chosen:
            task = None if self.task.value == ALL_TASKS else self.task.value
            self.show(forgetting_curves(chosen, task))
        else:
            self.show_nothing("Choose a method.")


class SpectraTab(_Tab):
    """Fisher spectra with lists of runs, tasks and modules, the keep share and the scope."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = dict(zip(run_labels(runs), runs, strict=True))
        used = next((r.config.method_settings for r in runs if r.config.method == "fggm"), {})
        self.method = _choice("method", [])
        self.task = _choice("task", [])
        self.keep = ipywidgets.FloatSlider(
            used.get("keep", 0.3),
            min=0.01,
            max=1,
            step=0.01,
            description="keep share",
            readout_format=".0%",
            style=_WIDE,
        )
        self.scope = ipywidgets.ToggleButtons(
            options=SCOPES,
            value=used.get("scope", "layer"),
            description="scope",
            style={"button_width": "70px"},
        )
        self.module = _choice("module", [ALL_MODULES])
        super().__init__([self.method, self.task, self.module, self.keep, self.scope])
        self.listen(self._list_tasks, self.method)
        self.listen(self._draw, self.task)
        self.listen(self._cut, self.keep, self.scope)
        self.listen(self._pick_module, self.module)
        self.refresh()

    def refresh(self) -> None:
        """Look again which runs have scores."""
        names = [
            n for n, r in self.runs.items() if any(r.file("fisher", t).exists() for t in _tasks(r))
        ]
        self.offer(self.method, names)
        self._list_tasks()
        if not names:
            self.show_nothing("None of these runs kept Fisher scores (yet).")

    def _list_tasks(self) -> None:
        if self.method.value is not None:
            run = self.runs[self.method.value]
            self.offer(self.task, [t for t in _tasks(run) if run.file("fisher", t).exists()])
            self._draw()

    def _draw(self) -> None:
        run = self.runs.get(self.method.value)
        scores = run.fisher(self.task.value) if run and self.task.value else None
        if scores is None:
            return
        self.scores = scores
        self.offer(self.module, [ALL_MODULES, *modules_of(scores)])
        self.show(fisher_spectra(scores, self.keep.value, self.scope.value, controls=False))
        self._pick_module()

    def _pick_module(self) -> None:
        if self.figure is not None:
            module = None if self.module.value == ALL_MODULES else self.module.value
            show_module(self.figure, module)

    def _cut(self) -> None:
        """Move the threshold; the curves stay."""
        if self.figure is not None:
            show_keep(self.figure, self.scores, self.keep.value, self.scope.value)
            words = describe_spectra(self.scores, self.keep.value, self.scope.value)
            self.say(self.figure.layout.meta["caption"], words)


class OverlapTab(_Tab):
    """Mask overlap with lists of runs and layers."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = dict(zip(run_labels(runs), runs, strict=True))
        self.method = _choice("method", [])
        self.layer = _choice("layer", [layer_name(None)])
        self.masks: dict[str, Mask] = {}
        self.layers: dict[str, int | None] = {}
        super().__init__([self.method, self.layer])
        self.listen(self._load, self.method)
        self.listen(self._draw, self.layer)
        self.refresh()

    def refresh(self) -> None:
        """Look again which runs have the masks of two tasks."""
        names = [
            n
            for n, r in self.runs.items()
            if sum(r.file("masks", t).exists() for t in _tasks(r)) > 1
        ]
        self.offer(self.method, names)
        self._load()
        if not names:
            self.show_nothing("None of these runs kept the masks of two tasks (yet).")

    def _load(self) -> None:
        if self.method.value is None:
            return
        run = self.runs[self.method.value]
        found = {task: run.mask(task) for task in _tasks(run)}
        self.masks = {task: mask for task, mask in found.items() if mask is not None}
        self.layers = {layer_name(n): n for n in (None, *layers_of(self.masks))}
        self.offer(self.layer, list(self.layers))
        self._draw()

    def _draw(self) -> None:
        self.show(mask_overlap(self.masks, self.layers[self.layer.value], controls=False))


def _tasks(run: Run) -> list[str]:
    return run.config.task_names
