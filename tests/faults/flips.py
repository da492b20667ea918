"""Single flipped bits in every kind of file of a run: is each told when the file is read?"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fggm_lab.errors import LabError
from fggm_lab.files import folder_damage
from fggm_lab.runs import Prediction, Run
from fggm_lab.training.resume_state import load_state


@dataclass
class Counts:
    """What became of the flips in one kind of file.

    Attributes:
        tried: how many bits were flipped, one at a time.
        noticed: how many of them were one sentence of the lab's.
        harmless: how many were not, and left what is read as it was: a Parquet file's footer has
            numbers of which nothing depends.
        unnoticed: where the others were: file and bit.
    """

    tried: int = 0
    noticed: int = 0
    harmless: int = 0
    unnoticed: list[str] = field(default_factory=list)


def _checkpoints(run: Run) -> None:
    for task in (None, *run.config.task_names):
        folder = run.checkpoint(task)
        if folder is not None and (reason := folder_damage(folder)):
            raise LabError(reason)


def _predictions(run: Run) -> list[Prediction]:
    return [row for after in (None, *run.config.task_names) for row in run.predictions(after)]


def _tasks(read: Callable[[Run, str], Any]) -> Callable[[Run], Any]:
    return lambda run: [read(run, task) for task in run.config.task_names]


READERS: dict[str, tuple[str, Callable[[Run], Any]]] = {
    "configuration": ("config.json", lambda run: run.config),
    "events": ("events.jsonl", Run.events),
    "scores": ("scores.json", lambda run: run.scores),
    "Fisher scores": ("fisher/*.safetensors", _tasks(Run.fisher)),
    "masks": ("masks/*.safetensors", _tasks(Run.mask)),
    "drift": ("drift/*.safetensors", _tasks(Run.drift)),
    "memory": ("memory/*.safetensors", _tasks(Run.memory)),
    "predictions": ("predictions/*.parquet", _predictions),
    "resume state": ("checkpoints/resume.safetensors", lambda run: load_state(run.resume_file)),
    "checkpoints": ("checkpoints/*/*", _checkpoints),
}
"""Kind of file → where it is in a run, and what reads it."""


def count_flips(run: Run, kind: str, flips: int, rng: random.Random) -> Counts:
    """Flip bits of the files of one kind, one at a time, and read the run after each.

    Args:
        run: a run that has such files; they are as before in the end.
        kind: a key of `READERS`.
        flips: how many.
        rng: chooses files and bits.

    Returns:
        The counts.
    """
    pattern, read = READERS[kind]
    files = sorted(path for path in run.path.glob(pattern) if path.is_file())
    before = read(run)
    counts = Counts()
    for _ in range(flips):
        path = rng.choice(files)
        with _flipped(path, rng) as where:
            counts.tried += 1
            try:
                content = read(Run.open(run.path))
            except LabError:
                counts.noticed += 1
            else:
                if kind == "predictions" and content == before:
                    counts.harmless += 1
                else:
                    counts.unnoticed.append(where)
    return counts


class _flipped:
    """A file with one bit flipped while inside."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.path, self.content = path, path.read_bytes()
        self.bit = rng.randrange(8 * len(self.content))

    def __enter__(self) -> str:
        changed = bytearray(self.content)
        changed[self.bit // 8] ^= 1 << (self.bit % 8)
        self.path.write_bytes(changed)
        return f"{self.path.name}, byte {self.bit // 8}, bit {self.bit % 8}"

    def __exit__(self, *_: object) -> None:
        self.path.write_bytes(self.content)


def every_kind(run: Run, flips: int, rng: random.Random) -> Iterator[tuple[str, Counts]]:
    """The counts of each kind of file that a run has."""
    for kind, (pattern, _) in READERS.items():
        if any(path.is_file() for path in run.path.glob(pattern)):
            yield kind, count_flips(run, kind, flips, rng)
