"""The command line does the main job, and a user's mistake is one sentence and status 2."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.cli import main
from fggm_lab.runs import Run
from tests.families import character_tokenizer, some_examples
from tests.training.small import small_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model with its tokenizer, as a Hugging Face folder."""
    folder = tmp_path / "model"
    small_model().save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


def write_task(folder: Path, **splits: Any) -> Path:
    """A task folder; every split is ten examples unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, split in enumerate(("train", "eval", "test")):
        rows = [{"prompt": e.prompt, "answer": e.answer} for e in some_examples(10, seed=at)]
        content = splits.get(split, rows)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Two tasks in TRACE's layout."""
    for name in ("FOMC", "mine"):
        write_task(tmp_path / "tasks" / name)
    return tmp_path / "tasks"


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Run the command line in this process; its exit status."""
    monkeypatch.setattr("sys.argv", ["fggm-lab", *map(str, words)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def said_in_one_sentence(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    """The error is one line, and this is in it."""
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert sentence in error


QUICK = ("--epochs", 1, "--limit", 8, "--batch-size", 4, "--points", 2, "--lr", "1e-2")


def test_the_main_job(
    model: Path,
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = tmp_path / "story.txt"
    text.write_text("the dog and the cat and the fox. " * 20)
    out = tmp_path / "out"
    run = ("run", "--model", model, "--tasks", tasks, "--methods", "sft,migu,fggm,random")
    recorded = ("--fisher-points", 1, "--fisher-examples", 3)
    settings = ("--general", text, "--seed", 3, "--out", out, *QUICK, *recorded)
    assert call(monkeypatch, *run, *settings) == 0
    for method in ("sft", "migu", "fggm", "random"):
        found = json.loads((out / method / "scores.json").read_text())
        assert found["tasks"] == ["FOMC", "mine"]
        assert found["general"]["before"] > 0 and found["general"]["better"] == "lower"
        along = Run.open(out / method).fisher_along("mine")
        assert list(along) == [0, 2] and along[2].made.examples == 3
    assert "learning" in capsys.readouterr().out

    assert call(monkeypatch, *run, *settings) == 2
    assert "already holds a run; continue it with --resume" in capsys.readouterr().err
    assert call(monkeypatch, *run, *settings, "--resume") == 0
    capsys.readouterr()

    table = tmp_path / "rows.csv"
    assert call(monkeypatch, "compare", out, "--json", "--csv", table) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sorted(row["method"] for row in rows) == ["fggm", "migu", "random", "sft"]
    assert len(list(csv.DictReader(table.open()))) == 4

    report = tmp_path / "report.html"
    assert call(monkeypatch, "report", out, "--out", report) == 0
    assert str(report) in capsys.readouterr().out.replace("\n", "")
    assert report.stat().st_size > 1e6
    assert call(monkeypatch, "info", out / "fggm") == 0
    assert "2 of 2 tasks done" in capsys.readouterr().out

    branch = ("run", "--model", model, "--tasks", tasks, "--methods", "fggm", "--from", out / "sft")
    assert call(
        monkeypatch, *branch, "--task", "FOMC", *settings[:4], "--out", tmp_path / "b", *QUICK
    ) == 0  # fmt: skip
    first = Run.open(out / "sft").scores
    second = Run.open(tmp_path / "b" / "fggm").scores
    assert first is not None and second is not None
    assert first.matrix[0] == second.matrix[0]


def test_fisher_audit_and_info(
    model: Path,
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fisher = ("fisher", "--model", model, "--tasks", tasks, "--task", "mine")
    assert call(monkeypatch, *fisher, "--out", tmp_path / "scores") == 0
    assert (tmp_path / "scores" / "mine.safetensors").exists()
    capsys.readouterr()
    sampled = ("--estimator", "sampled", "--draws", 2, "--seed", 4, "--max-examples", 5)
    assert call(monkeypatch, *fisher, *sampled, "--memory-budget", "9MB", "--stability") == 0
    said = capsys.readouterr().out
    assert "(5 examples)" in said and "for a Jaccard index of 0.9" in said
    assert call(monkeypatch, "audit", "trace-mini") == 0
    assert "clean" in capsys.readouterr().out
    rows = [{"prompt": "a", "answer": ""}, {"prompt": "a", "answer": "b"}]
    write_task(tasks / "mine", train=rows, test=rows, eval=rows)
    assert call(monkeypatch, "audit", tasks, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert "mine" in json.dumps(found)
    assert call(monkeypatch, "info") == 0
    said = capsys.readouterr().out
    assert "method fggm" in said and "estimator sampled" in said


FISHER_BROKEN = {
    "no such estimator": (("--estimator", "fast"), "no estimator is named 'fast'"),
    "budget without a number": (("--memory-budget", "lots"), "write a number of bytes"),
    "budget too small": (("--memory-budget", "1kB"), "raise it, or lower max_length"),
    "no draws": (("--draws", 0), "draws is 0"),
    "no such task": (("--task", "none"), "none"),
    "no optimiser": (("--estimator", "adam"), "optimizer"),
}


@pytest.mark.parametrize("name", FISHER_BROKEN)
def test_a_mistake_about_scores_is_one_sentence(
    name: str,
    model: Path,
    tasks: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong, sentence = FISHER_BROKEN[name]
    assert call(monkeypatch, "fisher", "--model", model, "--tasks", tasks, *wrong) == 2
    said_in_one_sentence(capsys, sentence)


BROKEN = {
    "no such model": (("--model", "./nowhere"), "there is no model folder nowhere"),
    "no such tasks": (("--tasks", "./nowhere"), "nowhere"),
    "no such method": (("--methods", "fgm"), "no method is named 'fgm'"),
    "keep outside": (("--keep", 1.5, "--methods", "fggm"), "keep is 1.5"),
    "unknown setting": (("--set", "sft.alpha=1"), "sft has no setting 'alpha'"),
    "malformed setting": (("--set", "alpha"), "METHOD.SETTING=VALUE"),
    "no such split": (("--split", "train2"), "no split is named 'train2'"),
    "no such general": (("--general", "./nowhere.txt"), "nowhere.txt"),
    "no such run": (("--from", "./nowhere", "--task", "1"), "there is no run folder nowhere"),
    "half a branch": (("--task", "1"), "--from and --task go together"),
    "epochs": (("--epochs", 0), "setting epochs: input should be greater than 0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence(
    name: str,
    model: Path,
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong, sentence = BROKEN[name]
    given = ("--model", model, "--tasks", tasks, "--methods", "sft", "--out", tmp_path / "out")
    assert call(monkeypatch, "run", *given, *QUICK, *wrong) == 2
    said_in_one_sentence(capsys, sentence)
    assert not (tmp_path / "out").exists()


DAMAGED = {
    "no train.json": (None, "train.json"),
    "broken JSON": ("[{", "is not valid JSON (line 1"),
    "not a list": ({"prompt": "a"}, "train.json"),
    "no answer": ([{"prompt": "a"}], "item 0"),
    "empty split": ([], "empty"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_tasks_are_named(
    name: str,
    model: Path,
    tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, sentence = DAMAGED[name]
    if content is None:
        (tasks / "mine" / "train.json").unlink()
    else:
        write_task(tasks / "mine", train=content)
    given = ("--model", model, "--tasks", tasks, "--methods", "sft", "--out", tmp_path / "out")
    assert call(monkeypatch, "run", *given, *QUICK) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert "mine" in error and sentence in error


def test_real_input_through_the_same_command(
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = tmp_path / "story.txt"
    text.write_text("Once upon a time there was a little dog. The dog liked to play. " * 9)
    given = ("--model", shared / "models" / "stories260K", "--tasks", shared / "trace")
    settings = ("--limit", 6, "--epochs", 1, "--max-length", 96, "--points", 0)
    assert call(
        monkeypatch, "run", *given, "--methods", "sft,fggm", "--general", text,
        "--out", tmp_path / "out", *settings,
    ) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert "training prompts were cut from the left to 96 tokens" in said
    scores = Run.open(tmp_path / "out" / "fggm").scores
    assert scores is not None
    assert scores.tasks == ["Py150", "NumGLUE-cm", "NumGLUE-ds"]
    before, after = scores.general["before"], scores.general["after"]
    assert before is not None and after is not None and before < 3 and after > before
