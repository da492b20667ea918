"""`MaskPlayground`: choose units, zero them or hold them still, and see what each task loses."""

from collections.abc import Sequence
from typing import Any

import ipywidgets
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import LabError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import SCOPES, Mask
from fggm_lab.models import fingerprint
from fggm_lab.models.names import split_name
from fggm_lab.plots.layer_shares import layer_name
from fggm_lab.plots.mask_effects import describe_effect, mask_effects
from fggm_lab.tasks import General, TaskSequence
from fggm_lab.training.effects import (
    RANKS,
    Effect,
    Measured,
    choose_units,
    freezing,
    measured,
    zeroing,
)
from fggm_lab.widgets.controls import WIDE, Controls, choice, switch
from fggm_lab.widgets.shell import Shell
from fggm_lab.widgets.stage import Stage
from fggm_lab.widgets.static import Static

ZERO, FREEZE = "zero them", "freeze them"
_SHOWN = 8
"""Rows of a list that holds several choices."""


class MaskPlayground(Shell):
    """Choose units by layer, module and Fisher score; zero or freeze them; see every task's score.

    Zeroing asks what the units do now; freezing trains one task for a few steps without them and
    asks what that spares. The model comes back as it was.

    Attributes:
        effect: what the last try found; None before one, or where it was refused.
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
        split: str = "eval",
    ) -> None:
        """Args:
        general: what General is measured on (None: not measured).
        examples, split: how many examples of each task and skill are scored, and of which split.
        scored: how many training examples of a task its Fisher scores are made of.
        """
        self._model, self._tokenizer, self._tasks = model, tokenizer, tasks
        self._ask: dict[str, Any] = {"general": general, "examples": examples, "split": split}
        self._scored = scored
        self._known: dict[tuple[object, ...], Any] = {}
        self.effect: Effect | None = None
        super().__init__()

    def build(self) -> Sequence[ipywidgets.Widget]:
        """What to choose, the button, the figure."""
        names = [name for name, p in self._model.named_parameters() if p.requires_grad]
        places = [split_name(name) for name in names]
        layers = {layer_name(place.layer): place.layer for place in places}
        modules = list(dict.fromkeys(place.module for place in places))
        self.controls = Controls(
            layers=_several("layers", list(layers.items())),
            modules=_several("parameters", [(module, module) for module in modules]),
            rank=switch("units", RANKS),
            share=ipywidgets.FloatSlider(
                0.1, min=0.01, max=1, step=0.01, description="share", readout_format=".0%",
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
        self.controls.listen(self._arrange)
        self._arrange("action")
        self.button = ipywidgets.Button(description="Try", icon="flask", button_style="primary")
        self.button.on_click(self._press)
        self.stage = Stage()
        rows = [("rank", "task"), ("share", "scope"), ("action", "train", "steps")]
        lists = _row([self.controls.named[name] for name in ("layers", "modules")])
        others = [_row([self.controls.named[name] for name in row]) for row in rows]
        return [_row([lists, ipywidgets.VBox([*others, self.button])]), self.stage.box]

    def static(self) -> Static:
        """The last try in words."""
        if self.effect is not None:
            return Static(None, describe_effect(self.effect))
        return Static(
            None,
            "A playground for masks: choose units, zero or freeze them, and see every task's score "
            "before and after. It needs a running kernel.",
        )

    def attempt(self) -> Effect:
        """Do what the controls say.

        Raises:
            LabError: nothing is chosen, or a task cannot be scored.
        """
        chosen = self._chosen()
        state = fingerprint(self._model)  # training between two tries makes old numbers stale
        before = self._once(("before", state), self._measured)
        if self.controls["action"] == ZERO:
            return zeroing(
                self._model, self._tokenizer, self._tasks, ~chosen, before=before, **self._ask
            )
        train, steps = self.controls["train"], self.controls["steps"]
        key = ("free", state, train, steps)
        effect = freezing(
            self._model, self._tokenizer, self._tasks, ~chosen, train,
            steps=steps, before=before, free=self._known.get(key), **self._ask,
        )  # fmt: skip
        self._known[key] = effect.free
        return effect

    def _measured(self) -> Measured:
        return measured(self._model, self._tokenizer, self._tasks, **self._ask)

    def _once(self, key: tuple[object, ...], make: Any) -> Any:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]

    def _scores(self, task: str) -> FisherScores:
        return fisher_scores(
            self._model, self._tokenizer, self._tasks[task].train,
            max_examples=self._scored, task=task,
        )  # fmt: skip

    def _chosen(self) -> Mask:
        """The units the controls mark."""
        layers, modules = self.controls["layers"], self.controls["modules"]
        for what, values in (("layer", layers), ("parameter", modules)):
            if not values:
                raise SettingError(f"no {what} is chosen; choose one or more in the list")
        task = self.controls["task"]
        scores: FisherScores = self._once(
            ("scores", fingerprint(self._model), task), lambda: self._scores(task)
        )
        names = [
            name
            for name in scores.names
            if (place := split_name(name)).layer in layers and place.module in modules
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

    def _arrange(self, name: str) -> None:
        """Show what freezing alone needs only while it is chosen."""
        if name == "action":
            wanted = set(self.controls.named)
            if self.controls["action"] == ZERO:
                wanted -= {"train", "steps"}
            self.controls.show_only(wanted)

    def _press(self, _: object) -> None:
        self.button.disabled, self.button.description = True, "Trying"
        self.effect = None
        try:
            self.effect = self.attempt()
            self.stage.show(mask_effects(self.effect))
        except LabError as problem:
            self.stage.refuse(str(problem))
        except KeyboardInterrupt:
            self.stage.refuse("interrupted; the model is as it was")
        finally:
            self.button.disabled, self.button.description = False, "Try"


def _row(widgets: Sequence[ipywidgets.Widget]) -> ipywidgets.HBox:
    """Side by side where there is room."""
    return ipywidgets.HBox(list(widgets), layout={"flex_flow": "row wrap"})


def _several(description: str, options: Sequence[tuple[str, Any]]) -> ipywidgets.SelectMultiple:
    """A list to choose several from; all are chosen at first."""
    return ipywidgets.SelectMultiple(
        description=description, options=options, value=[value for _, value in options],
        rows=min(_SHOWN, len(options)), style=WIDE, layout={"width": "auto"},
    )  # fmt: skip
