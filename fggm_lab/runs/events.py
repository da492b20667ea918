"""The append-only log of a run, `events.jsonl`: one JSON object per line, readable as it grows.

Each line is an event with a `kind`; the classes below say which fields each kind has. They are
types of dictionaries: an event is read as the plain dictionary that its line holds, and a kind
that this version does not know, written by a later one, is read as it is. `docs/events.md` is
generated from these classes.
"""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from typing_extensions import NotRequired, TypedDict

from fggm_lab.errors import RunError
from fggm_lab.files import (
    append_line,
    check_digest,
    checked,
    file_record,
    parse_json,
    whole_lines,
    with_digest,
)


@file_record
class StartEvent(TypedDict):
    """The first line of a run: what is going to be trained."""

    kind: Literal["start"]
    time: Annotated[str, "when, in UTC (ISO 8601, to the second)"]
    names: NotRequired[Annotated[Sequence[str], "the tasks in the order they are learned"]]
    steps: NotRequired[
        Annotated[Sequence[int], "optimiser steps planned for each task; (T,) in that order"]
    ]
    skipped: NotRequired[
        Annotated[
            Mapping[str, Mapping[str, int]],
            "task name → split → how many examples were left out (`skip_too_long`), since their "
            "answers do not fit; only where there are any",
        ]
    ]
    general_skipped: NotRequired[
        Annotated[
            Mapping[str, int],
            "skill of General → how many examples or questions were left out for that reason",
        ]
    ]


@file_record
class StepEvent(TypedDict):
    """One optimiser step."""

    kind: Literal["step"]
    task: Annotated[int, "the task in training, 0-based"]
    task_step: Annotated[int, "steps taken in this task, this one included"]
    step: Annotated[int, "steps taken since the start of the run, this one included"]
    loss: Annotated[float | None, "mean loss of the batch, nats per answer token"]
    lr: Annotated[float, "learning rate of this step"]
    norm: Annotated[
        float | None, "norm of the gradient that the mask lets through, before clipping"
    ]


@file_record
class TaskScores(TypedDict):
    """How one task's examples were answered, inside an evaluation."""

    score: Annotated[float, "mean of the task's own metric over greedy answers, 0 to 1"]
    exact: NotRequired[Annotated[float, "share of answers right token by token, 0 to 1"]]
    nll: NotRequired[
        Annotated[float | None, "negative log-likelihood of the right answers, nats per token"]
    ]
    examples: NotRequired[Annotated[int, "how many examples were scored"]]
    empty: NotRequired[Annotated[int, "how many answers were empty or white space; each scores 0"]]
    truncated: NotRequired[Annotated[int, "how many prompts were cut from the left to fit"]]
    skipped: NotRequired[
        Annotated[int, "how many further examples were left out, since their answers do not fit"]
    ]


@file_record
class MeasuredGeneral(TypedDict):
    """General ability, inside an evaluation."""

    score: Annotated[
        float | None, "mean score over the skills, 0 to 1; of a text its loss, nats per token"
    ]
    skills: NotRequired[
        Annotated[Mapping[str, float | None], "skill → its score, 0 to 1; of a text its loss"]
    ]
    truncated: NotRequired[Annotated[int, "how many prompts were cut from the left to fit"]]
    skipped: NotRequired[
        Annotated[int, "how many further examples were left out, since they do not fit"]
    ]


@file_record
class EvaluationEvent(TypedDict):
    """The model was scored: before the first task, within a task, or after one."""

    kind: Literal["evaluation"]
    task: Annotated[int, "the task in training, 0-based; -1 before the first"]
    task_step: Annotated[int, "steps taken in this task by then"]
    step: Annotated[int, "steps taken since the start of the run by then"]
    final: Annotated[
        bool, "true: on whole splits, before the first task or after one; false: on a sample"
    ]
    tasks: Annotated[Mapping[str, TaskScores], "task name → how its examples were answered"]
    general: NotRequired[
        Annotated[MeasuredGeneral | None, "General ability; null where it was not measured"]
    ]


@file_record
class MeasuredDistance(TypedDict):
    """How far the model is from the untrained one after a task: KL(untrained ‖ model)."""

    own_samples: Annotated[
        float, "on texts that the untrained model drew itself, nats per token, exact"
    ]
    new_task: Annotated[float, "on the answers to examples of the task, nats per token, exact"]


@file_record
class ReachedLevel(TypedDict):
    """How training a task until its held-out loss is low enough ended."""

    level: Annotated[float, "the held-out loss asked for (`until_loss`), nats per answer token"]
    reached: Annotated[bool, "whether it was reached"]
    steps: Annotated[int, "optimiser steps taken"]
    at_most: Annotated[int, "optimiser steps planned"]
    best: Annotated[float, "the lowest held-out loss seen"]
    best_step: Annotated[int, "after how many steps of the task that was"]


@file_record
class PassedTokens(TypedDict):
    """Tokens that went through a model, a teacher's too."""

    forward: Annotated[int, "forward, without padding"]
    backward: Annotated[int, "backward, without padding"]
    forward_padded: NotRequired[Annotated[int, "forward, with padding"]]
    backward_padded: NotRequired[Annotated[int, "backward, with padding"]]


@file_record
class TaskEvent(TypedDict):
    """A task was learned and evaluated."""

    kind: Literal["task"]
    task: Annotated[int, "the task, 0-based"]
    name: Annotated[str, "the task's name"]
    seconds: Annotated[
        Mapping[str, float],
        "seconds by what they were spent on: score (choosing units), train, remember (what the "
        "method does after the task) and evaluate",
    ]
    tokens: NotRequired[
        Annotated[
            Mapping[str, PassedTokens],
            "what learning took: score (choosing units), sample (texts that the model draws "
            "itself), train or remember → tokens forward through the model and backward, a "
            "teacher's too, without padding and with it (forward_padded, backward_padded); "
            "measuring is left out",
        ]
    ]
    peak_memory_mb: NotRequired[
        Annotated[float | None, "the most memory held while learning the task, MiB"]
    ]
    kept: Annotated[int, "units of the model that could move"]
    units: Annotated[int, "units of the model"]
    stored_bytes: NotRequired[
        Annotated[int, "bytes of tensors that the method carries on to the next task"]
    ]
    truncated: NotRequired[
        Annotated[int, "training examples whose prompts were cut to the longest length"]
    ]
    mask: NotRequired[
        Annotated[str, "digest of the mask it was trained under last; only if it had one"]
    ]
    until: NotRequired[Annotated[ReachedLevel, "how `until_loss` ended the task"]]
    distance: NotRequired[
        Annotated[MeasuredDistance, "from the untrained model; only with `distance_samples`"]
    ]
    changed: NotRequired[
        Annotated[
            float,
            "in weights of 16 bits, the share of the entries that could move whose value has "
            "changed, if it is below half: small steps were rounded away",
        ]
    ]


@file_record
class ResumeEvent(TypedDict):
    """An interrupted run is gone on with; what was logged after its last saved state is gone."""

    kind: Literal["resume"]
    time: Annotated[str, "when, in UTC (ISO 8601, to the second)"]
    task: Annotated[int, "the task that is in training, 0-based; T: all are learned"]
    task_step: Annotated[int, "steps taken in this task by then"]
    step: Annotated[int, "steps taken since the start of the run by then"]
    changed: Annotated[
        Mapping[str, Sequence[str]],
        "package, `processor` or `threads` → what it was when the run began, and what it is now; "
        "empty where the numbers go on bit for bit",
    ]


@file_record
class EndEvent(TypedDict):
    """All tasks were learned: the run is finished."""

    kind: Literal["end"]
    time: Annotated[str, "when, in UTC (ISO 8601, to the second)"]
    seconds: Annotated[float, "seconds of all tasks together, of what `task` events say"]


Event = StartEvent | StepEvent | EvaluationEvent | TaskEvent | ResumeEvent | EndEvent
"""One line of the log."""

Kind = Literal["start", "step", "evaluation", "task", "resume", "end"]
"""The kinds of events that this version writes."""

EVENT_TYPES: dict[Kind, type[Any]] = {
    "start": StartEvent,
    "evaluation": EvaluationEvent,
    "step": StepEvent,
    "task": TaskEvent,
    "resume": ResumeEvent,
    "end": EndEvent,
}
"""The type of each kind of event, in the order in which a run first writes them."""


def _plain(value: Any) -> Any:
    """`value` with NaN and infinity as None, for which JSON has no word."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def append_event(path: Path, event: Mapping[str, Any]) -> None:
    """Append one event, `kind` among its entries; numbers that are not finite become null.

    The line ends with the digest of what comes before it.

    Raises:
        RunError: the event has no kind.
        LabError: the disk refused; the events before are as they were.
    """
    if not isinstance(event.get("kind"), str):
        raise RunError(f'an event for {path} has no "kind"; name it step, evaluation, task or so')
    if "digest" in event:
        raise RunError(f'an event for {path} has a field "digest", which each line gets; rename it')
    line = json.dumps(_plain(event), ensure_ascii=False, allow_nan=False)
    append_line(path, with_digest(line))


def read_events(
    path: Path,
    kind: str | None = None,
    *,
    tasks: Sequence[str] | None = None,
    digest_required: bool = False,
) -> list[Event]:
    """Read the events of a file, in order; a last line still being written is passed over.

    Args:
        path: the file; if it is not there, there are no events.
        kind: only events of this kind; None: all.
        tasks: the names of the run's tasks, which events must not contradict; None: not known.
        digest_required: whether a line without a digest is refused; older versions wrote none.

    Returns:
        The events as dictionaries, without their digests.

    Raises:
        RunError: a complete line is not an event, or was changed since it was written; the message
            names the file and the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    except OSError as problem:
        raise RunError(
            f"{path} cannot be read: {problem.strerror}; check its permissions"
        ) from None
    events = []
    for number, line in enumerate(lines, start=1):
        event = _read_event(line, path, number, tasks, digest_required)
        if kind is None or event["kind"] == kind:
            events.append(event)
    return events


def _read_event(
    line: bytes, path: Path, number: int, tasks: Sequence[str] | None, digest_required: bool
) -> Event:
    """The event that a line spells, checked; raises RunError."""
    where = f"{path}, line {number},"

    def refusal(reason: str) -> RunError:
        return RunError(
            f"{where} is not an event ({reason}); delete that line, or resume the run from its "
            "last checkpoint"
        )

    try:
        text = line.decode().removesuffix("\r")  # of a copy that Git or an editor made on Windows
    except UnicodeDecodeError:
        raise refusal("it is not UTF-8 text") from None
    event = parse_json(text, str(path), RunError, distinct_keys=False, line=number)
    if not isinstance(event, dict) or not isinstance(event.get("kind"), str):
        raise refusal('it is no object with a "kind"')
    check_digest(text, event, where, RunError, digest_required)
    if _MANY_DIGITS.search(text) and _has_huge_number(event):
        raise refusal("it holds a whole number of more than 64 bits")
    kind = EVENT_TYPES.get(event["kind"])
    if kind is not None:
        checked(kind, event, refusal)
        if tasks is not None and (reason := _contradiction(event, tasks)):
            raise refusal(reason)
    return cast(Event, event)


_MANY_DIGITS = re.compile(r"\d{19}")


def _has_huge_number(value: Any) -> bool:
    """Whether a JSON value holds a whole number that no float comes near."""
    if isinstance(value, dict):
        return any(map(_has_huge_number, value.values()))
    if isinstance(value, list):
        return any(map(_has_huge_number, value))
    return isinstance(value, int) and abs(value) >= 2**63


def _contradiction(event: Mapping[str, Any], tasks: Sequence[str]) -> str | None:
    """Why an event cannot be one of a run that learns these tasks; None if it can."""
    first = -1 if event["kind"] == "evaluation" else 0
    last = len(tasks) if event["kind"] == "resume" else len(tasks) - 1
    index = event.get("task", 0)
    if not first <= index <= last:
        return f"task {index} of {len(tasks)}"
    if event["kind"] == "task" and event["name"] != tasks[index]:
        return f"task {index} is {tasks[index]}, not {event['name']}"
    names = event.get("names", tasks)
    if list(names) != list(tasks) or len(event.get("steps", tasks)) != len(tasks):
        return "it names other tasks than the run's"
    return None


def event_offset(path: Path) -> int:
    """Bytes up to the end of the last complete event, once those bytes are safely on disk."""
    if not path.exists():
        return 0
    with open(path, "rb+") as handle:
        os.fsync(handle.fileno())
    return whole_lines(path)


def truncate_events(path: Path, offset: int) -> None:
    """Forget the events after `offset`, a number `event_offset` gave earlier.

    Raises:
        RunError: the file is shorter than that, or the offset is not the end of a line.
    """
    if offset == 0 and not path.exists():
        return
    if not 0 <= offset <= whole_lines(path):
        raise RunError(
            f"{path} is shorter than when its checkpoint was made ({offset} bytes); it was "
            "changed or cut since, so start the run anew in another folder"
        )
    with open(path, "rb+") as handle:
        handle.seek(max(offset - 1, 0))
        if offset and handle.read(1) != b"\n":
            raise RunError(
                f"{path} has no event ending at byte {offset}, where its checkpoint was made; it "
                "was changed since, so start the run anew in another folder"
            )
        handle.truncate(offset)
        os.fsync(handle.fileno())
