"""Progress of a run in a terminal: task, step, loss, time left."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fggm_lab.runs.events import Event


class RunProgress:
    """A listener for `run_sequence` that draws one bar per method.

    Use it as a context manager; off a terminal it prints one line per finished task.
    """

    def __init__(self, console: Console, method: str) -> None:
        self._console = console
        self._method = method
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task(method, total=None, loss="")
        self._names: list[str] = []

    def __enter__(self) -> "RunProgress":
        self._progress.__enter__()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._progress.__exit__(*problem)

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if event["kind"] == "start":
            self._names = list(event["names"])
            self._progress.update(self._bar, total=sum(event["steps"]))
        elif event["kind"] == "step":
            self._progress.update(
                self._bar,
                completed=event["step"],
                loss=f"loss {event['loss']:.3f}",
                description=f"{self._method} · {self._place(event['task'])}",
            )
        elif event["kind"] == "task" and not self._console.is_terminal:
            seconds = sum(event["seconds"].values())
            self._console.print(
                f"{self._method} · {self._place(event['task'])} in {seconds:.0f} s",
                highlight=False,
            )

    def _place(self, task: int) -> str:
        return f"task {task + 1}/{len(self._names)} {self._names[task]}"
