"""The command line does the main job, and a user's mistake is one sentence and status 2."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.models import load_model
from fggm_lab.runs import Run
from fggm_lab.tasks import load_tasks
from tests.support.command_line import QUICK, CommandResult, write_task
from tests.support.records import TASKS, made_run


def test_the_main_job(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    text = tmp_path / "story.txt"
    text.write_text("the dog and the cat and the fox. " * 20)
    out = tmp_path / "out"
    run = ("run", "--model", model, "--tasks", tasks, "--methods", "sft,migu,fggm,random")
    recorded = ("--fisher-points", 1, "--fisher-examples", 3)
    settings = ("--general", text, "--seed", 3, "--out", out, *QUICK, *recorded)
    result = call(*run, *settings)
    assert result.status == 0 and "learning" in result.out
    for method in ("sft", "migu", "fggm", "random"):
        scores = json.loads((out / method / "scores.json").read_text())
        assert scores["tasks"] == ["FOMC", "mine"]
        assert scores["general"]["before"] > 0 and scores["general"]["better"] == "lower"
        along = Run.open(out / method).fisher_along("mine")
        assert list(along) == [0, 2] and along[2].info.examples == 3

    again = call(*run, *settings)
    assert again.status == 2
    assert "already holds a run; continue it with resume=True (--resume)" in again.err
    assert call(*run, *settings, "--resume").status == 0

    table = tmp_path / "rows.csv"
    result = call("compare", out, "--json", "--csv", table)
    assert result.status == 0
    rows = json.loads(result.out)
    assert sorted(row["method"] for row in rows) == ["fggm", "migu", "random", "sft"]
    assert len(list(csv.DictReader(table.open()))) == 4

    report = tmp_path / "report.html"
    result = call("report", out, "--out", report)
    assert result.status == 0 and str(report) in result.out.replace("\n", "")
    assert report.stat().st_size > 1e6
    result = call("info", out / "fggm")
    assert result.status == 0 and "2 of 2 tasks done" in result.out

    branch = ("run", "--model", model, "--tasks", tasks, "--methods", "fggm", "--from", out / "sft")
    after = ("--task", "FOMC", *settings[:4], "--out", tmp_path / "b", *QUICK)
    refusal = call(*branch, *after, "--attention", "flash").refusal
    assert "attn_implementation is 'flash'; choose one of: eager" in refusal
    assert call(*branch, *after, "--attention", "eager").status == 0
    assert Run.open(tmp_path / "b" / "fggm").config.attention == "eager"
    first = Run.open(out / "sft").scores
    second = Run.open(tmp_path / "b" / "fggm").scores
    assert first is not None and second is not None
    assert first.matrix[0] == second.matrix[0]


def test_fisher_audit_and_info(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    fisher = ("fisher", "--model", model, "--tasks", tasks, "--task", "mine")
    assert call(*fisher, "--out", tmp_path / "scores").status == 0
    assert (tmp_path / "scores" / "mine.safetensors").exists()
    sampled = ("--estimator", "sampled", "--draws", 2, "--seed", 4, "--max-examples", 5)
    result = call(*fisher, *sampled, "--memory-budget", "9MB", "--stability")
    assert result.status == 0
    assert "(5 examples)" in result.out and "for a Jaccard index of 0.9" in result.out
    result = call(*fisher, *sampled, "--json")
    (record,) = json.loads(result.out)
    assert record["info"]["task"] == "mine" and record["info"]["examples"] == 5
    scores = FisherScores.load(tmp_path / "scores" / "mine.safetensors")
    assert [row["name"] for row in record["parameters"]] == list(scores.names)
    result = call("audit", "trace-mini")
    assert result.status == 0 and "clean" in result.out
    result = call("audit", tasks, "--model", model, "--examples", 2, "--max-new-tokens", 2)
    assert result.status == 0 and "untrained, " in result.out
    assert "--chat goes with --model" in call("audit", tasks, "--chat").refusal
    rows = [{"prompt": "a" * 2000, "answer": "b"}, {"prompt": "a", "answer": "b" * 2000}]
    write_task(tmp_path / "long" / "mine", eval=json.dumps(rows))
    result = call("audit", tmp_path / "long", "--model", model, "--max-new-tokens", 2)
    assert "of 1 examples; prompts cut from the left to fit: 1; further ones" in result.out
    assert "whose answers do not fit, left out: 1\n" in result.out
    rows = [{"prompt": "a", "answer": ""}, {"prompt": "a", "answer": "b"}]
    write_task(tasks / "mine", train=rows, test=rows, eval=rows)
    result = call("audit", tasks, "--json")
    assert result.status == 0 and "mine" in json.dumps(json.loads(result.out))
    result = call("info")
    assert result.status == 0
    assert "method fggm" in result.out and "estimator sampled" in result.out


def test_scores_are_made_in_the_dtype_length_and_batches_asked_for(
    call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    more = ("--dtype", "float64", "--max-length", 20, "--batch-size", 3, "--estimator", "batch")
    words = ("--model", model, "--tasks", tasks, "--task", "mine", "--out", tmp_path / "scores")
    assert call("fisher", *words, *more).status == 0
    scores = FisherScores.load(tmp_path / "scores" / "mine.safetensors")
    network, tokenizer = load_model(model, dtype="float64", for_training=True)
    task = load_tasks(tasks)["mine"]
    settings = {"max_length": 20, "batch_size": 3, "estimator": "batch"}
    expected = fisher_scores(network, tokenizer, task, **settings)  # type: ignore[arg-type]
    assert scores.info == expected.info and scores.info.dtype == "float64"
    assert scores.info.truncated > 0 and scores.info.extra["batch_size"] == 3
    assert all(torch.equal(scores.units[name], units) for name, units in expected.units.items())


FISHER_BROKEN = {
    "no such dtype": (("--dtype", "int8"), "dtype 'int8' is no floating type"),
    "no batch": (("--batch-size", 0), "batch_size is 0"),
    "too long": (("--max-length", 10**6), "max_length is 1000000"),
    "no such estimator": (("--estimator", "fast"), "no estimator is named 'fast'"),
    "budget without a number": (("--memory-budget", "lots"), "write a number of bytes"),
    "budget too small": (("--memory-budget", "1kB"), "raise it, or lower max_length"),
    "no draws": (("--draws", 0), "draws is 0"),
    "no such task": (("--task", "none"), "none"),
    "no share": (("--keep", 3), "keep is 3.0; it is the share of units that may move"),
    "no optimiser": (("--estimator", "adam"), "optimizer"),
}


@pytest.mark.parametrize("name", FISHER_BROKEN)
def test_a_mistake_about_scores_is_one_sentence(
    name: str, call: Callable[..., CommandResult], model: Path, tasks: Path
) -> None:
    wrong, sentence = FISHER_BROKEN[name]
    assert sentence in call("fisher", "--model", model, "--tasks", tasks, *wrong).refusal


BROKEN = {
    "no such model": (("--model", "./nowhere"), "there is no model folder nowhere"),
    "no such tasks": (("--tasks", "./nowhere"), "nowhere"),
    "no such method": (("--methods", "fgm"), "no method is named 'fgm'"),
    "keep outside": (("--keep", 1.5, "--methods", "fggm"), "keep is 1.5"),
    "unknown setting": (("--set", "sft.alpha=1"), "sft has no setting 'alpha'"),
    "malformed setting": (("--set", "alpha"), "METHOD.SETTING=VALUE"),
    "no such split": (
        ("--split", "train2"),
        "--split train2: no such choice; write one of: eval, test",
    ),
    "no such general": (("--general", "./nowhere.txt"), "nowhere.txt"),
    "no such run": (("--from", "./nowhere", "--task", "1"), "there is no run folder nowhere"),
    "half a branch": (("--task", "1"), "--from and --task go together"),
    "epochs": (("--epochs", 0), "--epochs 0: input should be greater than 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence(
    name: str, call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    wrong, sentence = BROKEN[name]
    inputs = ("--model", model, "--tasks", tasks, "--methods", "sft", "--out", tmp_path / "out")
    assert sentence in call("run", *inputs, *QUICK, *wrong).refusal
    assert not (tmp_path / "out").exists()


def test_a_run_is_named_where_several_or_its_own_folder_were_given(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    runs = [made_run(tmp_path / "runs", method, TASKS[:2]).path for method in ("fggm", "sft")]
    named = f"is not one run but holds 2; name one of: {runs[0]}, {runs[1]}"
    assert named in call("info", tmp_path / "runs").refusal
    out = ("--out", tmp_path / "out")
    assert named in call("run", "--from", tmp_path / "runs", "--task", 1, *out).refusal
    for command in ("run", "sweep", "demo"):
        for folder in (runs[0], runs[0] / "masks"):
            refusal = call(command, "--out", folder).refusal
            assert f"did you mean --out {tmp_path / 'runs'}?" in refusal


DAMAGED = {
    "no train.json": (None, "train.json"),
    "broken JSON": ("[{", "is not valid JSON (line 1"),
    "not a list": ({"prompt": "a"}, "train.json"),
    "no answer": ([{"prompt": "a"}], "item 0"),
    "empty split": ([], "empty"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_tasks_are_named(
    name: str, call: Callable[..., CommandResult], model: Path, tasks: Path, tmp_path: Path
) -> None:
    content, sentence = DAMAGED[name]
    if content is None:
        (tasks / "mine" / "train.json").unlink()
    else:
        write_task(tasks / "mine", train=content)
    inputs = ("--model", model, "--tasks", tasks, "--methods", "sft", "--out", tmp_path / "out")
    refusal = call("run", *inputs, *QUICK).refusal
    assert "mine" in refusal and sentence in refusal


def test_real_input_through_the_same_command(
    call: Callable[..., CommandResult], shared: Path, tmp_path: Path
) -> None:
    text = tmp_path / "story.txt"
    text.write_text("Once upon a time there was a little dog. The dog liked to play. " * 9)
    inputs = ("--model", shared / "models" / "stories260K", "--tasks", shared / "trace")
    outputs = ("--methods", "sft,fggm", "--general", text, "--out", tmp_path / "out")
    settings = ("--limit", 6, "--epochs", 1, "--max-length", 96, "--points", 0)
    result = call("run", *inputs, *outputs, *settings)
    assert result.status == 0
    assert "training prompts were cut from the left to 96 tokens" in result.out
    missing = "C-STANCE, FOMC, MeetingBank, ScienceQA, 20Minuten"
    assert f"going on without {missing}" in " ".join(result.out.split())
    scores = Run.open(tmp_path / "out" / "fggm").scores
    assert scores is not None
    assert scores.tasks == ["Py150", "NumGLUE-cm", "NumGLUE-ds"]
    before, after = scores.general["before"], scores.general["after"]
    assert before is not None and after is not None and before < 3 and after > before


def test_a_run_says_what_it_left_out(
    call: Callable[..., CommandResult], model: Path, tmp_path: Path
) -> None:
    rows = [{"prompt": "a", "answer": "b"}, {"prompt": "a", "answer": "b" * 70}]
    write_task(tmp_path / "tasks" / "mine", train=[*rows, rows[1]], test=rows)
    skill = tmp_path / "skill.json"
    skill.write_text(json.dumps(rows))
    run = ("run", "--model", model, "--tasks", tmp_path / "tasks", "--methods", "sft")
    words = (*run, "--general", skill, "--out", tmp_path / "out", *QUICK)
    refused = call(*words)
    assert refused.status == 2 and "skip_too_long=True (--skip-too-long)" in refused.err
    result = call(*words, "--skip-too-long")
    assert result.status == 0
    output = " ".join(result.out.split())
    assert "do not fit into 64 tokens: mine 2 train, 1 test; skill 1" in output
    result = call("general", "--model", model, "--on", skill, "--skip-too-long")
    assert result.status == 0 and "1 examples were left out" in result.out
