"""`fggm-lab estimate` answers from a config alone, and refuses in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import CommandResult

SIZES = ("--batch-size", 2, "--max-length", 32, "--fisher-batch-size", 1)


def test_a_config_without_weights_is_enough(
    call: Callable[..., CommandResult], tmp_path: Path, model: Path
) -> None:
    config = tmp_path / "alone" / "config.json"
    config.parent.mkdir()
    config.write_text((model / "config.json").read_text("utf-8"), "utf-8")
    result = call("estimate", "--model", config, "--keep", 0.5, *SIZES, "--json")
    estimated = json.loads(result.out)
    assert estimated["method"] == "fggm" and estimated["dtype"] == "float32"
    assert estimated["peak"] >= estimated["training_peak"] > estimated["weights"] > 0
    assert estimated["fisher_peak"] == estimated["weights"] + estimated["fisher"]


def test_the_table_names_every_part(call: Callable[..., CommandResult]) -> None:
    result = call("estimate", "--method", "sft", "--dtype", "bfloat16", *SIZES)
    parts = ("weights", "optimiser state", "gradients", "forward and backward", "step of training")
    assert all(part in result.out for part in parts) and "MiB" in result.out
    assert "Fisher pass" not in result.out and "Not counted" in result.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--model", "no/such/model"), "there is no"),
        (("--method", "ewc"), "cannot be estimated"),
        (("--batch-size", 0), "batch_size"),
        (("--max-length", 0), "max_length"),
        (("--answer-length", 500), "answer_length is 500"),
    ],
)
def test_a_mistake_is_one_sentence(
    options: tuple[object, ...], sentence: str, call: Callable[..., CommandResult]
) -> None:
    assert sentence in call("estimate", *options).refusal
