"""Sweeps: which runs a sweep asks for, where each lives, and which of them are there already.

A sweep is every combination of methods, seeds, task orders and varied settings; each combination is
a cell, and each cell a run folder, `OUT/<order>/seed-<seed>/[<varied>/]<method>`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from fggm_lab.errors import LabError, RunError, RunInUse, SettingError
from fggm_lab.files import locked, read_record, write_record
from fggm_lab.plugins import split_setting
from fggm_lab.runs.run import CONFIG, Run

RECORD = "sweep.json"
"""What every trained cell of a sweep was asked to be, beside its folders."""
LOCK = "sweep.lock"
"""Held while the record is changed, for several processes may train one sweep."""
DEFAULT_ORDER = "default"
"""The folder of the order in which tasks are loaded unless another is named."""
_LONGEST = 150
"""Characters of a folder's name; file systems allow 255 bytes."""


@dataclass(frozen=True)
class Variation:
    """A setting that takes several values in turn.

    Attributes:
        method: whose setting it is; None for one of training, which all methods share.
        key: the setting's name.
        values: as they were written.
    """

    method: str | None
    key: str
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Variation":
        """Read `lr=1e-4,5e-4` or `fggm.keep=0.1,0.3`.

        Args:
            text: SETTING=VALUE,VALUE or METHOD.SETTING=VALUE,VALUE.

        Returns:
            The setting with its values, as they were written.

        Raises:
            SettingError: it is not written so, or a value is empty or named twice.
        """
        left, equals, right = text.partition("=")
        method, key = split_setting(left.strip()) or (None, left.strip())
        values = tuple(value.strip() for value in right.split(","))
        if not (equals and key) or (method is None and "." in key) or not all(values):
            raise SettingError(
                f"--vary {text}: write it as SETTING=VALUE,VALUE or METHOD.SETTING=VALUE,VALUE"
            )
        if len(set(values)) < len(values):
            raise SettingError(f"--vary {text}: a value stands there twice; name each once")
        return cls(method, key.replace("-", "_"), values)


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        method: its name.
        seed: the run's seed.
        order: the task order as it was asked for; None for the default one.
        settings: the method's own settings that are varied, as they were written.
        options: those of training.
        folder: where the method's run folder goes, relative to the sweep's.
    """

    method: str
    seed: int
    order: str | None
    settings: Mapping[str, str]
    options: Mapping[str, str]
    folder: Path


def plan(
    methods: Sequence[str],
    seeds: Sequence[int],
    orders: Sequence[str | None] = (None,),
    varied: Sequence[Variation] = (),
) -> list[Cell]:
    """The cells of a sweep, seed by seed, so that a sweep that was stopped has whole seeds.

    A setting of one method multiplies the runs of that method only.

    Args:
        methods: their names.
        seeds: seeds of the runs.
        orders: names of task orders, or task names; None is the default order.
        varied: settings that take several values in turn.

    Returns:
        One cell per run: seeds are outermost, then orders, methods and values.

    Raises:
        SettingError: something is named twice, nothing is named, or a setting is varied of a method
            that is not among `methods`.
    """
    _each_once("method", methods)
    _each_once("seed", seeds)
    _each_once("order", orders)
    for variation in varied:
        if variation.method is not None and variation.method not in methods:
            raise SettingError(
                f"--vary {variation.method}.{variation.key}: {variation.method} is not among the "
                f"sweep's methods ({', '.join(methods)})"
            )
    names = [(variation.method, variation.key) for variation in varied]
    if len(set(names)) < len(names):
        raise SettingError("--vary names a setting twice; give all its values in one --vary")
    cells = [
        _cell(method, seed, order, tuple(zip(variations, values, strict=True)))
        for seed in seeds
        for order in orders
        for method in methods
        for variations in [
            [variation for variation in varied if variation.method in (None, method)]
        ]
        for values in product(*(variation.values for variation in variations))
    ]
    if len({(cell.folder, cell.method) for cell in cells}) < len(cells):
        raise SettingError(
            "two orders or values of the sweep would share a folder; spell them so that letters "
            "and digits tell them apart"
        )
    return cells


def _each_once(what: str, names: Sequence[object]) -> None:
    if not names:
        raise SettingError(f"the sweep has no {what}; name at least one")
    if len(set(names)) < len(names):
        raise SettingError(
            f"the sweep names a {what} twice ({', '.join(map(str, names))}); name each once"
        )


def _cell(
    method: str, seed: int, order: str | None, chosen: Sequence[tuple[Variation, str]]
) -> Cell:
    varied = ",".join(
        f"{'' if variation.method is None else variation.method + '.'}{variation.key}={value}"
        for variation, value in chosen
    )
    folder = Path(_safe(order or DEFAULT_ORDER)) / f"seed-{seed}"
    return Cell(
        method=method,
        seed=seed,
        order=order,
        settings={
            variation.key: value for variation, value in chosen if variation.method is not None
        },
        options={variation.key: value for variation, value in chosen if variation.method is None},
        folder=folder / _safe(varied) if varied else folder,
    )


def _safe(name: str) -> str:
    """A name that any file system takes."""
    safe = re.sub(r"[^\w.=,+-]+", "_", name)
    if len(safe) > _LONGEST:
        raise SettingError(
            f"'{safe[:40]}…' is too long a name for a folder; vary fewer settings at once, or name "
            "an order whose tasks have shorter names"
        )
    return safe


def asked_before(out: Path) -> dict[str, Any]:
    """Read what `remember` wrote.

    Args:
        out: the sweep's folder.

    Returns:
        A cell's folder → what it was asked to be; empty if nothing was recorded.

    Raises:
        RunError: the record is damaged.
    """
    path = out / RECORD
    if not path.exists():
        return {}
    cells = read_record(path, RunError).get("cells")
    if not isinstance(cells, dict):
        raise RunError(f"{path} is not a sweep's record; remove it, and the sweep goes on without")
    return cells


@contextmanager
def record_lock(out: Path) -> Iterator[None]:
    """Be the only process that changes a sweep's record; waits for the others.

    Args:
        out: the sweep's folder; it is made if missing.

    Yields:
        Once the lock is held.

    Raises:
        RunError: the folder cannot be made, or allows no lock.
    """

    def refusal(problem: Exception) -> RunError:
        return RunError(
            f"{out} cannot be locked ({problem}), and without locks two processes would train the "
            "same run; put --out on a file system that has them"
        )

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise RunError(
            f"cannot make the folder {out}: {problem.strerror}; choose another"
        ) from None
    with locked(out / LOCK, lambda: None, refusal):
        yield


def remember(out: Path, requests: Mapping[str, Any]) -> None:
    """Record what cells were asked to be, beside those recorded before by any process."""
    with record_lock(out):
        write_record(out / RECORD, {"cells": asked_before(out) | dict(requests)})


def is_in_use(folder: Path) -> bool:
    """Whether another process, on this machine or another, is training the run in a folder."""
    if not (folder / CONFIG).is_file():
        return False
    try:
        with Run.open(folder).lock():
            return False
    except RunInUse:
        return True
    except LabError:  # training it will say what is wrong
        return False


def is_finished(folder: Path) -> bool:
    """Whether a run folder holds a finished run; a damaged one counts as unfinished."""
    if not (folder / CONFIG).is_file():
        return False
    try:
        return Run.open(folder).finished
    except LabError:
        return False
