"""`fggm-lab sweep` trains what is missing, survives what fails, and says what it came to."""

import csv
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.runs import Run, find_runs
from tests.support.command_line import Asking, CommandResult
from tests.support.made_runs import config, finished_run

__all__ = ["config", "finished_run"]

command = import_module("fggm_lab.cli.sweep")

ORDERS = ("--order", "default", "--order", "mine,FOMC")


def test_a_sweep_trains_what_is_missing_and_gathers_orders_and_seeds(
    call: Callable[..., CommandResult],
    asking: Asking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, table = tmp_path / "out", tmp_path / "rows.csv"
    words = asking(out, "--methods", "sft,random", *ORDERS)
    result = call(*words, "--seeds", "1", "--dry-run")
    assert result.status == 0 and result.out.count("to train") == 4 and not out.exists()
    result = call(*words, "--order", "mine,nowhere", "--dry-run")
    assert result.status != 0 and "nowhere" in result.err and "to train" not in result.out
    result = call(*words, "--seeds", "1", "--csv", table)
    assert result.status == 0
    assert "order: FOMC, mine" in result.out and "mean over 2 orders and their seeds" in result.out
    names = [str(run.path.relative_to(out)) for run in find_runs(out)]
    assert names == [f"{o}/seed-1/{m}" for o in ("default", "mine,FOMC") for m in ("random", "sft")]
    assert len(list(csv.DictReader(table.open()))) == 4
    assert Run.open(out / "mine,FOMC/seed-1/sft").config.task_names == ["mine", "FOMC"]

    trained: list[tuple[Any, ...]] = []
    real = command.train

    def counting(**options: Any) -> Any:
        trained.append((options["seed"], options["order"], options["methods"]))
        return real(**options)

    monkeypatch.setattr(command, "train", counting)
    result = call(*words, "--seeds", "1-2", "--json")
    assert result.status == 0
    assert sorted(trained, key=str) == [(2, "mine,FOMC", "random"), (2, "mine,FOMC", "sft"),
                                        (2, None, "random"), (2, None, "sft")]  # fmt: skip
    record = json.loads(result.out)  # progress goes to standard error
    assert "4 of 8 runs are finished" in result.err
    assert len(record["runs"]) == 8 and record["failures"] == {}
    assert [row["op_final"]["n"] for row in record["by_order"]] == [2, 2, 2, 2]
    assert [row["op_final"]["n"] for row in record["over_orders"]] == [4, 4]
    general, op, *_ = record["paired"]
    assert (general["n"], op["n"], op["method"]) == (0, 4, "random")
    assert op["boot_low"] <= op["mean"] <= op["boot_high"]
    result = call("compare", out)
    assert result.status == 0 and "mean over 2 orders" in result.out


def test_a_failed_run_is_told_at_the_end_and_the_others_are_trained(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = asking(out, "--methods", "sft,random", "--seeds", "1,2")
    in_the_way = out / "default" / "seed-1" / "sft" / "notes.txt"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("mine")
    result = call(*words)
    assert result.status == 1 and result.err.count("\n") == 1
    assert result.err.startswith("failed: default/seed-1/sft: ")
    assert "holds something that is no run (notes.txt)" in result.err.replace("\n", "")
    assert len(find_runs(out)) == 3 and in_the_way.read_text() == "mine"
    assert "minus sft" in result.out
    in_the_way.unlink()
    result = call(*words)
    assert result.status == 0 and "3 of 4 runs are finished" in result.out
    assert len(find_runs(out)) == 4


def test_a_crash_inside_one_run_does_not_end_the_sweep(
    call: Callable[..., CommandResult],
    asking: Asking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = command.train

    def breaking(**options: Any) -> Any:
        if options["seed"] == 1:
            raise RuntimeError("out of memory")
        return real(**options)

    monkeypatch.setattr(command, "train", breaking)
    words = asking(tmp_path / "out", "--methods", "sft", "--seeds", "1-2")
    result = call(*words, "--json")
    assert result.status == 1
    assert "failed: default/seed-1/sft: RuntimeError: out of memory" in result.err
    record = json.loads(result.out)
    assert record["failures"] == {"default/seed-1/sft": "RuntimeError: out of memory"}
    assert [row["seed"] for row in record["runs"]] == [2]


def test_settings_are_varied_and_other_settings_are_not_taken_for_the_same(
    call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    vary = ("--vary", "random.keep=0.1,1", "--vary", "epochs=2")
    words = asking(out, "--methods", "sft,random", "--seeds", "1", *vary)
    result = call(*words, "--set", "random.parameters=linear", "--json")
    assert result.status == 0
    record = json.loads(result.out)
    names = sorted(row["method"] for row in record["runs"])
    assert names == ["random (keep=0.1)", "random (keep=1)", "sft"]
    assert {row["method"] for row in record["paired"]} == set(names) - {"sft"}
    run = Run.open(out / "default/seed-1/random.keep=0.1,epochs=2/random")
    assert run.config.training.epochs == 2
    assert run.config.method_settings["keep"] == 0.1
    assert run.config.method_settings["parameters"] == "linear"
    result = call(*words, "--baseline", "random", "--dry-run")
    assert result.status == 0
    assert result.out.count("finished") == 1, "without --set random is another"
    result = call(*words, "--set", "random.parameters=all", "--baseline", "random")
    assert result.status == 1
    assert "was made with other settings (method_settings.parameters: linear there" in result.err
    assert "sft:" not in result.err, "what was not changed is not trained again"
    again = call(*words, "--set", "random.parameters=all", "--baseline", "random")
    assert again.status == 1, "what was refused is not taken for finished"


BROKEN = {
    "unknown tracker": (("--log-with", "wanb"), "did you mean 'wandb'?"),
    "no interval": (("--checkpoint-every", "soon"), "or a time such as 90s, 15min"),
    "unknown method": (("--methods", "sft,fgm"), "no method is named 'fgm'"),
    "unknown setting": (("--vary", "sft.keep=0.1,0.2"), "sft has no setting 'keep'"),
    "unknown option": (("--vary", "epoch=1,2"), "did you mean 'epochs'?"),
    "not a number": (("--vary", "lr=fast"), "--vary lr=fast: input should be a valid number"),
    "what cannot be compared": (("--vary", "limit=1,2"), "no such setting of training"),
    "whose keep": (("--vary", "keep=0.1"), "such as fggm.keep=0.1,0.3"),
    "another method's": (("--vary", "migu.keep=0.1"), "migu is not among the sweep's methods"),
    "seeds": (("--seeds", "one"), "--seeds one: write whole numbers"),
    "seeds backwards": (("--seeds", "1,5-3"), "--seeds 1,5-3: 5-3 runs backwards; write 3-5"),
    "endless seeds": (("--seeds", "1-99999999999"), "these are more than 10,000 seeds"),
    "a seed twice": (("--seeds", "1-3,2"), "names a seed twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence_before_anything_is_trained(
    name: str, call: Callable[..., CommandResult], asking: Asking, tmp_path: Path
) -> None:
    wrong, sentence = BROKEN[name]
    words = asking(tmp_path / "out", "--methods", "sft", *wrong)
    assert sentence in call(*words).refusal
    assert not (tmp_path / "out").exists()


def test_runs_stand_beside_the_published_numbers(
    call: Callable[..., CommandResult], finished_run: Callable[..., Run], tmp_path: Path
) -> None:
    finished_run(tmp_path / "runs" / "sft")
    table = tmp_path / "table.csv"
    words = ("compare", tmp_path / "runs", "--published", "--csv", table)
    result = call(*words)
    assert result.status == 0 and "replicated" in result.out
    result = call(*words, "--json")
    assert result.status == 0
    rows = json.loads(result.out)
    assert rows[-1]["kind"] == "ours" and rows[-1]["unlike"]
    flat = list(csv.DictReader(table.open()))
    assert len(flat) == len(rows) and float(flat[-1]["numbers_op_final"]) == pytest.approx(60)
    assert flat[0]["numbers_op_final"] == "", "what was not published is empty"
