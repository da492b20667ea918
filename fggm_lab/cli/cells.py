"""The cells of a sweep: what each is asked to be, and what came of it."""

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fggm_lab.cli.console import console, tell
from fggm_lab.cli.methods import method_settings
from fggm_lab.cli.options import read_setting, settings_from, shown_settings
from fggm_lab.cli.prepare import prepare
from fggm_lab.cli.presets import preset_defaults
from fggm_lab.cli.words import words
from fggm_lab.errors import LabError, RunInUse
from fggm_lab.plugins import split_setting
from fggm_lab.runs.sweep import DEFAULT_ORDER, Cell, asked_before, is_finished, is_in_use, remember
from fggm_lab.settings import TrainingSettings

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

    from fggm_lab.runs.events import Event

BESIDE = ("dtype",)
"""Options that can be varied beside the training settings."""
NOT_OF_THE_RUN = ("checkpoint_every", "log_with")
"""Options that change how a run is trained, and nothing that it comes to."""


def option_value(name: str, text: str) -> Any:
    """A varied option's value as `prepare` takes it."""
    if name in BESIDE:
        return text
    field_name, _, _ = shown_settings()[name]
    return read_setting(TrainingSettings, field_name, text, f"--vary {name}={text}")


@dataclass(frozen=True)
class CellJob:
    """A cell of a sweep, as any process trains it; it can be pickled.

    Attributes:
        sweep: the sweep's folder.
        name: the cell's run folder, relative to the sweep's.
        options: what `prepare` is called with, as JSON has it.
    """

    sweep: Path
    name: str
    options: Mapping[str, Any]

    def __call__(self, listener: "Callable[[Event], None] | None" = None) -> None:
        """Train it, or go on with it, and record that it is what it was asked to be.

        Args:
            listener: called with every event.

        Raises:
            RunInUse: another process is training it.
            LabError: it cannot be trained so.
        """
        out = (self.sweep / self.name).parent
        for job in prepare(out=out, resume=True, quiet=True, **self.options).values():
            job(listener)
        remember(self.sweep, {self.name: self.options})

    def checkpoint(self) -> "DelayedSubmission":
        """What submitit queues again when the job is preempted: the same, which resumes the run."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


class Cells:
    """The cells of one sweep by their names, which are their run folders relative to the sweep's.

    Attributes:
        out: the sweep's folder.
        by_name: name → cell.
        failures: name → why it could not be trained.
        elsewhere: names of those that another process is training.
    """

    def __init__(self, out: Path, options: Mapping[str, Any], cells: Sequence[Cell]) -> None:
        """Nothing is looked at yet.

        Args:
            out: the sweep's folder.
            options: what `prepare` is called with for all of them.
            cells: as `plan` gives them.
        """
        self.out, self.options = out, options
        self.by_name = {self._folder_name(cell): cell for cell in cells}
        self.failures: dict[str, str] = {}
        self.elsewhere: set[str] = set()

    def _folder_name(self, cell: Cell) -> str:
        from fggm_lab.methods import make_method

        pairs = _pairs(cell, self.options.get("set_") or [])
        settings = method_settings([cell.method], self.options.get("keep"), pairs)
        return str(cell.folder / make_method(cell.method, **settings[cell.method]).name)

    def options_of(self, name: str) -> dict[str, Any]:
        """What `prepare` is to be called with for a cell, as JSON has it."""
        cell = self.by_name[name]
        options = dict(self.options)
        options |= {key: option_value(key, value) for key, value in cell.options.items()}
        options["set_"] = _pairs(cell, options.get("set_") or [])
        options |= {"methods": cell.method, "seed": cell.seed, "order": cell.order}
        return {key: str(v) if isinstance(v, Path) else v for key, v in options.items()}

    def job(self, name: str) -> CellJob:
        """A cell for another process."""
        return CellJob(self.out, name, self.options_of(name))

    def command(self, name: str) -> list[str]:
        """The words of the command that trains a cell alone."""
        cell = self.by_name[name]
        options = {"out": self.out / cell.folder, "resume": True, **self.options_of(name)}
        options["order"] = cell.order or DEFAULT_ORDER
        defaults = {"order": DEFAULT_ORDER, **preset_defaults(options["preset"])}
        return ["fggm-lab", "run", *words(prepare, options, defaults)]

    def unfinished(self, names: Sequence[str]) -> list[str]:
        """Those whose runs are not finished, or were asked to be something else."""
        before = asked_before(self.out)
        return [name for name in names if not self._is_done(name, before)]

    def _is_done(self, name: str, before: Mapping[str, Any]) -> bool:
        options_now = json.loads(json.dumps(self.options_of(name)))
        return _same(options_now, before.get(name)) and is_finished(self.out / name)

    def is_in_use(self, name: str) -> bool:
        """Whether another process is training a cell."""
        return is_in_use(self.out / name)

    def ended(self, name: str, problem: Exception | str | None = None) -> None:
        """Take down what training a cell came to, and tell of a failure at once.

        Args:
            name: the cell's.
            problem: what was raised, or why it failed; None where it was trained to its end.
        """
        if isinstance(problem, RunInUse):
            self.elsewhere.add(name)
            return
        self.elsewhere.discard(name)
        if problem is None:
            return
        if isinstance(problem, Exception) and not isinstance(problem, LabError):
            tell("".join(traceback.format_exception(problem)), err=True)
            problem = f"{type(problem).__name__}: {problem}"
        self.failures[name] = str(problem)
        console.print_marked("failed", "red", f"{name}: {problem}")

    def print_failures(self) -> None:
        """Print every failure once, with the cells that failed with it."""
        for sentence in dict.fromkeys(self.failures.values()):
            names = [name for name, reason in self.failures.items() if reason == sentence]
            tell(f"failed: {first_names(names)}: {sentence}", err=True)

    def print_elsewhere(self) -> None:
        """Print which cells another process is training, if any."""
        if self.elsewhere:
            names = [name for name in self.by_name if name in self.elsewhere]
            tell(
                f"elsewhere: another process is training {first_names(names)}; the same command "
                "says what they came to",
                err=True,
            )


def first_names(names: Sequence[str]) -> str:
    """The first names of many."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")


def _pairs(cell: Cell, pairs: Sequence[str]) -> list[str]:
    """The `--set` of one cell: those of its method, then those that are varied."""
    of_method = [
        pair
        for pair in pairs
        if (split := split_setting(pair.partition("=")[0])) and split[0] == cell.method
    ]
    return [*of_method, *(f"{cell.method}.{key}={value}" for key, value in cell.settings.items())]


def _same(options_now: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Whether two records of a cell's options are of the same run.

    Versions differ in how a record spells a training setting, and in which settings there are.

    Args:
        options_now: the options now.
        before: the options when the cell was trained; None if it was not.

    Returns:
        Whether training again would repeat the run.
    """
    if before is None:
        return False
    settings = shown_settings()
    names = {*settings, *(option.formerly for _, _, option in settings.values()), *NOT_OF_THE_RUN}
    now, then = (
        {n: v for n, v in options.items() if n not in names} for options in (options_now, before)
    )
    return now == then and settings_from(options_now) == settings_from(before)
