"""The benchmarks measure what they say, and every case runs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from benchmarks.__main__ import CASES, app
from benchmarks.adapters import PEERS
from benchmarks.growth import predict
from benchmarks.harness import Settings, Target, Timing, ratio, side_by_side
from benchmarks.meter import peak_bytes
from benchmarks.models import Shape, make_batch, make_examples, make_model, word_tokenizer
from benchmarks.peers import ours, relative_error
from fggm_lab.methods.masking import linear_weights
from fggm_lab.models.encoding import encode
from tests.support.oracle import largest_error

CPU = torch.device("cpu")
TINY = Settings(CPU, "tiny", rounds=3, threads=1)
SHAPE = Shape("qwen2", 64, 8, batch=3, layers=2, vocabulary=64, head=16, groups=2)


def test_calls_take_turns_and_their_ratio_is_of_the_same_round() -> None:
    order: list[str] = []
    timings = side_by_side({n: lambda n=n: order.append(n) for n in "ab"}, TINY)  # type: ignore[misc]
    assert "".join(order) == "ab" + "ab" + "ababab"  # warming up, memory, three rounds
    assert all(len(timing.seconds) == 3 for timing in timings.values())
    assert ratio(Timing((2.0, 30.0, 3.0), 0), Timing((1.0, 10.0, 1.0), 0)) == 3.0


def test_short_calls_are_timed_more_often() -> None:
    patient = replace(TINY, patience=60.0)
    assert len(side_by_side({"a": lambda: None}, patient)["a"].seconds) == 15
    assert len(side_by_side({"a": lambda: None}, TINY, rehearse=False)["a"].seconds) == 3


def test_peak_memory_counts_what_is_alive_at_once() -> None:
    outer_tensor = torch.zeros(1000)

    def call() -> None:
        big = torch.zeros(250_000)  # 1 MB
        del big
        first = torch.ones(125_000)  # 0.5 MB
        second = first + 1  # 0.5 MB
        second.add_(first)[:10].view(2, 5)
        outer_tensor.mul_(2)[5:].view(-1)

    assert peak_bytes(call, CPU) == 1_000_000
    weight = torch.zeros(100, 1000, requires_grad=True)
    step = lambda: (weight * 2).sum().backward()  # noqa: E731
    assert 400_000 <= peak_bytes(step, CPU) <= 1_300_000


@pytest.mark.parametrize(("value", "sense", "reached"), [
    (0.9, "at most", True), (1.1, "at most", False), (1.1, "at least", True),
])  # fmt: skip
def test_targets(value: float, sense: str, reached: bool) -> None:
    assert Target("x", value, 1.0, sense).reached is reached  # type: ignore[arg-type]


def test_examples_and_batches_have_the_asked_shape() -> None:
    encoded = encode(word_tokenizer(SHAPE), make_examples(SHAPE, 5), 64)
    assert {(len(e), len(e.answer)) for e in encoded} == {(8, 4)}
    batch = make_batch(SHAPE, TINY)
    assert batch["input_ids"].shape == (3, 8) and (batch["labels"] >= 0).sum() == 12
    assert make_model(SHAPE, TINY).config.model_type == "qwen2"


@pytest.mark.parametrize("peer", [p for p in PEERS if p.prepare], ids=lambda p: p.name)
def test_what_is_compared_are_the_same_numbers(peer) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip(peer.prepare.__name__.replace("_", "."), reason=f"{peer.name} is no part")
    if peer.why_not:
        pytest.skip(peer.why_not)
    model, batch = make_model(SHAPE, TINY), make_batch(SHAPE, TINY)
    truth = ours(model, batch, linear_weights(model))
    scores = peer.prepare(make_model(SHAPE, TINY), batch, SHAPE.answer, set(truth))()
    assert relative_error(scores, truth) < 1e-5
    assert largest_error({n: scores[n] for n in truth}, truth, 1e-3) < 1e-3


def test_the_growth_model_finds_the_costs_that_made_the_times() -> None:
    rows: list[dict[str, Any]] = [
        {"x_ms": 3 * a + 2 * c, "x_counts": [a, b, c]}
        for a, b, c in [(1.0, 1.0, 4.0), (2.0, 5.0, 1.0), (5.0, 2.0, 2.0), (3.0, 9.0, 3.0)]
    ]
    predict(rows, "x")
    assert all(abs(row["x_error"]) < 1e-9 for row in rows)


@pytest.fixture
def threads() -> Iterator[None]:
    """Put torch's number of threads back: other tests compare bits, which depend on it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_every_case_runs_and_is_written(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    result = CliRunner().invoke(
        app, ["--tiny", "--rounds", "1", "--patience", "0", "--threads", "1", "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    record = json.loads(out.read_text())
    assert set(record["cases"]) == set(CASES)
    assert record["environment"]["versions"]["torch"].startswith("2.")
    assert all(case["rows"] for case in record["cases"].values())
    assert "must be" in result.output
    refused = CliRunner().invoke(app, ["--only", "nonsense"])
    assert refused.exit_code == 2 and "nonsense" in refused.output
