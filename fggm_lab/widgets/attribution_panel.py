"""The tokens that one answer depends on before and after, computed at the press of a button."""

from pathlib import Path
from typing import Any

import ipywidgets

from fggm_lab.errors import LabError
from fggm_lab.extras import require
from fggm_lab.plots import token_comparison
from fggm_lab.runs import AnswerChange, Run
from fggm_lab.runs.forgotten import stage_name
from fggm_lab.sentences import sentence_html
from fggm_lab.widgets.controls import WIDE

_METHODS = [("integrated gradients", "gradients"), ("ablation of each token", "ablation")]
_MAX_MODELS = 2
"""Models held in memory: those of an example's two stages."""


class AttributionPanel:
    """A method, a button, and the coloured tokens of an example at both of its stages.

    Attributes:
        method: the control that chooses the method.
        button: computes the attributions.
        output: the coloured tokens, or a sentence.
        box: the widget.
    """

    def __init__(self) -> None:
        self._run: Run | None = None
        self._example: AnswerChange | None = None
        self._models: dict[Path, Any] = {}
        self.method = ipywidgets.Dropdown(description="by", options=_METHODS, style=WIDE)
        self.button = ipywidgets.Button(
            description="What does the answer depend on?", icon="search",
            layout={"width": "auto"},
        )  # fmt: skip
        self.button.on_click(self._on_click)
        self._bar = ipywidgets.FloatProgress(max=1, layout={"width": "120px", "display": "none"})
        self._doing = ipywidgets.HTML()
        self.output = ipywidgets.HTML(layout={"width": "100%"})
        row = ipywidgets.HBox(
            [self.button, self.method, self._bar, self._doing],
            layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "0 8px"},
        )
        self.box = ipywidgets.VBox([row, self.output])

    def show(self, run: Run, example: AnswerChange | None) -> None:
        """Take another example; its attribution is computed when the button is pressed.

        Args:
            run: the example's run.
            example: None: there is nothing to attribute.
        """
        self._run, self._example = run, example
        self.output.value = ""
        self.button.disabled = example is None

    def _on_click(self, _: object) -> None:
        if self._run is None or self._example is None:
            return
        self.button.disabled, self._bar.layout.display = True, None
        try:
            self.output.value = self._attributed(self._run, self._example)
        except LabError as error:
            self.output.value = sentence_html(str(error))
        except KeyboardInterrupt:
            self.output.value = sentence_html("interrupted; press the button to begin again")
        finally:
            self.button.disabled, self._bar.layout.display = False, "none"
            self._doing.value = ""

    def _attributed(self, run: Run, example: AnswerChange) -> str:
        """The tokens of both stages as HTML."""
        require("attribution", "captum")
        from fggm_lab.attribution import attribute_change

        attributions = attribute_change(
            run, example, method=self.method.value, load=self._model, progress=self._progress
        )
        names = stage_name(example.stage_before), stage_name(example.stage_after)
        return token_comparison(*attributions, names).html

    def _progress(self, text: str, share: float) -> None:
        self._doing.value, self._bar.value = f"<span>{text}…</span>", share

    def _model(self, folder: Path) -> Any:
        """The model of a checkpoint, one of the last two used."""
        from fggm_lab.models import load_model

        loaded = self._models.pop(folder, None) or load_model(folder)
        self._models[folder] = loaded
        while len(self._models) > _MAX_MODELS:
            del self._models[next(iter(self._models))]
        return loaded
