"""The log can be read while it grows, torn anywhere, and cut back to a checkpoint."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.errors import RunError
from fggm_lab.methods import FGGM
from fggm_lab.runs.events import (
    EVENT_TYPES,
    Event,
    MeasuredGeneral,
    TaskScores,
    append_event,
    event_offset,
    read_events,
    truncate_events,
)
from tests.support.small import small_model, small_run


def step_event(number: int, **fields: Any) -> dict[str, Any]:
    """An event with the fields of a step."""
    return {"kind": "step", "task": 0, "task_step": number, "step": number, "loss": 1.5,
            "lr": 0.1, "norm": None, **fields}  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of three steps."""
    path = tmp_path / "events.jsonl"
    for step in range(3):
        append_event(path, step_event(step, name="Größe"))
    return path


def steps(events: list[Event]) -> list[int]:
    return [event["step"] for event in events if event["kind"] == "step"]


def test_events_come_back_in_order_and_by_kind(log: Path) -> None:
    append_event(log, {"kind": "end", "time": "", "seconds": 1})
    assert steps(read_events(log, "step")) == [0, 1, 2]
    assert [e["kind"] for e in read_events(log)] == ["step"] * 3 + ["end"]
    assert read_events(log, "task") == []
    assert dict(read_events(log)[0])["name"] == "Größe"


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_events(path) == []
    assert event_offset(path) == 0
    truncate_events(path, 0)
    assert not path.exists()


def test_torn_at_any_byte_the_whole_events_before_remain(log: Path) -> None:
    content = log.read_bytes()
    for size in range(len(content) + 1):
        log.write_bytes(content[:size])
        events = read_events(log)
        assert steps(events) == list(range(content[:size].count(b"\n")))
        append_event(log, step_event(99))
        assert read_events(log) == [*events, step_event(99)]


def test_a_broken_line_in_the_middle_is_named(log: Path) -> None:
    lines = log.read_text().splitlines(keepends=True)
    for broken in ("{oops\n", "[1]\n", "3\n", "{}\n", "\n"):
        log.write_text(lines[0] + broken + lines[2])
        with pytest.raises(RunError, match=r"events\.jsonl.*line 2"):
            read_events(log)


def test_truncation_goes_back_to_a_checkpoint_exactly(log: Path) -> None:
    before = log.read_bytes()
    offset = event_offset(log)
    append_event(log, step_event(3))
    with open(log, "ab") as handle:
        handle.write(b'{"kind": "st')
    truncate_events(log, offset)
    assert log.read_bytes() == before
    truncate_events(log, 0)
    assert read_events(log) == []


@pytest.mark.parametrize("shift", [-1, 1, 10_000])
def test_an_offset_that_is_no_checkpoint_is_refused(log: Path, shift: int) -> None:
    before = log.read_bytes()
    with pytest.raises(RunError, match="start the run anew"):
        truncate_events(log, event_offset(log) + shift)
    assert log.read_bytes() == before


def test_numbers_json_has_no_word_for_become_null(log: Path) -> None:
    append_event(log, step_event(3, norm=float("inf"), more=[{"loss": float("nan")}]))
    assert read_events(log)[-1] == step_event(3, norm=None, more=[{"loss": None}])


def test_every_line_ends_with_the_digest_of_what_is_before_it(log: Path) -> None:
    for line in log.read_text(encoding="utf-8").splitlines():
        before, _, end = line.rpartition(', "digest": "')
        assert end == hashlib.sha256(before.encode()).hexdigest()[:16] + '"}'
        assert json.loads(line)["step"] >= 0
    assert all("digest" not in event for event in read_events(log))


def test_a_changed_line_is_named_whatever_was_changed(log: Path) -> None:
    good = log.read_text(encoding="utf-8")
    for old, new in (('"loss": 1.5', '"loss": 2.5'), ("Größe", "Große"), ('"digest"', '"digesu"')):
        log.write_text(good.replace(old, new), encoding="utf-8")
        with pytest.raises(RunError, match=r"events\.jsonl, line 1, is damaged"):
            read_events(log, digest_required=True)


def test_a_copy_with_line_ends_of_windows_is_the_same_log(log: Path) -> None:
    events = read_events(log, digest_required=True)
    log.write_bytes(log.read_bytes().replace(b"\n", b"\r\n"))
    assert read_events(log, digest_required=True) == events


def test_a_log_of_an_older_version_has_no_digests(log: Path) -> None:
    log.write_text("".join(json.dumps(step_event(step)) + "\n" for step in range(3)))
    assert steps(read_events(log)) == [0, 1, 2]
    append_event(log, step_event(3))  # resumed by this one
    assert steps(read_events(log)) == [0, 1, 2, 3]
    with pytest.raises(RunError, match=r"line 1, is damaged.* digest is missing"):
        read_events(log, digest_required=True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss": "1.5"}, "loss: input should be a valid number"),
        ({"task": True}, "task: input should be a valid integer"),
        ({"lr": None}, "lr: input should be a valid number"),
        ({"task": 2}, "task 2 of 2"),
        ({"task": -1}, "task -1 of 2"),
        ({"kind": ["step"]}, "it is no object with a"),
        ({"step": ...}, "step: field required"),
        ({"step": 10**400}, "it holds a whole number of more than 64 bits"),
    ],
)
def test_an_event_that_no_run_writes_is_refused(
    log: Path, change: dict[str, Any], reason: str
) -> None:
    event = {key: value for key, value in step_event(0, **change).items() if value is not ...}
    log.write_text(json.dumps(event) + "\n")
    with pytest.raises(RunError, match=rf"events\.jsonl, line 1, is not an event \({reason}"):
        read_events(log, tasks=["A", "B"])


def test_an_event_without_a_kind_is_refused(log: Path) -> None:
    for event, field in (({"step": 1}, "kind"), ({"kind": "note", "digest": 1}, "digest")):
        with pytest.raises(RunError, match=field):
            append_event(log, event)
    assert len(read_events(log)) == 3


def test_training_writes_every_kind_with_the_fields_of_its_type(tmp_path: Path) -> None:
    # In 16 bits, with steps too small for them, also the share of entries that changed.
    settings = {"model": small_model(dtype=torch.bfloat16), "lr": 1e-6}
    run = small_run(
        FGGM(first_task=True), tmp_path / "run", until_loss=99, distance_samples=1, **settings
    )
    events = run.events()
    assert {event["kind"] for event in events} == set(EVENT_TYPES) - {"resume"}
    for event in events:
        kind = EVENT_TYPES[event["kind"]]
        assert list(event) == list(kind.__annotations__), "all fields, in the order documented"
    evaluation = next(event for event in events if event["kind"] == "evaluation")
    for scores in evaluation["tasks"].values():
        assert list(scores) == list(TaskScores.__annotations__)
    assert list(evaluation["general"] or ()) == list(MeasuredGeneral.__annotations__)


def test_a_kind_of_a_later_version_is_read_as_it_is(log: Path) -> None:
    later = {"kind": "rollback", "to": [1, {"deep": True}]}
    append_event(log, later)
    assert read_events(log)[-1] == later and read_events(log, "rollback") == [later]
