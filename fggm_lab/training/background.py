"""A task sequence trained in a thread of its own, which can be paused, resumed and waited for."""

import asyncio
import inspect
from collections.abc import Callable, Generator
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Event, Thread
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import SettingError, nearest
from fggm_lab.methods import Method
from fggm_lab.runs import Run
from fggm_lab.settings import former_names
from fggm_lab.tasks import TaskSequence
from fggm_lab.training.sequence import run_sequence
from fggm_lab.workers import release_workers

Ended = Callable[[Run | BaseException], object]
"""Told, in the training thread, what a training came to: a run, finished or paused, or an error."""

_SET_HERE = ("resume", "pause")
_TURN = 0.5
"""Seconds after which a wait looks whether it was interrupted."""


class BackgroundTraining:
    """`run_sequence` in the background, always with `resume`.

    The thread ends with the process; what was not saved by then is trained anew when the run is
    resumed. Other code shares torch's random generator with it: a model with dropout trains
    bit for bit as ever only if that code draws nothing meanwhile.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
        method: Method | str,
        out: str | Path,
        *,
        ended: Ended | None = None,
        **settings: Any,
    ) -> None:
        """Args:
        model, tokenizer, tasks, method, out, settings: as in `run_sequence`.
        ended: told how each start ended, before those who wait are.

        Raises:
            SettingError: `run_sequence` has no such setting, or it is this class's to set.
        """
        setting_names = {*inspect.signature(run_sequence).parameters, *former_names()}
        for name in settings:
            if name in _SET_HERE:
                raise SettingError(f"{name} is set here; leave it out")
            if name not in setting_names:
                raise SettingError(
                    f"run_sequence has no setting '{name}'"
                    f"{nearest(name, list(setting_names))}; see help(lab.run_sequence)"
                )
        self._call = (model, tokenizer, tasks, method, out)
        self._settings = settings
        self._ended = ended
        self._pausing = Event()
        self._future: Future[Run] | None = None
        self._ending = False  # trained, but not all have been told

    @property
    def started(self) -> bool:
        """Whether anything has started it yet."""
        return self._future is not None

    @property
    def running(self) -> bool:
        """Whether the thread is at work."""
        return self._future is not None and not self._future.done()

    def start(self) -> None:
        """Train, from the start or from where the run in the folder stopped."""
        if self._ending and self._future is not None:
            wait([self._future])
        if not self.running:
            self._begin()

    def _begin(self) -> "Future[Run]":
        self._pausing.clear()
        self._ending = False
        self._future = future = Future[Run]()
        future.set_running_or_notify_cancel()  # so that who stops waiting does not stop the run
        release_workers()  # of this thread, which waits from here on
        Thread(target=self._work, args=(future,), name="training", daemon=True).start()
        return future

    def pause(self) -> None:
        """Ask the training to save its state after the step in hand, and to stop."""
        self._pausing.set()

    def _work(self, future: "Future[Run]") -> None:
        outcome: Run | BaseException
        try:
            outcome = run_sequence(
                *self._call, **self._settings, resume=True, pause=self._pausing.is_set
            )
        except BaseException as error:  # of whatever kind, it goes to those who wait
            outcome = error
        self._ending = True
        try:
            if self._ended is not None:
                self._ended(outcome)
        finally:
            if isinstance(outcome, Run):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

    def wait(self) -> Run:
        """Block until the training is finished or paused; start it if nothing has.

        Interrupted by Ctrl-C or a notebook's stop button, it pauses the training, waits until its
        state is saved.

        Returns:
            The run, finished or paused.

        Raises:
            KeyboardInterrupt: the wait was interrupted.
            LabError: the training stopped with it.
        """
        future = self._future or self._begin()
        try:
            while wait([future], timeout=_TURN).not_done:  # one without end is not interruptible
                pass  # on every system
        except KeyboardInterrupt:
            self.pause()
            wait([future])
            raise
        return future.result()

    def __await__(self) -> Generator[Any, None, Run]:
        """Wait as `wait` does, and let the event loop run meanwhile."""
        return self._awaited().__await__()

    async def _awaited(self) -> Run:
        future = asyncio.wrap_future(self._future or self._begin())
        try:
            # An interrupt may reach another thread; only a loop that turns takes notice of it.
            while (await asyncio.wait([future], timeout=_TURN))[1]:
                pass
        except asyncio.CancelledError:
            self.pause()
            await asyncio.wait([future])
            future.exception()  # the interrupt is what is told
            raise
        return future.result()
