"""The widget of `browse`: examples that were lost or gained, their answers side by side."""

from collections.abc import Sequence

import ipywidgets

from fggm_lab.errors import LabError, RunError
from fggm_lab.html_table import html_table
from fggm_lab.plots import answer_changes, answer_text
from fggm_lab.plots.score_curves import run_labels
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.runs import AnswerChange, Run, forgotten_examples
from fggm_lab.runs.forgotten import (
    CHANGES,
    LAST,
    LEARNED,
    UNTRAINED,
    Stage,
    select_changes,
    stage_name,
)
from fggm_lab.sentences import sentence_html
from fggm_lab.widgets.attribution_panel import AttributionPanel
from fggm_lab.widgets.controls import WIDE, Controls, choice, switch
from fggm_lab.widgets.figure_panel import FigurePanel
from fggm_lab.widgets.lazy_widget import LazyWidget

PAGE = 12
"""Examples in the list at once."""
ALL_TASKS = "all tasks"
"""The entry for no task; the list cannot hold None, which it would show as an empty field."""
_SNIPPET = 60
"""Characters of a prompt in the list."""
_STATIC_ROWS = 6


class AnswerBrowser(LazyWidget):
    """Examples of a run whose answers changed between two stages, a page at a time.

    Attributes:
        controls: what is filtered by, once the widget is filled.
        examples: those that the controls select, the largest change first.
        attribution: the tokens that the chosen example's answer depends on.
    """

    css = "fggm-browse"

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: one run or several, with stored predictions.
        """
        self._runs = dict(zip(run_labels(runs), runs, strict=True))
        self._read: tuple[object, list[AnswerChange]] | None = None
        self._figure_key: object = None
        self.examples: list[AnswerChange] = []
        self._page = 0
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The filters, the counts, the list beside the chosen example, its attribution."""
        first = next(iter(self._runs.values()))
        self.controls = Controls(
            method=choice("method", list(self._runs)),
            task=choice("task"),
            change=switch("score", [(_CHANGE_NAMES[change], change) for change in CHANGES]),
            before=choice("before"),
            after=choice("after"),
            text=ipywidgets.Text(
                description="with the text", placeholder="any", style=WIDE, continuous_update=False
            ),
        )
        for control in self.controls.named.values():
            control.layout.max_width = "100%"
        if len(self._runs) == 1:
            self.controls.named["method"].layout.display = "none"
        self._offer(first)
        self.panel = FigurePanel()
        self._list = ipywidgets.Select(
            rows=PAGE, layout={"width": "100%", "min_width": "0"}
        ).add_class("fggm-examples")
        self._list.observe(self._show_example, "value")
        self._position = ipywidgets.HTML()
        self._previous = ipywidgets.Button(icon="chevron-left", tooltip="Earlier examples")
        self._next = ipywidgets.Button(icon="chevron-right", tooltip="Further examples")
        for button, way in ((self._previous, -1), (self._next, 1)):
            button.layout.width = "44px"
            button.on_click(lambda _, way=way: self._turn(way))
        self._text = ipywidgets.HTML(layout={"width": "100%"})
        self.attribution = AttributionPanel()
        self.controls.listen(self._filters_changed)
        self._update()
        pages = ipywidgets.HBox(
            [self._previous, self._next, self._position], layout={"align_items": "center"}
        )
        columns = ipywidgets.HBox(
            [
                ipywidgets.VBox(
                    [self._list, pages], layout={"flex": "1 1 300px", "min_width": "0"}
                ),
                ipywidgets.VBox(
                    [self._text, self.attribution.box],
                    layout={"flex": "2 1 420px", "min_width": "0"},
                ),
            ],
            layout={"flex_flow": "row wrap", "grid_gap": "8px 16px"},
        )
        return [self.controls.box, self.panel.box, columns]

    def static(self) -> StaticPicture:
        """How many answers of each task were lost and gained, and the largest losses."""
        run = next(iter(self._runs.values()))
        changes = forgotten_examples(run, change="all")
        lost = select_changes(changes, "lost")
        table = html_table(
            f"The largest losses of {len(lost):,}",
            ["task", "prompt", "right answer", "answer before", "answer after", "score before",
             "score after"],
            [
                [entry.task, _snippet(entry.prompt), entry.answer, entry.prediction_before,
                 entry.prediction_after, entry.score_before, entry.score_after]
                for entry in lost[:_STATIC_ROWS]
            ],
        )  # fmt: skip
        return StaticPicture.of(
            answer_changes(changes, run.config.task_names), table if lost else ""
        )

    # What the controls do

    @property
    def run(self) -> Run:
        """The run of the method chosen."""
        return self._runs[self.controls["method"]]

    @property
    def chosen(self) -> AnswerChange | None:
        """The example that is shown; None where the controls select none."""
        return None if self._list.value is None else self.examples[self._list.value]

    def _offer(self, run: Run) -> None:
        """Offer the tasks and the stages of a run, as far as it has come."""
        names = run.config.task_names
        self.controls.offer("task", [ALL_TASKS, *names])
        finished = [
            (stage_name(name), index) for index, name in enumerate(names[: len(run.events("task"))])
        ]
        start: tuple[str, Stage] = (UNTRAINED, UNTRAINED)
        learned: tuple[str, Stage] = ("when the task was learned", LEARNED)
        self.controls.offer("before", [learned, start, *finished])
        self.controls.offer("after", [("after the last task", LAST), *finished])

    def _filters_changed(self, name: str) -> None:
        if name == "method":
            self._offer(self.run)
        self._update()

    def _update(self) -> None:
        """Select the examples anew, and show the first of them."""
        self._page = 0
        try:
            every = self._all_examples()
            if self._figure_key is not every:
                self._figure_key = every
                self.panel.show(answer_changes(every, self.run.config.task_names))
            self.examples = select_changes(every, self.controls["change"], self.controls["text"])
            message = "" if self.examples else self._nothing()
        except LabError as error:
            self._figure_key, self.examples, message = None, [], str(error)
            self.panel.show_message(str(error))
        self._show_page()
        if message and self._figure_key is not None:
            self._text.value = sentence_html(message)

    def _all_examples(self) -> list[AnswerChange]:
        """All examples of the run, task and stages chosen, read from the disk once."""
        controls = self.controls
        task = None if controls["task"] == ALL_TASKS else controls["task"]
        key = (controls["method"], task, controls["before"], controls["after"],
               len(self.run.events("task")))  # fmt: skip
        if self._read is None or self._read[0] != key:
            changes = forgotten_examples(
                self.run, task, change="all",
                before=controls["before"], after=controls["after"],
            )  # fmt: skip
            if not changes:
                raise RunError(
                    f"{self.run.path} has no task that was trained before another; choose "
                    f"'{UNTRAINED}' before to see what training gained"
                )
            self._read = key, changes
        return self._read[1]

    def _nothing(self) -> str:
        searched = f" that has the text '{self.controls['text']}'" if self.controls["text"] else ""
        return f"there is no such example{searched}; choose another task, stage or score"

    # The list

    def _turn(self, way: int) -> None:
        self._page += way
        self._show_page()

    def _show_page(self) -> None:
        """The page's examples in the list, its first one chosen."""
        start = self._page * PAGE
        shown = self.examples[start : start + PAGE]
        end = start + len(shown)
        self._previous.disabled, self._next.disabled = start == 0, end >= len(self.examples)
        self._position.value = (
            f"<span style='margin-left:8px'>{start + 1:,}–{end:,} of {len(self.examples):,}</span>"
            if shown
            else ""
        )
        self._list.options = [(_entry(entry), start + n) for n, entry in enumerate(shown)]
        self._list.value = start if shown else None
        self._show_example()

    def _show_example(self, _: object = None) -> None:
        example = self.chosen
        self._text.value = "" if example is None else answer_text(example).html
        self.attribution.show(self.run, example)


_CHANGE_NAMES = {"lost": "fell", "gained": "rose", "all": "any"}


def _entry(change: AnswerChange) -> str:
    """An example in the list: what it scored, and how its prompt begins."""
    return (
        f"{change.score_before:.2f} → {change.score_after:.2f}  {change.task} {change.index}: "
        f"{_snippet(change.prompt)}"
    )


def _snippet(prompt: str) -> str:
    text = " ".join(prompt.split())
    return text if len(text) <= _SNIPPET else f"{text[: _SNIPPET - 1]}…"
