"""TRACE from the command line: variants, orders, gaps, numbers per task, the paper's preset."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fggm_lab.methods import LoRA
from fggm_lab.runs import Run
from fggm_lab.tasks import METRICS, ORDERS, TRACE_METRICS, TRACE_ORDER
from fggm_lab.training.presets import PRESETS
from tests.support.command_line import CommandResult, write_task
from tests.support.families import character_tokenizer, tiny_model

EPOCHS = [5, 3, 7, 5, 3, 5, 5, 7]


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    """A Qwen2 of two layers with its tokenizer, as a Hugging Face folder."""
    folder = tmp_path / "qwen"
    tiny_model("qwen2").float().save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """TRACE's release: two variants of eight tasks, and its replay set."""
    for variant in ("500", "5000"):
        for name in (*TRACE_ORDER, "Lima"):
            write_task(tmp_path / "TRACE-Benchmark" / f"LLM-CL-Benchmark_{variant}" / name)
    return tmp_path / "TRACE-Benchmark"


def test_the_papers_preset_runs_as_it_stands(
    call: Callable[..., CommandResult], qwen: Path, release: Path, tmp_path: Path
) -> None:
    words = ("run", "--preset", "fggm-paper", "--model", qwen, "--tasks", release)
    skills = tmp_path / "skills.json"
    skills.write_text('[{"prompt": "a:", "answer": "b"}]', encoding="utf-8")
    out = ("--variant", 5000, "--limit", 2, "--points", 0, "--out", tmp_path / "out")
    assert "measures General" in call(*words, *out).refusal
    assert not (tmp_path / "out").exists()
    result = call(*words, *out, "--general", skills)
    assert result.status == 0
    before_training = " ".join(result.out.partition("C-STANCE")[0].split())
    assert "preset fggm-paper: FGGM on TRACE as far as arXiv 2601.18261 says how" in before_training
    printed = " ".join(result.out.split())
    for line in (
        "batch_size 128 paper", "max_length 1536 TRACE", "fggm.scope parameter ours",
        "score_max_prompt 1024 TRACE", "clip 1 TRACE", "migu.first_task false ours",
    ):  # fmt: skip
        assert line in printed
    assert re.search(r"model \S+ \S* ?given", printed)
    for method in ("sft", "migu", "fggm"):
        run = Run.open(tmp_path / "out" / method)
        config = run.config
        assert run.finished and config.task_names == list(TRACE_ORDER)
        assert config.preset == "fggm-paper" and config.training.score_max_prompt == 1024
        assert run.scores is not None and run.scores.general["after"] is not None
        assert config.first_task_masked is (None if method == "sft" else False)
        assert config.tasks == str(release / "LLM-CL-Benchmark_5000")
        assert [config.training.epochs_of(name) for name in TRACE_ORDER] == EPOCHS
        assert run.events("start")[0]["steps"] == EPOCHS  # two examples are one batch
        assert (config.training.lr, config.training.batch_size, config.training.weight_decay) == (
            1e-5,
            128,
            0,
        )
        training = config.training
        assert training.optimizer == "adamw" and training.autocast
        assert training.gradient_checkpointing
        assert (
            config.training.micro_batch == 4 and config.max_length == 64
        )  # the tiny model's context
        assert config.max_new_tokens == {"MeetingBank": 512, "Py150": 512, "20Minuten": 512}
        if method == "fggm":
            assert config.method_settings["keep"] == 0.3
        for after in (None, "C-STANCE", "20Minuten"):
            for task in TRACE_ORDER:
                rows = run.predictions(after, task)
                assert [(row.index, row.split) for row in rows] == [(0, "test"), (1, "test")]
                metric = METRICS[TRACE_METRICS[task]]
                scores = [metric(row.prompt, row.prediction, row.answer) for row in rows]
                assert scores == [row.score for row in rows]
    assert PRESETS["fggm-paper"].options["model"].value == "Qwen/Qwen2-1.5B"
    assert LoRA().lr_scale * PRESETS["fggm-paper"].settings.lr == pytest.approx(1e-4)


def test_what_is_given_overrides_a_preset(
    call: Callable[..., CommandResult], qwen: Path, release: Path, tmp_path: Path
) -> None:
    words = ("run", "--preset", "fggm-paper", "--model", qwen, "--tasks", release)
    changed = ("--lr", 5e-4, "--epochs", 1, "--batch-size", 4, "--no-autocast", "--no-recompute")
    more = ("--methods", "fggm", "--keep", 0.5, "--order", "trace-2", "--max-new-tokens", 3)
    out = ("--variant", 500, "--limit", 2, "--points", 0, "--out", tmp_path / "out")
    first_task = ("--set", "fggm.first_task=true", "--general", "none")
    result = call(*words, *changed, *more, *first_task, *out)
    assert result.status == 0
    printed = " ".join(result.out.split())
    assert "lr 0.0005 given" in printed and "fggm.first_task true given" in printed
    assert "weight_decay 0 paper" in printed and "migu.magnitude" not in printed
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fggm"]
    config = Run.open(tmp_path / "out" / "fggm").config
    assert (config.training.lr, config.training.epochs, config.training.batch_size) == (5e-4, 1, 4)
    assert (
        not config.training.autocast
        and not config.training.gradient_checkpointing
        and config.max_new_tokens == 3
    )
    assert config.method_settings["keep"] == 0.5 and config.first_task_masked is True
    assert config.preset == "fggm-paper" and config.general is None
    assert config.task_names == list(ORDERS["trace-2"])


def test_numbers_per_task(
    call: Callable[..., CommandResult], qwen: Path, release: Path, tmp_path: Path
) -> None:
    folder = release / "LLM-CL-Benchmark_500"
    words = ("run", "--model", qwen, "--tasks", folder, "--methods", "sft", "--limit", 4)
    quick = ("--order", "Py150,FOMC", "--batch-size", 4, "--points", 0)
    by_name = ("--epochs", "FOMC=3, Py150=2", "--max-new-tokens", "Py150=2")
    assert call(*words, *quick, *by_name, "--out", tmp_path / "a").status == 0
    in_order = ("--epochs", "2,3", "--max-new-tokens", "2,5")
    assert call(*words, *quick, *in_order, "--out", tmp_path / "b").status == 0
    first, second = (Run.open(tmp_path / name / "sft") for name in "ab")
    assert first.config.training.epochs == second.config.training.epochs == {"Py150": 2, "FOMC": 3}
    assert first.events("start")[0]["steps"] == second.events("start")[0]["steps"] == [2, 3]
    assert first.config.max_new_tokens == {"Py150": 2}
    assert second.config.max_new_tokens == {"Py150": 2, "FOMC": 5}
    rows = first.predictions("FOMC", "Py150")
    assert all(len(row.prediction) <= 2 for row in rows)


BROKEN = {
    "unnamed variant": ((), "the variants 500, 5000 of TRACE"),
    "no such variant": (("--variant", 50), "has no variant 50; there are: 500, 5000"),
    "no such task": (("--variant", 500, "--order", "FOMC,py150"), "did you mean 'Py150'?"),
    "no such preset": (("--preset", "paper"), "no preset is named 'paper'; there are: fggm-paper"),
    "epochs in words": (
        ("--variant", 500, "--epochs", "many"),
        "--epochs many: write a number (5)",
    ),
    "too few epochs": (("--variant", 500, "--epochs", "1,2"), "epochs has 2 numbers for 8 tasks"),
    "a task without": (("--variant", 500, "--epochs", "FOMC=2"), "epochs has no number for C-ST"),
    "epochs of a stranger": (("--variant", 500, "--epochs", "FOMk=2"), "did you mean 'FOMC'?"),
    "no tokens": (("--variant", 500, "--max-new-tokens", 0), "--max-new-tokens 0: input should"),
    "half a token": (("--variant", 500, "--max-new-tokens", 1.5), "write a number (512)"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence(
    name: str, call: Callable[..., CommandResult], qwen: Path, release: Path, tmp_path: Path
) -> None:
    wrong, sentence = BROKEN[name]
    words = ("run", "--model", qwen, "--tasks", release, "--methods", "sft", "--limit", 2)
    assert sentence in call(*words, "--out", tmp_path / "out", *wrong).refusal
    assert not (tmp_path / "out").exists()


def test_missing_tasks_are_named_until_they_are_allowed(
    call: Callable[..., CommandResult], qwen: Path, release: Path, tmp_path: Path
) -> None:
    folder = release / "LLM-CL-Benchmark_500"
    for name in ("FOMC", "20Minuten"):
        (folder / name).rename(tmp_path / name)
    words = ("run", "--preset", "fggm-paper", "--model", qwen, "--tasks", folder)
    quick = (
        "--general",
        "none",
        "--methods",
        "sft",
        "--limit",
        2,
        "--points",
        0,
        "--batch-size",
        2,
    )
    refusal = call(*words, *quick, "--out", tmp_path / "out").refusal
    assert "lacks 2 of TRACE's eight tasks: FOMC, 20Minuten" in refusal
    result = call(*words, *quick, "--out", tmp_path / "out", "--allow-missing")
    assert result.status == 0
    assert "going on without FOMC, 20Minuten" in " ".join(result.out.split())
    config = Run.open(tmp_path / "out" / "sft").config
    present = [name for name in TRACE_ORDER if name not in ("FOMC", "20Minuten")]
    assert config.task_names == present
    assert config.training.epochs == {
        name: dict(zip(TRACE_ORDER, EPOCHS, strict=True))[name] for name in present
    }
    assert config.max_new_tokens == {"MeetingBank": 512, "Py150": 512}
    chosen = ("--order", "Py150,ScienceQA", "--out", tmp_path / "chosen")
    result = call(*words, *quick, *chosen)
    assert result.status == 0 and "going on without" not in result.out
    assert call("audit", folder).status == 0  # what is there can be looked at


def test_empty_answers_are_told(
    call: Callable[..., CommandResult], release: Path, tmp_path: Path
) -> None:
    silent = tiny_model("qwen2", tied=False).float()
    with torch.no_grad():  # its hidden states are 0, and so are its logits; the first token wins
        silent.model.norm.weight.zero_()
    silent.save_pretrained(tmp_path / "silent")
    character_tokenizer().save_pretrained(tmp_path / "silent")  # token 0 is padding: no text
    words = ("run", "--model", tmp_path / "silent", "--tasks", release / "LLM-CL-Benchmark_500")
    quick = ("--order", "FOMC,Py150", "--methods", "sft", "--limit", 3, "--epochs", 1, "--lr", 0)
    result = call(*words, *quick, "--points", 0, "--out", tmp_path / "out")
    assert result.status == 0
    assert "sft: 6 answers after the last task are empty and score 0" in result.out
    evaluations = Run.open(tmp_path / "out" / "sft").events("evaluation")
    assert [event["tasks"]["FOMC"]["empty"] for event in evaluations] == [3, 3, 3]
