"""`LiveTraining` ÷ the same run trained by `run_sequence` with nothing watching."""

from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from comm.base_comm import BaseComm
from jupyter_client.session import json_packer

import fggm_lab as lab
from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from fggm_lab.course.runs import SETTINGS, TASKS

LIMIT = 1.03
WATCHED = {"picture": "a picture (no page answers)", "figure": "a figure in a page"}


def run(settings: Settings) -> Report:
    """One row per way of watching: a course run, trained in the background while it is drawn."""
    rows = measure(settings)
    columns = [
        Column("shows", "LiveTraining shows"),
        Column("seconds", "s", ".1f"),
        Column("alone", "unwatched, s", ".1f"),
        Column("ratio", "÷", ".3f"),
    ]
    targets = [
        Target("a run watched by LiveTraining ÷ unwatched", max(r["ratio"] for r in rows), LIMIT)
    ]
    notes = [
        "An FGGM run of the course, the same in all: Fisher scores, training and evaluation. "
        "Messages to the page are put into bytes as a kernel does; what the browser itself does "
        "with them is not part of it."
    ]
    return Report("Training watched ÷ unwatched", columns, rows, targets, notes)


def measure(settings: Settings) -> list[Row]:
    """Train side by side: unwatched, watched without a page, watched with one."""
    model, tokenizer = lab.load_model(device=settings.device.type)
    tasks = lab.load_tasks("trace-mini", order=list(TASKS))
    how: dict[str, Any] = {"settings": SETTINGS, "general": lab.load_general("trace-mini")}
    if settings.size != "full":
        how |= {"limit": 8, "epochs": 1} if settings.size == "tiny" else {"limit": 64}
    with TemporaryDirectory() as folder, patch("comm.create_comm", _Kernel):
        names = count()

        def new() -> Path:
            return Path(folder) / str(next(names))

        def watched(page: bool) -> None:
            live = lab.LiveTraining(model, tokenizer, tasks, lab.FGGM(), new(), **how)
            if page:
                live.fill()
            live.wait()

        timings = side_by_side(
            {
                "alone": lambda: lab.run_sequence(
                    model, tokenizer, tasks, lab.FGGM(), new(), **how
                ),
                "picture": lambda: watched(page=False),
                "figure": lambda: watched(page=True),
            },
            settings,
            rehearse=False,
        )
    return [
        {
            "shows": shows,
            "seconds": timings[name].median,
            "alone": timings["alone"].median,
            "ratio": ratio(timings[name], timings["alone"]),
            "raw": raw({key: timings[key] for key in ("alone", name)}),
        }
        for name, shows in WATCHED.items()
    ]


class _Kernel(BaseComm):
    """What a widget sends, put into bytes and dropped."""

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        json_packer(data)
