"""The demo by its parts: learning, scoring units, evaluating, and all of it side by side.

The parts are measured with one method after the other in this process; what is inside a part that
has a row of its own is not counted twice.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import fggm_lab as lab
from benchmarks.harness import Column, Report, Row, Settings, Target
from fggm_lab.cli.course import POINTS
from fggm_lab.cli.environment import usable_cores
from fggm_lab.cli.train import train
from fggm_lab.training import session

SECONDS = 360
"""How long training and scoring may take on two idle cores."""

SMALLER: Mapping[str, dict[str, Any]] = {
    "full": {},
    "quick": {"limit": 64, "epochs": "1"},
    "tiny": {
        "limit": 2,
        "score_limit": 4,
        "epochs": "1",
        "order": "FOMC,Py150",
        "methods": "sft,fggm",
    },
}


class Parts:
    """Seconds by what they were spent on, in CPU time of this process and on the wall."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = (time.process_time(), time.perf_counter())

    def _charge(self) -> None:
        """Give the time since the last change to the part that is open."""
        now = (time.process_time(), time.perf_counter())
        if self._open:
            self.cpu[self._open[-1]] += now[0] - self._since[0]
            self.wall[self._open[-1]] += now[1] - self._since[1]
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as this part, and not as the one around it."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def counted(
        self, function: Callable[..., Any], part_of: Callable[[dict[str, Any]], str]
    ) -> Callable[..., Any]:
        """The same function, its time counted as the part that its keyword arguments name."""

        def wrapped(*values: Any, **named: Any) -> Any:
            with self.part(part_of(named)):
                return function(*values, **named)

        return wrapped


def run(settings: Settings) -> Report:
    """A row per part, one for all of them, and one for the demo as it is run."""
    options = {"points": POINTS, "device": settings.device.type, **SMALLER[settings.size]}
    parts = Parts()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        for name, part_of in {
            "train_task": lambda named: "learning",
            "measured_after": lambda named: (
                "evaluations after tasks" if named["final"] else "evaluations inside tasks"
            ),
        }.items():
            wrapped = parts.counted(getattr(session, name), part_of)
            stack.enter_context(patch.object(session, name, wrapped))
        planned = parts.counted(session.Session._plan, lambda named: "scoring units (Fisher)")
        stack.enter_context(patch.object(session.Session, "_plan", planned))
        with parts.part("loading, checks and files"):
            runs = train(out=Path(folder, "parts"), quiet=True, **options)
        rows: list[Row] = [
            {"part": name, "cpu": parts.cpu[name], "wall": parts.wall[name]} for name in parts.cpu
        ]
        totals = {"cpu": sum(parts.cpu.values()), "wall": sum(parts.wall.values())}
        rows.append({"part": "all parts"} | totals)
        rows.append(_general(runs[-1]))
        jobs = 1 if settings.size == "tiny" else min(usable_cores(), len(runs))
        start = time.perf_counter()
        train(out=Path(folder, "demo"), quiet=True, jobs=jobs, **options)
        duration = time.perf_counter() - start
        rows.append({"part": f"the demo, methods at a time: {jobs}", "wall": duration})
    targets = []
    if settings.size == "full":
        targets.append(Target("the demo's training and scoring, s", duration, SECONDS))
    columns = [
        Column("part", "part"), Column("cpu", "CPU s", ".1f"), Column("wall", "wall s", ".1f"),
    ]  # fmt: skip
    notes = [f"{', '.join(run.config.method for run in runs)}; {POINTS} points in each task."]
    return Report("The demo by its parts", columns, rows, targets, notes)


def _general(finished: lab.Run) -> dict[str, Any]:
    """What General costs each time that it is measured on whole skills."""
    model, tokenizer = lab.load_model(finished.file("checkpoints", finished.config.task_names[-1]))
    general = lab.load_general("trace-mini")
    parts = Parts()
    with parts.part("General"):
        lab.evaluate(model, tokenizer, [], general)
    return {
        "part": "General alone, once, after the last task",
        "cpu": parts.cpu["General"],
        "wall": parts.wall["General"],
    }
