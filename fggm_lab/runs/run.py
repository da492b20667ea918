"""`Run`: one task sequence learned by one method, as a folder that can be read while it grows."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Literal, overload

from typing_extensions import Self

from fggm_lab.errors import OtherSettings, RunError, RunExists, RunInUse, SettingError
from fggm_lab.files import ParsedFile, locked, mend, read_record, write_record
from fggm_lab.html_table import html_table
from fggm_lab.runs.config import DIGESTS_SINCE, SCHEMA, RunConfig
from fggm_lab.runs.events import (
    EndEvent,
    EvaluationEvent,
    Event,
    ResumeEvent,
    StartEvent,
    StepEvent,
    TaskEvent,
    append_event,
    event_offset,
    read_events,
    truncate_events,
)
from fggm_lab.runs.folders import CONFIG, LOCK, LOG, may_have_writer, no_run_sentence
from fggm_lab.runs.numbers import OF_SCORES
from fggm_lab.runs.records import TaskRecords, is_there
from fggm_lab.runs.scores import ScoreMatrix


class Run(TaskRecords):
    """The record of one task sequence on disk.

    Reading needs no lock, and may happen while another process writes; writing happens inside
    `lock()`. A task is named by its position in the sequence, from 0, or by its name.

    Attributes:
        path: the run folder.
        config: the run's configuration.
    """

    def __init__(self, path: Path, config: RunConfig) -> None:
        """Use `create` or `open`, which look at the disk."""
        super().__init__(path, config)
        self._log = ParsedFile(
            path / LOG,
            partial(
                read_events,
                tasks=config.task_names,
                digest_required=config.schema_version >= DIGESTS_SINCE,
            ),
        )
        self._scores = ParsedFile(path / "scores.json", ScoreMatrix.load)

    @classmethod
    def create(cls, path: Path | str, config: RunConfig) -> Self:
        """Begin a run in a new or empty folder.

        Args:
            path: the folder; it is made if missing.
            config: what is going to be trained.

        Returns:
            The run, with nothing but its configuration.

        Raises:
            RunExists: the folder holds a run.
            RunInUse: another process is at it.
            RunError: the folder holds anything else.
            LabError: the disk refused.
        """
        run = cls(Path(path), config)
        run._refuse_used()
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise RunError(
                f"cannot make the folder {path}: {problem.strerror}; choose another"
            ) from None
        with run.lock():
            run._refuse_used()
            run.save_config()
        return run

    def save_config(self) -> None:
        """Put config.json in place, whole or not at all."""
        write_record(self.path / CONFIG, self.config.model_dump(mode="json"))

    def _refuse_used(self) -> None:
        """Raise RunExists if the folder holds a run, RunError if anything else but a lock."""
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise RunError(f"{self.path} is a file; choose another folder for the run")
        if (self.path / CONFIG).exists():
            raise RunExists(
                f"{self.path} already holds a run; continue it with resume=True (--resume), or "
                "choose another folder"
            )
        visible = sorted(p.name for p in self.path.iterdir() if not p.name.startswith("."))
        if foreign := [name for name in visible if name != LOCK]:
            raise RunError(
                f"{self.path} holds something that is no run ({foreign[0]}); choose an empty folder"
            )

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open a run, finished or not, for reading or for going on.

        Args:
            path: the run's folder.

        Returns:
            The run, with the configuration it was made with.

        Raises:
            RunError: there is no run, its config.json is damaged, or a newer version of the lab
                wrote it; the message names the field.
        """
        path = Path(path)
        if not is_there(path) or not path.is_dir():
            raise RunError(f"there is no run folder {path}; check the path")
        if not (is_there(path / CONFIG) and (path / CONFIG).is_file()):
            raise RunError(no_run_sentence(path))
        content = read_record(path / CONFIG, RunError, check=partial(_check_schema, path / CONFIG))
        schema = content.get("schema_version", 1)
        try:
            config = RunConfig.model_validate({"versions": {}, **content, "schema_version": schema})
        except SettingError as problem:
            raise RunError(
                f"{path / CONFIG} is not a run's configuration: {problem}; restore it or repeat "
                "the run"
            ) from None
        return cls(path, config)

    @classmethod
    def resume(cls, path: Path | str, config: RunConfig) -> Self:
        """Open a run to go on with it under `config`, which must be the one it was made with.

        Args:
            path: the run's folder.
            config: what is going to be trained; without a branch, that of the run is meant.

        Returns:
            The run. Model, tasks and General are found under the names they have now.

        Raises:
            RunError: there is no run.
            OtherSettings: its settings differ; the message lists the differences.
        """
        run = cls.open(path)
        if config.branch is None:
            config = config.model_copy(update={"branch": run.config.branch})
        different = config.difference(run.config)
        if different:
            raise OtherSettings(
                f"{path} was made with other settings ({'; '.join(different)}); repeat them to "
                "resume, or choose another folder"
            )
        renamed = config.renamed(run.config)
        for name, (before, now) in renamed.items():
            warnings.warn(
                f"{path} was begun with {name} {before}; {now} holds the same", stacklevel=2
            )
        names = {name: getattr(config, name) for name in renamed}
        return cls(run.path, run.config.model_copy(update=names)) if renamed else run

    @classmethod
    def create_or_resume(cls, path: Path | str, config: RunConfig) -> Self:
        """Begin a run, or go on with the one that is there, whichever process began it.

        Args:
            path: the run's folder.
            config: what is going to be trained.

        Returns:
            The run.

        Raises:
            RunError: as `create` and `resume` have it.
            OtherSettings: there is a run, and its settings differ.
        """
        if not (Path(path) / CONFIG).exists():
            with suppress(RunExists):  # another process may be faster
                return cls.create(path, config)
        return cls.resume(path, config)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name

    @contextmanager
    def lock(self) -> Iterator[Self]:
        """Be the only process that writes to this run; what a killed one left is cleared away.

        Yields:
            The run, while the lock is held.

        Raises:
            RunInUse: another process is writing.
            RunError: the folder cannot be written to, or its file system has no locks.
        """

        def busy() -> None:
            raise RunInUse(
                f"another process is writing to {self.path}; wait for it to end, or "
                "choose another folder"
            ) from None

        def refusal(problem: Exception) -> RunError:
            return RunError(
                f"{self.path} cannot be locked: {problem}; choose a folder you may write to"
            )

        with locked(self.path / LOCK, busy, refusal):
            if (self.path / CONFIG).is_file():  # any other folder is not ours to clear
                mend(self.path, is_apart=may_have_writer)
            yield self

    # Events

    def append(self, event: Mapping[str, Any]) -> None:
        """Add one event to events.jsonl; see `fggm_lab.runs.events.append_event`."""
        self._log.forget()
        append_event(self._log.path, event)

    @overload
    def events(self, kind: Literal["start"]) -> list[StartEvent]: ...
    @overload
    def events(self, kind: Literal["step"]) -> list[StepEvent]: ...
    @overload
    def events(self, kind: Literal["evaluation"]) -> list[EvaluationEvent]: ...
    @overload
    def events(self, kind: Literal["task"]) -> list[TaskEvent]: ...
    @overload
    def events(self, kind: Literal["resume"]) -> list[ResumeEvent]: ...
    @overload
    def events(self, kind: Literal["end"]) -> list[EndEvent]: ...
    @overload
    def events(self, kind: str | None = None) -> list[Event]: ...

    def events(self, kind: str | None = None) -> Sequence[Any]:
        """The events so far, in order; the file is parsed anew only when it has changed.

        Args:
            kind: only events of this kind; None: all.

        Returns:
            The events as dictionaries (`fggm_lab.runs.events`); readers share them, so do not
            change them. A last line still being written is passed over.

        Raises:
            RunError: a complete line is not an event; the message names the file and the line.
        """
        events = self._log.read() or []
        return [event for event in events if kind is None or event["kind"] == kind]

    def event_offset(self) -> int:
        """Where the log ends now, in bytes; keep it with a checkpoint."""
        return event_offset(self._log.path)

    def truncate_events(self, offset: int) -> None:
        """Forget the events after a checkpoint's `event_offset`."""
        self._log.forget()
        truncate_events(self._log.path, offset)

    @property
    def finished(self) -> bool:
        """Whether every task was trained and evaluated."""
        return bool(self.events("end"))

    @property
    def seconds(self) -> float | None:
        """Wall time of the whole run, or while it is unfinished of its finished tasks."""
        ends = self.events("end")
        if ends:
            return float(ends[-1]["seconds"])
        spent = [sum(event["seconds"].values()) for event in self.events("task")]
        return float(sum(spent)) if spent else None

    @property
    def learning_seconds(self) -> float | None:
        """What learning the finished tasks took: scoring, training, remembering; no evaluation."""
        spent = [event["seconds"] for event in self.events("task")]
        learning = ("score", "train", "remember")
        return float(sum(s.get(key, 0.0) for s in spent for key in learning)) if spent else None

    def tokens(self, way: Literal["forward", "backward"]) -> int | None:
        """The tokens that learning the finished tasks sent through the model, padding left out.

        Args:
            way: forward through the model, or back through it.

        Returns:
            Those of choosing units, sampling, training and remembering together; None of a run
            that did not count them, as those of older versions.
        """
        spent = [event.get("tokens") for event in self.events("task")]
        counts = [purpose[way] for task in spent if task for purpose in task.values()]
        return sum(counts) if spent and all(spent) else None

    @property
    def stored_mb(self) -> float | None:
        """The most that the method carried from a finished task to the next, in 10⁶ bytes."""
        carried = [
            event["stored_bytes"] for event in self.events("task") if "stored_bytes" in event
        ]
        return max(carried) / 1e6 if carried else None

    @property
    def peak_memory_mb(self) -> float | None:
        """The most memory any finished task took, in megabytes."""
        peaks = [event.get("peak_memory_mb") for event in self.events("task")]
        return max((float(peak) for peak in peaks if peak is not None), default=None)

    # Scores

    @property
    def scores(self) -> ScoreMatrix | None:
        """The score matrix, None before the first is written.

        Raises:
            RunError: scores.json is damaged, or is about other tasks than config.json.
        """
        scores = self._scores.read()
        if scores is None:
            return None
        if scores.tasks != self.config.task_names:
            raise RunError(
                f"{self._scores.path} has other tasks than the run's {CONFIG}; restore it or "
                "repeat the run"
            )
        return deepcopy(scores)

    def save_scores(self, scores: ScoreMatrix) -> None:
        """Put scores.json in place, whole or not at all."""
        self._scores.forget()
        scores.save(self._scores.path)

    def metrics(self) -> dict[str, float | None]:
        """Every number of the score matrix by its key in `NUMBERS`; None where not measured."""
        scores = self.scores
        return dict.fromkeys(OF_SCORES) if scores is None else scores.metrics()

    @property
    def resume_file(self) -> Path:
        """Where training keeps what it needs to go on."""
        return self.path / "checkpoints" / "resume.safetensors"

    def __repr__(self) -> str:
        state = "finished" if self.finished else "unfinished"
        tasks = len(self.config.task_names)
        return (
            f"Run({self.path}: {self.config.method}, {tasks} tasks, "
            f"seed {self.config.training.seed}, {state})"
        )

    def _repr_html_(self) -> str:
        """Every task's score when it was learned and now, as a small table for a notebook."""
        matrix = self.scores or ScoreMatrix.empty(self.config.task_names)
        last = max(
            (i for i, row in enumerate(matrix.matrix) if any(c is not None for c in row)),
            default=None,
        )
        rows: list[list[object]] = [
            [
                name,
                matrix.untrained[index],
                matrix.matrix[index][index],
                None if last is None else matrix.matrix[last][index],
            ]
            for index, name in enumerate(matrix.tasks)
        ]
        general = matrix.general
        if general["before"] is not None:
            rows.append(["General", general["before"], None, general["after"]])
        return html_table(repr(self), ["task", "untrained", "when learned", "last"], rows)


def _check_schema(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse the configuration of a run that a newer version of the lab wrote."""
    schema = content.get("schema_version", 1)
    if isinstance(schema, int) and schema > SCHEMA:
        raise RunError(
            f"{path} has schema {schema}, and this version of fggm-lab reads up to {SCHEMA}; "
            "upgrade fggm-lab to read this run"
        )
