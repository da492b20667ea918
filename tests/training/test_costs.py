"""A run records the tokens that learning takes, and tables show them where they are known."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fggm_lab.methods import SFT, Contrast, LwF, Method
from fggm_lab.models.encoding import encode
from fggm_lab.runs import comparison
from fggm_lab.runs.numbers import shown_numbers
from fggm_lab.tables import comparison_table
from tests.support.families import character_tokenizer
from tests.support.records import made_run, with_costs
from tests.support.resuming import StopAt, timeless
from tests.support.small import small_run, small_tasks

TASKS = small_tasks(2)
EPOCHS = 2
QUIET: dict[str, Any] = {
    "tasks": TASKS, "general": None, "points_per_task": 0, "epochs": EPOCHS,
    "score_unlearned": False,
}  # fmt: skip


def training_tokens(task: int) -> int:
    """The tokens of a task's training examples."""
    encoded = encode(character_tokenizer(), TASKS[task].train, 64)
    return sum(len(item.prompt) + len(item.answer) for item in encoded)


@pytest.mark.parametrize(("method", "passes"), [(SFT(), 1), (LwF(), 2)], ids=["sft", "lwf"])
def test_every_epoch_reads_every_token_and_a_teacher_reads_it_again(
    tmp_path: Path, method: Method, passes: int
) -> None:
    run = small_run(method, tmp_path / "run", **QUIET)
    for task, event in enumerate(run.events("task")):
        spent = event["tokens"]
        tokens = EPOCHS * training_tokens(task)
        assert (spent["train"]["forward"], spent["train"]["backward"]) == (passes * tokens, tokens)
        assert spent["train"]["forward_padded"] > passes * tokens
        assert not any(count for name in ("score", "sample") for count in spent[name].values())
    total = EPOCHS * (training_tokens(0) + training_tokens(1))
    assert (run.tokens("forward"), run.tokens("backward")) == (passes * total, total)
    (row,) = comparison([run])
    assert row["token_passes"] == pytest.approx((passes + 2) * total / 1e6)
    assert row["token_passes"] == pytest.approx(row["forward_tokens"] + 2 * row["backward_tokens"])


def test_what_is_drawn_and_scored_is_counted_apart_and_once_in_a_resumed_run(
    tmp_path: Path,
) -> None:
    method = Contrast(samples=3, length=5)
    run = small_run(method, tmp_path / "whole", **QUIET)
    for event in run.events("task"):
        spent = event["tokens"]
        assert 0 < spent["sample"]["forward"] <= 3 * 5 and not spent["sample"]["backward"]
        assert spent["score"]["backward"] >= training_tokens(event["task"])
    with pytest.raises(KeyboardInterrupt):
        small_run(method, tmp_path / "parts", listener=StopAt("step", 9), **QUIET)
    resumed = small_run(method, tmp_path / "parts", resume=True, **QUIET)
    assert timeless(resumed) == timeless(run)


def test_runs_that_counted_nothing_have_no_such_column(tmp_path: Path) -> None:
    old = made_run(tmp_path / "old", "sft")
    assert old.tokens("forward") is None
    rows = comparison([old])
    assert rows[0]["token_passes"] is None and "token_passes" not in shown_numbers(rows)
    counted = with_costs(made_run(tmp_path / "new", "fggm"))
    both = comparison([old, counted])
    out = io.StringIO()
    Console(file=out, width=80).print(comparison_table(both))
    assert [line.split()[-2] for line in out.getvalue().splitlines() if " 519" in line] == [
        "–", "0.056",
    ]  # fmt: skip
