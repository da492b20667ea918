"""The append-only log of a run: one JSON object per line, readable while it grows."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fggm_lab.errors import RunError
from fggm_lab.files import append_line, whole_lines

Event = dict[str, Any]


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

    Raises:
        RunError: the event has no kind.
        LabError: the disk refused; the events before are as they were.
    """
    if not isinstance(event.get("kind"), str):
        raise RunError(f'an event for {path} has no "kind"; name it step, evaluation, task or so')
    append_line(path, json.dumps(_plain(event), ensure_ascii=False, allow_nan=False))


def read_events(path: Path, kind: str | None = None) -> list[Event]:
    """The events of one kind, or all, in order; a last line still being written is passed over.

    Raises:
        RunError: a complete line is not an event; the message names the file and the line.
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
        try:
            event = json.loads(line)
            found = event["kind"]
        except (ValueError, TypeError, KeyError):
            raise RunError(
                f"{path}, line {number}, is not an event; delete that line, or resume the run "
                "from its last checkpoint"
            ) from None
        if kind is None or found == kind:
            events.append(event)
    return events


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
