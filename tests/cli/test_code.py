"""`fggm-lab code`: pass@k of a file of code problems, run only where that is allowed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.evaluation import read_completions
from fggm_lab.runs import find_runs
from tests.support.command_line import CommandResult


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Three problems; whatever is written behind the sign, the first passes, the others do not."""
    rows = [
        {"task_id": f"p/{n}", "prompt": f"def f():\n    return {n} #", "canonical_solution": "\n",
         "test": "def check(candidate):\n    assert candidate() == 0\n", "entry_point": "f"}
        for n in range(3)
    ]  # fmt: skip
    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_it_draws_runs_estimates_and_keeps_what_was_written(
    call: Callable[..., CommandResult], model: Path, problems: Path, tmp_path: Path
) -> None:
    words: tuple[object, ...] = ("code", "--model", model, "--on", problems, "--samples", 3)
    words += ("--limit", 2, "--max-new-tokens", 8, "--seed", 4, "--allow-code-execution")
    result = call(*words, "--json", "--out", tmp_path / "kept" / "completions.parquet")
    assert result.status == 0
    assert json.loads(result.out) == {
        "pass@k": {"1": 0.5, "2": 0.5, "3": 0.5},
        "problems": 2,
        "reasons": {"passed": 3, "wrong answer": 3},
    }
    assert "time, memory, open files and file size are limited" in result.err
    completions = read_completions(tmp_path / "kept" / "completions.parquet")
    assert [(c.problem, c.passed) for c in completions] == [("p/0", True)] * 3 + [
        ("p/1", False)
    ] * 3
    result = call(*words)
    assert result.status == 0 and "pass@3" in result.out and "wrong answer" in result.out


def test_without_permission_nothing_is_written_or_run(
    call: Callable[..., CommandResult], model: Path, problems: Path, tmp_path: Path
) -> None:
    out = tmp_path / "completions.parquet"
    result = call("code", "--model", model, "--on", problems, "--out", out)
    assert "--allow-code-execution" in result.refusal
    assert not out.exists()


@pytest.mark.parametrize("command", ["run", "sweep"])
@pytest.mark.parametrize("allow", [False, True])
def test_training_says_how_generals_code_is_scored_and_records_it(
    command: str, allow: bool, call: Callable[..., CommandResult], model: Path, tasks: Path,
    problems: Path, tmp_path: Path,
) -> None:  # fmt: skip
    words = ["--model", model, "--tasks", tasks, "--general", problems, "--methods", "sft"]
    words += ["--allow-code-execution"] if allow else []
    words += ["--seeds", 1] if command == "sweep" else []
    quick = ("--epochs", 1, "--limit", 4, "--batch-size", 4, "--points", 0)
    result = call(command, *words, *quick, "--out", tmp_path / "out")
    assert result.status == 0
    how = "by running programs" if allow else "by exact match of the text"
    assert f"problems (General): scored {how}" in " ".join(result.out.split())
    (run,) = find_runs(tmp_path / "out")
    assert run.config.code_execution is allow
    assert run.scores is not None and run.scores.general is not None
    assert run.scores.general["before"] == pytest.approx(1 / 3 if allow else 0.0)
