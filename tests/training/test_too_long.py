"""A run leaves out what does not fit, says how much, and is otherwise the run without it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError
from fggm_lab.evaluation import evaluate
from fggm_lab.files import read_record
from fggm_lab.methods import FGGM, SFT
from fggm_lab.runs import Run
from fggm_lab.tasks import Choice, Example, General, Task, TaskSequence
from tests.support.families import character_tokenizer, some_examples
from tests.support.resuming import StopAt, assert_same_run, weights
from tests.support.small import small_general, small_model, small_run, small_tasks

LONG = Example("the dog", "x" * 70)
"""Its answer does not fit into the model's 64 tokens."""
EDGE = Example("the dog", "x" * 62)
"""Its answer, with the end token, leaves one token for the prompt."""


def _with_long_ones(tasks: TaskSequence) -> TaskSequence:
    """The same, with examples that do not fit among the first task's."""
    first = tasks[0]
    train = (LONG, *first.train[:5], LONG, *first.train[5:])
    mixed = replace(first, train=train, test=(*first.test[:1], LONG, *first.test[1:]))
    return TaskSequence([mixed, *tasks[1:]], tasks.source)


def _unskipped(run: Run) -> list[dict[str, Any]]:
    """The evaluations without the counts of what was left out."""
    events = json.loads(json.dumps(run.events("evaluation")))
    for event in events:
        for scores in event["tasks"].values():
            del scores["skipped"]
    return events


def test_a_run_that_skips_is_the_run_on_the_data_without_them(tmp_path: Path) -> None:
    tasks = small_tasks()
    edge = replace(tasks[0], train=(*tasks[0].train, EDGE), test=(*tasks[0].test, EDGE))
    tasks = TaskSequence([edge, *tasks[1:]], tasks.source)
    clean = small_run(FGGM(), tmp_path / "clean", tasks=tasks)
    run = small_run(FGGM(), tmp_path / "skips", tasks=_with_long_ones(tasks), skip_too_long=True)
    assert run.scores == clean.scores
    assert run.events("step") == clean.events("step")
    assert _unskipped(run) == _unskipped(clean)
    assert run.predictions(2) == clean.predictions(2)
    assert run.config.task_fingerprint == clean.config.task_fingerprint
    for task in range(3):
        assert run.mask(task) == clean.mask(task)
        ours, theirs = weights(run, task), weights(clean, task)
        assert all((ours[name] == theirs[name]).all() for name in theirs)
    (start,) = run.events("start")
    assert start["skipped"] == {"task-0": {"train": 2, "test": 1}}
    assert start["general_skipped"] == {}
    last = run.events("evaluation")[-1]["tasks"]
    assert [scores["skipped"] for scores in last.values()] == [1, 0, 0]


def test_it_resumes_and_so_does_a_run_of_a_version_without_the_setting(tmp_path: Path) -> None:
    for name, settings in {
        "skips": {"tasks": _with_long_ones(small_tasks()), "skip_too_long": True},
        "older": {},
    }.items():
        uninterrupted = small_run(SFT(), tmp_path / name / "clean", **settings)
        with pytest.raises(KeyboardInterrupt):
            small_run(SFT(), tmp_path / name / "parts", listener=StopAt("step", 9), **settings)
        if name == "older":
            file = tmp_path / name / "parts" / "config.json"
            config = read_record(file)
            assert config.pop("skip_too_long") is False
            file.write_text(json.dumps(config))
        resumed = small_run(SFT(), tmp_path / name / "parts", resume=True, **settings)
        assert_same_run(uninterrupted, resumed)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_any_that_fits_is_refused(split: str, tmp_path: Path) -> None:
    splits = {"train": (EDGE,), "test": (EDGE,), split: (LONG, LONG)}
    tasks = TaskSequence([Task("one", splits["train"], (), splits["test"])], "here")
    with pytest.raises(DataError, match=f"no answer of task one, {split} split, fits into 64"):
        small_run(SFT(), tmp_path / "run", tasks=tasks, skip_too_long=True)
    with pytest.raises(DataError, match=r"with skip_too_long=True \(--skip-too-long\), or use a"):
        small_run(SFT(), tmp_path / "run", tasks=tasks)
    assert not (tmp_path / "run").exists()


def _mixed_general() -> General:
    """A skill with an answer, and one with a question, that do not fit; and two cut prompts."""
    short = Choice("the dog and the ", ("fox", "cat"), 0)
    cut = replace(short, prompt="the dog and the " * 9)
    long = Choice("the ", ("fox", "x" * 63), 0)
    skills = {
        "one": (*some_examples(3, seed=1), LONG, Example("a" * 99, "b")),
        "two": tuple(some_examples(2, seed=2)),
    }
    return replace(small_general(), skills=skills, choices={"pick": (short, long, cut)})


def test_general_skips_too_and_counts_its_cut_prompts(tmp_path: Path) -> None:
    general = _mixed_general()
    fitting = replace(
        general,
        skills={**general.skills, "one": tuple(e for e in general.skills["one"] if e != LONG)},
        choices={"pick": (general.choices["pick"][0], general.choices["pick"][2])},
    )
    model, tokenizer = small_model(), character_tokenizer()
    truth = evaluate(model, tokenizer, [], fitting).general
    measured = evaluate(model, tokenizer, [], general, skip_too_long=True)
    assert truth is not None and (truth.truncated, truth.skipped) == (2, 0)
    assert measured.general == replace(truth, skipped=2)
    assert "2 prompts cut, 2 skipped" in repr(measured)
    for broken in (general, replace(fitting, choices=general.choices)):
        with pytest.raises(DataError, match=r"skill (one|pick): .*--skip-too-long"):
            evaluate(model, tokenizer, [], broken)

    tasks = small_tasks(1)
    run = small_run(SFT(), tmp_path / "run", tasks=tasks, general=general, skip_too_long=True)
    clean = small_run(SFT(), tmp_path / "clean", tasks=tasks, general=fitting)
    assert run.events("start")[0]["general_skipped"] == {"one": 1, "pick": 1}
    ours, theirs = (
        run.events("evaluation")[-1]["general"],
        clean.events("evaluation")[-1]["general"],
    )
    assert ours is not None and theirs is not None
    assert ours == {**theirs, "skipped": 2} and theirs["truncated"] == 2
    # Another set of questions is another General, with which this one is not compared.
    assert run.scores is not None and clean.scores is not None
    assert run.scores.general["name"] == "small (without 2 too long)"
    assert clean.scores.general["name"] == "small"
