"""`MaskPlayground`: zero or freeze units, or zero heads, and see what each task's score loses."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import ipywidgets
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import LabError, ModelError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import SCOPES, Head, Mask, without_heads
from fggm_lab.models import fingerprint, head_layout
from fggm_lab.models.heads import head_parts
from fggm_lab.models.names import layer_name, split_name
from fggm_lab.plots import describe, mask_effects
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.tasks import General, TaskSequence
from fggm_lab.training.effects import (
    RANKS,
    Effect,
    Measured,
    choose_units,
    freezing,
    measured,
    zeroing,
    zeroing_heads,
)
from fggm_lab.widgets.controls import WIDE, Controls, choice, switch
from fggm_lab.widgets.figure_panel import FigurePanel
from fggm_lab.widgets.lazy_widget import LazyWidget

ZERO, FREEZE = "zero them", "freeze them"
UNITS, HEADS = "units", "attention heads"
SHARE = 0.05
"""Of the units chosen at first: the highest at zero lose a task, as many random ones do not."""
_MAX_ROWS = 8
"""Rows shown of a list from which several entries can be chosen."""


class MaskPlayground(LazyWidget):
    """Choose units by layer, module and Fisher score; zero or freeze them; see every task's score.

    Zeroing shows what the units do now; freezing trains one task for a few steps with and without
    them, and shows what that spares the other tasks. Whole attention heads can be zeroed, too, by
    their columns of the output projection. The model is unchanged afterwards.

    Attributes:
        effect: the result of the last try; None before one, or where it failed.
    """

    css = "fggm-playground"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
        general: General | None = None,
        *,
        examples: int = 32,
        scored: int = 64,
        split: Literal["train", "eval", "test"] = "eval",
    ) -> None:
        """Args:
        model: a causal language model.
        tokenizer: the model's tokenizer.
        tasks: the tasks whose scores are shown.
        general: what General is measured on (None: not measured).
        examples: how many examples of each task and skill are scored.
        scored: how many training examples of a task its Fisher scores are estimated from.
        split: which split of the tasks is scored.
        """
        self._model, self._tokenizer, self._tasks = model, tokenizer, tasks
        self._evaluation: dict[str, Any] = {
            "general": general,
            "examples": examples,
            "split": split,
        }
        self._max_examples = scored
        self._cache: dict[tuple[object, ...], Any] = {}
        self.effect: Effect | None = None
        super().__init__()

    def build(self) -> Sequence[ipywidgets.Widget]:
        """The controls, the button, the figure."""
        names = [name for name, p in self._model.named_parameters() if p.requires_grad]
        split_names = [split_name(name) for name in names]
        layers = {layer_name(parts.layer): parts.layer for parts in split_names}
        modules = list(dict.fromkeys(parts.module for parts in split_names))
        self.controls = Controls(
            kind=switch("choose", (UNITS, HEADS)),
            heads=_multiple_choice("heads (layer · head)", self._heads()),
            layers=_multiple_choice("layers", list(layers.items())),
            modules=_multiple_choice("parameters", [(module, module) for module in modules]),
            rank=switch("units", RANKS),
            share=ipywidgets.FloatSlider(
                SHARE, min=0.01, max=1, step=0.01, description="share", readout_format=".0%",
                style=WIDE, continuous_update=False,
            ),
            scope=switch("scope", SCOPES),
            task=choice("by Fisher score on", self._tasks.names),
            action=switch("what to do", (ZERO, FREEZE)),
            train=choice("while training", self._tasks.names),
            steps=ipywidgets.IntSlider(
                15, min=1, max=60, description="for steps", style=WIDE, continuous_update=False
            ),
        )  # fmt: skip
        self.controls.named["heads"].value = self.controls.named["heads"].value[:1]
        self.controls.listen(self._show_needed_controls)
        self._show_needed_controls("kind")
        self.button = ipywidgets.Button(description="Try", icon="flask", button_style="primary")
        self.button.on_click(self._on_click)
        self.panel = FigurePanel()
        rows = [("rank", "task"), ("share", "scope"), ("action", "train", "steps")]
        lists = _row([self.controls.named[name] for name in ("layers", "modules", "heads")])
        settings = [_row([self.controls.named[name] for name in row]) for row in rows]
        return [
            self.controls.named["kind"],
            _row([lists, ipywidgets.VBox([*settings, self.button])]),
            self.panel.box,
        ]

    def static(self) -> StaticPicture:
        """The result of the last try in words."""
        if self.effect is not None:
            return StaticPicture(None, describe(mask_effects(self.effect)))
        return StaticPicture(
            None,
            "A playground for masks: choose units, zero or freeze them, and see every task's score "
            "before and after. It needs a running kernel.",
        )

    def attempt(self) -> Effect:
        """Zero or freeze the units chosen, as the controls say.

        Returns:
            every task's score before and after.

        Raises:
            LabError: nothing is chosen, or a task cannot be scored.
        """
        state = fingerprint(self._model)  # the model may be trained between two tries
        if self.controls["kind"] == HEADS:
            without_heads(self._model, self.controls["heads"])  # refused before it is scored
            return zeroing_heads(
                self._model, self._tokenizer, self._tasks, self.controls["heads"],
                before=self._cached(("before", state), self._measured), **self._evaluation,
            )  # fmt: skip
        chosen = self._chosen()
        before = self._cached(("before", state), self._measured)
        if self.controls["action"] == ZERO:
            return zeroing(
                self._model,
                self._tokenizer,
                self._tasks,
                ~chosen,
                before=before,
                **self._evaluation,
            )
        train, steps = self.controls["train"], self.controls["steps"]
        key = ("free", state, train, steps)
        effect = freezing(
            self._model, self._tokenizer, self._tasks, ~chosen, train,
            steps=steps, before=before, free=self._cache.get(key), **self._evaluation,
        )  # fmt: skip
        self._cache[key] = effect.free
        return effect

    def _measured(self) -> Measured:
        return measured(self._model, self._tokenizer, self._tasks, **self._evaluation)

    def _cached(self, key: tuple[object, ...], compute: Callable[[], Any]) -> Any:
        """A value computed once per key."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    def _scores(self, task: str) -> FisherScores:
        return fisher_scores(
            self._model, self._tokenizer, self._tasks[task].train,
            max_examples=self._max_examples, task=task,
        )  # fmt: skip

    def _chosen(self) -> Mask:
        """A mask of the units that the controls select."""
        layers, modules = self.controls["layers"], self.controls["modules"]
        for kind, values in (("layer", layers), ("parameter", modules)):
            if not values:
                raise SettingError(f"no {kind} is chosen; choose one or more in the list")
        task = self.controls["task"]
        scores: FisherScores = self._cached(
            ("scores", fingerprint(self._model), task), lambda: self._scores(task)
        )
        names = [
            name
            for name in scores.names
            if (parts := split_name(name)).layer in layers and parts.module in modules
        ]
        if not names:
            raise SettingError("none of the layers chosen has such a parameter; choose another")
        share = self.controls["share"]
        mask = choose_units(
            scores.restricted(names), self.controls["rank"], share, self.controls["scope"]
        )
        if not mask.count:
            raise SettingError(
                f"a share of {share:.0%} leaves no unit of {mask.unit_count:,}; raise the share"
            )
        return mask

    def _heads(self) -> list[tuple[str, Head]]:
        """Every attention head; none where it is not known which units belong to which."""
        try:
            layers = sorted({part.layer for part in head_parts(self._model)})
            count = head_layout(self._model).heads
        except ModelError:  # said when a head is tried
            return []
        return [(f"{layer} · {head}", (layer, head)) for layer in layers for head in range(count)]

    def _show_needed_controls(self, name: str) -> None:
        """Show the controls of what is chosen: heads, or units that are zeroed or frozen."""
        if name not in ("kind", "action"):
            return
        if self.controls["kind"] == HEADS:
            visible = {"kind", "heads"}
        else:
            visible = set(self.controls.named) - {"heads"}
            if self.controls["action"] == ZERO:
                visible -= {"train", "steps"}
        self.controls.show_only(visible)

    def _on_click(self, _: object) -> None:
        self.button.disabled, self.button.description = True, "Trying"
        self.effect = None
        try:
            self.effect = self.attempt()
            self.panel.show(mask_effects(self.effect))
        except LabError as error:
            self.panel.show_message(str(error))
        except KeyboardInterrupt:
            self.panel.show_message("interrupted; the model is as it was")
        finally:
            self.button.disabled, self.button.description = False, "Try"


def _row(widgets: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    """Side by side where there is room."""
    return ipywidgets.HBox(list(widgets), layout={"flex_flow": "row wrap"})


def _multiple_choice(
    description: str, options: Sequence[tuple[str, Any]]
) -> ipywidgets.SelectMultiple:
    """A list of which several entries can be chosen; all are at first."""
    return ipywidgets.SelectMultiple(
        description=description, options=options, value=[value for _, value in options],
        rows=min(_MAX_ROWS, len(options)), style=WIDE, layout={"width": "auto"},
    )  # fmt: skip
