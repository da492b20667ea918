"""`LiveTraining`: a run that trains in the background, its curves growing in the notebook."""

import threading
from collections.abc import Generator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets
import plotly.graph_objects as go
from IPython.display import DisplayHandle, display
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import LabError
from fggm_lab.methods import Method
from fggm_lab.plots import bare
from fggm_lab.plots.run_state import RunSoFar
from fggm_lab.plots.training_progress import (
    caption_now,
    describe_progress,
    fill,
    place,
    training_progress,
)
from fggm_lab.runs import Run
from fggm_lab.tasks import TaskSequence
from fggm_lab.training.background import BackgroundTraining
from fggm_lab.training.effects import frozen_count
from fggm_lab.widgets.figure import ThreadFigure
from fggm_lab.widgets.pace import Pace, TimeLeft, in_words
from fggm_lab.widgets.shell import Shell, hide
from fggm_lab.widgets.stage import Stage, sentence
from fggm_lab.widgets.static import Static


class _Face(NamedTuple):
    """What one state looks like: the button's text and icon, and a sentence."""

    button: str
    icon: str
    says: str


_FACES = {
    "ready": _Face("Start", "play", "Not started yet."),
    "training": _Face("Pause", "pause", "Training."),
    "pausing": _Face("Pausing", "pause", "Pausing after this step, once the state is saved."),
    "paused": _Face("Resume", "play", "Paused; Resume goes on from here."),
    "finished": _Face("Finished", "check", "Finished."),
    "stopped": _Face("Try again", "refresh", ""),
}


class LiveTraining(Shell):
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
        method: Method,
        out: str | Path,
        **settings: Any,
    ) -> None:
        """Args:
        model, tokenizer, tasks, method, out, settings: as in `run_sequence`, which trains a copy
            of the model unless told `in_place=True`.

        Raises:
            SettingError: `run_sequence` has no such setting.
        """
        super().__init__()
        self._out, self._model, self._method = Path(out), model, method.name
        self._listener = settings.pop("listener", None)
        self._training = BackgroundTraining(
            model, tokenizer, tasks, method, out,
            listener=self._hear, ended=self._end, **settings,
        )  # fmt: skip
        general = settings.get("general")
        self._so_far = RunSoFar(tasks.names, "higher" if general is None else general.better)
        self._lock = threading.RLock()
        self._pace = Pace()
        self._time = TimeLeft(0)
        self._blocked = False
        self._handles: list[DisplayHandle] = []
        self._figure: ThreadFigure | None = None
        self._plain: go.Figure | None = None
        self._button = ipywidgets.Button(layout={"width": "110px"})
        self._button.on_click(self._press)
        self._bar = ipywidgets.IntProgress(layout={"width": "300px"})
        self._says, self._where = ipywidgets.HTML(), ipywidgets.HTML()
        self._picture, self._texts = ipywidgets.HTML(), Stage()
        self._read()
        # Shown until a page answers, which it cannot while a cell blocks in `wait`.
        hider = ipywidgets.HTML(hide(self._static_class))
        self.children = [*self.children, *self._controls, self._picture, hider]

    def _read(self) -> None:
        """See whether the folder holds a run, and how far it is."""
        try:
            run = self.run
            if run is not None:
                self._so_far = RunSoFar.of(run)
            state = "ready" if run is None else "finished" if run.finished else "paused"
            self._show_state(state)
        except LabError as problem:
            self._show_state("stopped", str(problem))

    # What a person does

    @property
    def run(self) -> Run | None:
        """The run as its folder has it; None before there is one."""
        return Run.open(self._out) if (self._out / "config.json").is_file() else None

    def start(self) -> None:
        """Begin, or go on where the run in the folder stopped."""
        with self._lock:
            if self.state in ("training", "pausing"):
                return
            self._time = TimeLeft(self._so_far.step)
            self._show_state("training")
        self._training.start()

    def resume(self) -> None:
        """The same as `start`."""
        self.start()

    def pause(self) -> None:
        """Save the state after the step in hand and stop; returns at once."""
        with self._lock:
            if self.state == "training":
                self._show_state("pausing")
                self._training.pause()

    def wait(self) -> Run:
        """Block until the run is finished or paused; starts it if nothing has.

        The button is off meanwhile, for the notebook could not hear it; the notebook's own stop
        button (KeyboardInterrupt) pauses the training, state saved, before the cell ends. `await`
        the widget to keep its button.

        Raises:
            LabError: the training stopped with it.
        """
        self._start_first()
        self._block(True)
        try:
            return self._training.wait()
        finally:
            self._block(False)

    def _block(self, blocked: bool) -> None:
        """Note that a cell blocks, or no longer does."""
        with self._lock:
            self._blocked = blocked
            self._show_button()

    def __await__(self) -> Generator[Any, None, Run]:
        self._start_first()
        return self._training.__await__()

    def _start_first(self) -> None:
        if not self._training.started:
            self.start()

    def _press(self, _: object) -> None:
        if self.state == "training":
            self.pause()
        elif self.state != "finished":  # a press that was on its way when the last step was taken
            self.start()

    # What the training says, in its own thread

    def _hear(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._so_far.take(event)
            if event["kind"] == "step":
                self._time.take(event["step"])
                self._learn_share(event["task"])
            if self._pace.due:
                with self._pace.drawing():
                    self._draw()
        if self._listener is not None:
            self._listener(event)

    def _learn_share(self, task: int) -> None:
        """At a task's first step, what its mask lets move."""
        run = self.run if self._so_far.shares[task] is None else None
        if run is not None:
            mask = run.mask(task)
            frozen, units = (0, 1) if mask is None else frozen_count(self._model, mask)
            self._so_far.shares[task] = 1 - frozen / units

    def _end(self, outcome: Run | BaseException) -> None:
        with self._lock:
            if isinstance(outcome, Run):
                if outcome.finished and not self._so_far.finished:  # it had been finished before
                    self._so_far = RunSoFar.of(outcome)
                self._show_state("finished" if outcome.finished else "paused")
            elif isinstance(outcome, LabError):
                self._show_state("stopped", str(outcome))
            else:
                what = f"{type(outcome).__name__}: {outcome}"
                self._show_state("stopped", f"{what}; live.wait() says where it happened")
            for handle in self._handles:
                handle.update(self._still(), raw=True)

    # What is shown

    @property
    def _controls(self) -> list[ipywidgets.Widget]:
        row = ipywidgets.HBox(
            [self._button, self._bar, self._says],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        return [row, self._where]

    def _show_state(self, state: str, problem: str | None = None) -> None:
        """Set the button, the sentence and everything below."""
        with self._lock:
            self.state, self._problem = state, problem
            self._show_button()
            self._says.value = sentence(self._sentence())
            self._bar.bar_style = {"finished": "success", "stopped": "danger"}.get(state, "")
            self._texts.say(caption_now(self._so_far), describe_progress(self._so_far))
            self._draw()

    def _show_button(self) -> None:
        face = _FACES[self.state]
        self._button.description, self._button.icon = face.button, face.icon
        self._button.disabled = self._blocked or self.state in ("pausing", "finished")
        self._button.tooltip = (
            "A cell waits for the training; the notebook's stop button pauses it"
            if self._blocked
            else f"{face.button} the training"
        )

    def _sentence(self) -> str:
        if self._problem is not None:
            return f"Training stopped: {self._problem}"
        return _FACES[self.state].says

    def _draw(self) -> None:
        """Show what is known by now."""
        self._bar.max = max(self._so_far.total, 1)
        self._bar.value = self._so_far.step
        self._where.value = f"<p style='margin:0'>{escape(self._progress())}</p>"
        if self._figure is not None:
            self._figure.change(lambda figure: fill(figure, self._so_far))
        else:
            self._picture.value = self.static().html("")

    def _progress(self) -> str:
        """Step, task, loss and time left."""
        parts = [f"{self._method} · {place(self._so_far)}"]
        if self._so_far.loss is not None:
            parts.append(f"loss {self._so_far.loss:.3f}")
        left = self._time.seconds(self._so_far.total)
        if self.state == "training" and left is not None:
            parts.append(f"about {in_words(left)} left")
        return " · ".join(parts)

    def build(self) -> Sequence[ipywidgets.Widget]:
        """The controls above a figure that a page can zoom."""
        with self._lock:
            figure = bare(self._now()).update_layout(autosize=True)
            self._figure = ThreadFigure(figure, self._pace.owe)
            self._picture.value = ""
            return [*self._controls, self._figure, self._texts.box]

    def static(self) -> Static:
        """The same as a picture, with its words."""
        with self._lock:
            words = f"{self._sentence()} {describe_progress(self._so_far)}"
            return Static(self._now() if self._so_far.planned else None, words)

    def _now(self) -> go.Figure:
        """The figure outside the page, brought up to date."""
        if self._plain is None:
            self._plain = training_progress(self._so_far)
        return fill(self._plain, self._so_far)

    def _display_still(self, bundle: dict[str, Any]) -> None:
        """Keep hold of the picture in the cell's output, to bring it up to date at the end.

        A notebook that is run without a page then has the picture of the whole training.
        """
        handle = display(bundle, raw=True, display_id=True)
        if handle is not None:
            self._handles.append(handle)

    def _still(self) -> dict[str, str]:
        static = self.static()
        return {"text/html": static.html(self._static_class), "text/plain": static.words}
