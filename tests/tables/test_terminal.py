"""The table for a terminal fits it, marks what is unfinished, and rounds each number rightly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fggm_lab.runs import Run, comparison, over_seeds, paired
from fggm_lab.tables import comparison_table, paired_table
from tests.support.terminal import printed_text

MakeRun = Callable[..., Run]


def test_an_unfinished_run_is_marked(
    tmp_path: Path, finished_run: MakeRun, config: Callable[..., Any]
) -> None:
    begun = Run.create(tmp_path / "migu", config(method="migu"))
    printed = printed_text(comparison_table(comparison([finished_run(tmp_path / "sft"), begun])))
    assert "migu *" in printed and "* unfinished" in printed and "–" in printed
    unlike = finished_run(tmp_path / "again", 0.5, method="migu", seed=1)
    assert "n=1" in printed_text(comparison_table(over_seeds(comparison([begun, unlike]))))


def test_a_general_that_is_a_loss_is_marked(tmp_path: Path, finished_run: MakeRun) -> None:
    score = comparison([finished_run(tmp_path / "score")])
    loss = comparison([finished_run(tmp_path / "loss", better="lower")])
    assert loss[0]["general_better"] == "lower"
    only = ["general_after"]
    assert "↓ lower is better" in printed_text(comparison_table(loss, only))
    assert "↓" not in printed_text(comparison_table(score, only))
    assert "↓" in printed_text(comparison_table(score, ["forgetting"]))


def test_the_table_fits_a_plain_terminal_and_can_show_everything(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    rows = comparison([finished_run(tmp_path / f"s{i}", 0.4 + i / 10, seed=i) for i in range(2)])
    printed = printed_text(comparison_table(over_seeds(rows)), width=80)
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert "General before training: 0.950" in printed
    for word in ("seconds", "forgetting", "accuracy", "÷\u00a0T−1", "0.500", "0.625", "-0.450"):
        assert word in printed
    assert "(÷" not in printed, "nothing stands beside OP that belongs to BWT"
    for number in ("±0.071", "101", "22"):
        assert number in printed
    printed = printed_text(comparison_table(rows, columns=["bwt_gem", "bwt_trace"]))
    assert "(÷ T−1)" in printed and "(÷ T)" in printed


def test_a_narrow_terminal_has_a_block_for_each_method(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    rows = comparison([finished_run(tmp_path / f"s{i}", 0.4 + i / 10, seed=i) for i in range(2)])
    table = comparison_table(rows)
    for width in (40, 60, 69):
        lines = printed_text(table, width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert [line for line in lines if line.startswith("sft")] == [
            "sft (seed 0)",
            "sft (seed 1)",
        ]
        (forgetting, _) = [line.split() for line in lines if "forgetting" in line]
        assert forgetting == ["forgetting", "↓", f"{rows[0]['forgetting']:.3f}"]
    means = printed_text(comparison_table(over_seeds(rows)), width=60)
    assert "sft (n=2)" in means and "0.625 ±0.035" in means
    wide = printed_text(table, width=70)
    assert wide.split()[:2] != ["sft", "(seed"] and "method seed" in wide


def test_paired_differences_say_what_their_intervals_cover(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    def printed(seeds: int) -> str:
        runs = [
            finished_run(tmp_path / f"{seeds}{m}{s}", 0.3 + s / 10 + i / 20, method=m, seed=s)
            for i, m in enumerate(("sft", "fggm", "migu"))
            for s in range(seeds)
        ]
        table = paired_table(paired(runs, "sft", ["op_final", "forgetting"]), "sft")
        return " ".join(printed_text(table, width=80).split())

    text = printed(3)
    assert "Of 4 intervals of 95 % 0.2 are expected to miss the truth by chance." in text
    assert "They cover seeds and the orders run, not other test items, tasks or models." in text
    assert "Of 3, 5, 10 pairs the bootstrap's hold the true mean in 75, 84, 90 % of cases." in text
    assert "intervals of" not in printed(1), "one pair has no interval"


def test_each_number_has_its_own_decimals(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [finished_run(tmp_path / f"s{i}", 0.4 + i / 10, seed=i) for i in range(2)]
    columns = ("op_final", "seconds", "learning_seconds", "stored_mb", "peak_memory_mb")
    printed = printed_text(comparison_table(comparison(runs), columns)).splitlines()
    last = next(line for line in reversed(printed) if line.strip().startswith("sft"))
    assert last.split() == ["sft", "1", "0.650", "30", "22", "0.500", "101"]
    printed = printed_text(comparison_table(over_seeds(comparison(runs)), columns)).splitlines()
    row = next(i for i, line in enumerate(printed) if line.strip().startswith("sft"))
    assert printed[row].split() == ["sft", "n=2", "0.625", "30", "22", "0.500", "101"]
    assert printed[row + 1].split() == ["±0.035", "±0", "±0", "±0.000", "±0"]
