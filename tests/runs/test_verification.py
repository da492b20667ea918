"""A run is verified: what was damaged or contradicts another file is named, and nothing else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fggm_lab.cli import app
from fggm_lab.errors import RunError
from fggm_lab.files import read_json, write_json
from fggm_lab.methods import make_method
from fggm_lab.runs import Run, verify
from fggm_lab.runs.events import append_event, read_events
from fggm_lab.runs.sweep import remember
from fggm_lab.runs.verification import verify_all
from tests.support.small import small_run, small_tasks


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with files of every kind."""
    folder = tmp_path_factory.mktemp("verify") / "run"
    return small_run(make_method("replay+fggm"), folder, tasks=small_tasks(2), epochs=1)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """A copy of it to be damaged."""
    return Run.open(shutil.copytree(trained.path, tmp_path / "run"))


def test_an_untouched_run_is_as_written(run: Run) -> None:
    verification = verify(run)
    assert verification.problems == () and verification.digests
    assert verification.checks >= 15


def _other_scores(run: Run) -> None:
    scores = run.scores
    assert scores is not None
    scores.matrix[1][0] = 0.123
    run.save_scores(scores)  # with a digest of its own


def _other_log(run: Run) -> None:
    """Log another score, with digests that hold."""
    events = read_events(run.path / "events.jsonl")
    (run.path / "events.jsonl").unlink()
    for event in events:
        if event["kind"] == "evaluation" and event["final"]:
            for task in event["tasks"].values():
                task["score"] = 0.77
        append_event(run.path / "events.jsonl", event)


def _other_mask(run: Run) -> None:
    mask = run.mask(1)
    assert mask is not None
    (~mask).save(run.file("masks", 1))


def _cut(kind: str) -> Callable[[Run], None]:
    def cut(run: Run) -> None:
        path = sorted((run.path / kind).glob("*.*"))[-1]
        path.write_bytes(path.read_bytes()[:-1])

    return cut


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_other_scores, "does not hold the scores that the log's evaluations give"),
        (_other_log, "score .* on average, and the log says 0.77"),
        (_other_mask, "the mask under which task-1 was trained is another"),
        (lambda run: run.file("masks", 0).unlink(), "under which task-0 was trained is missing"),
        (lambda run: (run.path / "scores.json").unlink(), "scores.json is missing"),
        (lambda run: (run.path / "checkpoints/02-task-1/model.safetensors").unlink(), "is missing"),
        *((_cut(k), "damaged|cannot be") for k in ("fisher", "masks", "drift", "memory")),
        (_cut("predictions"), "is damaged"),
        (_cut("checkpoints"), r"resume\.safetensors is damaged"),
    ],
)
def test_what_is_wrong_is_named(run: Run, damage: Callable[[Run], None], problem: str) -> None:
    damage(run)
    problems = verify(run.path).problems
    assert problems
    assert any(re.search(problem, sentence) for sentence in problems), problems


def test_a_log_that_cannot_be_read_is_an_error(run: Run) -> None:
    log = run.path / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"loss": ', b'"loss":  ', 1))
    with pytest.raises(RunError, match=r"events\.jsonl, line \d+, is damaged"):
        verify(run)


def test_a_stopped_run_and_a_copy_without_its_models_are_no_damage(run: Run) -> None:
    for kind in ("checkpoints", "masks", "fisher"):
        shutil.rmtree(run.path / kind)
    assert verify(run).problems == ()
    lines = (run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    assert verify(run).problems == ()


def test_a_run_stopped_before_its_first_matrix_is_no_damage(run: Run) -> None:
    lines = (run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "events.jsonl").write_bytes(b"".join(lines[:2]))
    for kind in ("masks", "predictions", "fisher"):
        shutil.rmtree(run.path / kind)
    (run.path / "scores.json").unlink()
    assert verify(run).problems == ()


def test_a_run_of_an_older_version_is_said_to_have_no_digests(run: Run) -> None:
    config = read_json(run.path / "config.json")
    del config["digest"]
    write_json(run.path / "config.json", config | {"schema_version": 3})
    verification = verify(run)
    assert verification.problems == () and not verification.digests


def test_a_run_that_cannot_be_opened_hides_no_other_and_a_sweeps_record_is_read(run: Run) -> None:
    folder = run.path.parent
    shutil.copytree(run.path, folder / "sweep" / "other")
    config = run.path / "config.json"
    config.write_text(config.read_text().replace('"seed": ', '"seed": 1'))
    remember(folder / "sweep", {"other": {"method": "fggm"}})
    sweep, broken, other = verify_all(folder)
    assert sweep.run == folder / "sweep" and other.run == folder / "sweep" / "other"
    assert sweep.problems == other.problems == () and len(broken.problems) == 1
    record = folder / "sweep" / "sweep.json"
    record.write_text(record.read_text().replace("fggm", "sft"))
    sweep, *_ = verify_all(folder)
    assert "sweep.json is damaged" in sweep.problems[0]
    (folder / "empty").mkdir()
    with pytest.raises(RunError, match="no run under"):
        verify_all(folder / "empty")


def test_the_command_names_each_run_and_its_problems(run: Run) -> None:
    result = CliRunner().invoke(app, ["verify", str(run.path)])
    assert result.exit_code == 0 and "checks, as written" in result.output
    _other_mask(run)
    result = CliRunner().invoke(app, ["verify", str(run.path.parent)])
    assert result.exit_code == 1 and "1 problem" in result.output
    result = CliRunner().invoke(app, ["verify", str(run.path), "--json"])
    (record,) = json.loads(result.output)
    assert record["run"] == str(run.path) and len(record["problems"]) == 1
