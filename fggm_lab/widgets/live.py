"""`LiveTraining`: a run that trains in the background, its curves growing in the notebook."""

import threading
from collections.abc import Generator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal, NamedTuple

import ipywidgets
import plotly.graph_objects as go
from IPython.display import DisplayHandle, display
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import LabError
from fggm_lab.masks import moving_units
from fggm_lab.methods import Method, as_method
from fggm_lab.plots import bare
from fggm_lab.plots.run_state import RunState
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.plots.training_progress import (
    fill,
    progress_caption,
    progress_description,
    progress_sentence,
    training_progress,
)
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from fggm_lab.sentences import sentence_html
from fggm_lab.tasks import TaskSequence
from fggm_lab.training.background import BackgroundTraining
from fggm_lab.widgets.figure_panel import FigurePanel
from fggm_lab.widgets.lazy_widget import LazyWidget, hiding_style
from fggm_lab.widgets.live_figure import ThreadSafeFigure
from fggm_lab.widgets.timing import DrawingThrottle, TimeLeft, duration_text

State = Literal["ready", "training", "pausing", "paused", "finished", "stopped"]
"""How far a live training is; `stopped` follows an error."""


class _Display(NamedTuple):
    """How one state is shown: the button's text and icon, and a sentence."""

    button: str
    icon: str
    sentence: str


_DISPLAYS: dict[State, _Display] = {
    "ready": _Display("Start", "play", "Not started yet."),
    "training": _Display("Pause", "pause", "Training."),
    "pausing": _Display("Pausing", "pause", "Pausing after this step, once the state is saved."),
    "paused": _Display("Resume", "play", "Paused; Resume goes on from here."),
    "finished": _Display("Finished", "check", "Finished."),
    "stopped": _Display("Try again", "refresh", ""),
}


class LiveTraining(LazyWidget):
    """Train in the background and watch: scores, loss, mask share and the time left, growing.

        live = lab.LiveTraining(model, tokenizer, tasks, lab.FGGM(), "runs/mine")
        live            # shows it, with a button that starts, pauses and resumes
        run = await live

    The run is that of `run_sequence`, bit for bit, pauses or not. A folder that holds an unfinished
    run with the same settings is resumed, one that holds a finished run is shown. Drawing takes at
    most 2 % of the time: the longer a draw takes, the longer the next one waits.

    `await live` and `live.wait()` both start the training if nothing has, and return the run when
    it is finished or paused. While a cell awaits, the notebook goes on listening: the button works,
    and the page draws. While a cell blocks in `wait()` the notebook hears nothing: the picture
    grows, but the button is off until the cell ends. In both, the notebook's own stop button
    pauses the training safely before the cell is interrupted. Where no cell runs, the button
    always works.

    Attributes:
        state: `ready`, `training`, `pausing`, `paused`, `finished` or, after an error, `stopped`.
    """

    css = "fggm-live"

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
        method: Method | str,
        out: str | Path,
        **options: Any,
    ) -> None:
        """Args:
        model: a causal language model; a copy is trained, unless `in_place=True` is given.
        tokenizer: the model's tokenizer.
        tasks: what to learn, in order.
        method: how forgetting is countered, or the method's name.
        out: the run's folder; made if it does not exist.
        options: further arguments of `run_sequence` by name, such as `settings` and `general`, or
            fields of `TrainingSettings`, such as `lr=1e-3`.

        Raises:
            SettingError: `run_sequence` takes no such argument.
        """
        super().__init__()
        method = as_method(method)
        self._out, self._model, self._method = Path(out), model, method.name
        self._listener = options.pop("listener", None)
        self._training = BackgroundTraining(
            model, tokenizer, tasks, method, out,
            listener=self._on_event, ended=self._on_end, **options,
        )  # fmt: skip
        general = options.get("general")
        self._state = RunState(tasks.names, "higher" if general is None else general.better)
        self._lock = threading.RLock()
        self._throttle = DrawingThrottle()
        self._time_left = TimeLeft(0)
        self._blocked = False
        self._handles: list[DisplayHandle] = []
        self._figure: ThreadSafeFigure | None = None
        self._static_figure: go.Figure | None = None
        self._button = ipywidgets.Button(layout={"width": "110px"})
        self._button.on_click(self._on_click)
        self._bar = ipywidgets.IntProgress(layout={"width": "300px"})
        self._sentence, self._progress = ipywidgets.HTML(), ipywidgets.HTML()
        self._picture, self._panel = ipywidgets.HTML(), FigurePanel()
        self._read_folder()
        # Shown until a page answers, which it cannot while a cell blocks in `wait`.
        hider = ipywidgets.HTML(hiding_style(self._static_class))
        self.children = [*self.children, *self._controls, self._picture, hider]

    def _read_folder(self) -> None:
        """Find out whether the folder holds a run, and how far it is."""
        try:
            run = self.run
            if run is not None:
                self._state = RunState.of(run)
            state: State = "ready" if run is None else "finished" if run.finished else "paused"
            self._show_state(state)
        except LabError as error:
            self._show_state("stopped", str(error))

    # What a user calls or clicks

    @property
    def run(self) -> Run | None:
        """The run in the folder; None before there is one."""
        return Run.open(self._out) if (self._out / "config.json").is_file() else None

    def start(self) -> None:
        """Begin, or continue where the run in the folder stopped."""
        with self._lock:
            if self.state in ("training", "pausing"):
                return
            self._time_left = TimeLeft(self._state.step)
            self._show_state("training")
        self._training.start()

    def resume(self) -> None:
        """The same as `start`."""
        self.start()

    def pause(self) -> None:
        """Stop after the present step, once the state is saved; returns at once."""
        with self._lock:
            if self.state == "training":
                self._show_state("pausing")
                self._training.pause()

    def wait(self) -> Run:
        """Block until the run is finished or paused; start it if it has not been started.

        The button is off meanwhile, as the notebook could not hear it; the notebook's own stop
        button (KeyboardInterrupt) pauses the training, with its state saved, before the cell ends.
        `await` the widget instead to keep the button.

        Returns:
            the run, finished or paused.

        Raises:
            LabError: the training stopped with this error.
        """
        self._start_once()
        self._set_blocked(True)
        try:
            return self._training.wait()
        finally:
            self._set_blocked(False)

    def _set_blocked(self, blocked: bool) -> None:
        """Note whether a cell blocks in `wait`."""
        with self._lock:
            self._blocked = blocked
            self._show_button()

    def __await__(self) -> Generator[Any, None, Run]:
        self._start_once()
        return self._training.__await__()

    def _start_once(self) -> None:
        if not self._training.started:
            self.start()

    def _on_click(self, _: object) -> None:
        if self.state == "training":
            self.pause()
        elif self.state != "finished":  # a click may arrive after the last step
            self.start()

    # Called by the training, in its own thread

    def _on_event(self, event: Event) -> None:
        with self._lock:
            self._state.take(event)
            if event["kind"] == "step":
                self._time_left.record(event["step"])
                self._record_share(event["task"])
            if self._throttle.due:
                with self._throttle.drawing():
                    self._draw()
        if self._listener is not None:
            self._listener(event)

    def _record_share(self, task: int) -> None:
        """At a task's first step, record the share of units that its mask lets move."""
        run = self.run if self._state.shares[task] is None else None
        if run is not None:
            mask = run.mask(task)
            moving, units = moving_units(self._model, mask)
            self._state.shares[task] = moving / units

    def _on_end(self, outcome: Run | BaseException) -> None:
        with self._lock:
            if isinstance(outcome, Run):
                if outcome.finished and not self._state.finished:  # it was finished before
                    self._state = RunState.of(outcome)
                self._show_state("finished" if outcome.finished else "paused")
            elif isinstance(outcome, LabError):
                self._show_state("stopped", str(outcome))
            else:
                error = f"{type(outcome).__name__}: {outcome}"
                self._show_state("stopped", f"{error}; live.wait() says where it happened")
            for handle in self._handles:
                handle.update(self._static_bundle(), raw=True)

    # Display

    @property
    def _controls(self) -> list[ipywidgets.Widget]:
        row = ipywidgets.HBox(
            [self._button, self._bar, self._sentence],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        return [row, self._progress]

    def _show_state(self, state: State, error: str | None = None) -> None:
        """Set the button, the sentence and everything below."""
        with self._lock:
            self.state: State = state
            self._error = error
            self._show_button()
            self._sentence.value = sentence_html(self._state_sentence())
            self._bar.bar_style = {"finished": "success", "stopped": "danger"}.get(state, "")
            self._panel.set_texts(progress_caption(self._state), progress_description(self._state))
            self._draw()

    def _show_button(self) -> None:
        shown = _DISPLAYS[self.state]
        self._button.description = shown.button
        self._button.icon = shown.icon
        self._button.disabled = self._blocked or self.state in ("pausing", "finished")
        self._button.tooltip = (
            "A cell waits for the training; the notebook's stop button pauses it"
            if self._blocked
            else f"{shown.button} the training"
        )

    def _state_sentence(self) -> str:
        if self._error is not None:
            return f"Training stopped: {self._error}"
        return _DISPLAYS[self.state].sentence

    def _draw(self) -> None:
        """Bring bar, progress text and figure up to date."""
        self._bar.max = max(self._state.total, 1)
        self._bar.value = self._state.step
        self._progress.value = f"<p style='margin:0'>{escape(self._progress_text())}</p>"
        if self._figure is not None:
            self._figure.change(lambda figure: fill(figure, self._state))
            self._show_plot()
        else:
            self._picture.value = self.static().html("")

    def _progress_text(self) -> str:
        """Step, task, loss and time left."""
        parts = [f"{self._method} · {progress_sentence(self._state)}"]
        if self._state.loss is not None:
            parts.append(f"loss {self._state.loss:.3f}")
        left = self._time_left.seconds(self._state.total)
        if self.state == "training" and left is not None:
            parts.append(f"about {duration_text(left)} left")
        return " · ".join(parts)

    def build(self) -> Sequence[ipywidgets.Widget]:
        """The controls above a figure that a reader can zoom."""
        with self._lock:
            figure = bare(self._current_figure()).update_layout(autosize=True)
            self._figure = ThreadSafeFigure(figure, self._throttle.add_cost)
            self._picture.value = ""
            self._plot_box = ipywidgets.VBox([self._figure, self._panel.box])
            self._show_plot()
            return [*self._controls, self._plot_box]

    def _show_plot(self) -> None:
        """Show the figure from the moment the steps are known; before, its axes would be empty."""
        self._plot_box.layout.display = None if self._state.planned else "none"

    def static(self) -> StaticPicture:
        """The same as a picture, with its words."""
        with self._lock:
            words = f"{self._state_sentence()} {progress_description(self._state)}"
            return StaticPicture(self._current_figure() if self._state.planned else None, words)

    def _current_figure(self) -> go.Figure:
        """The figure for stored notebooks, brought up to date."""
        if self._static_figure is None:
            self._static_figure = training_progress(self._state)
        return fill(self._static_figure, self._state)

    def _display_static(self, bundle: dict[str, Any]) -> None:
        """Display the picture, and keep its handle, to bring it up to date at the end.

        A notebook that is run without a page then shows the picture of the complete training.
        """
        handle = display(bundle, raw=True, display_id=True)
        if handle is not None:
            self._handles.append(handle)

    def _static_bundle(self) -> dict[str, str]:
        static = self.static()
        return {"text/html": static.html(self._static_class), "text/plain": static.words}
