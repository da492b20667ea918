"""The unit Fisher of linear layers against every library that can compute the same numbers."""

import copy
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from benchmarks.adapters import PEERS, Peer, Scores, answer_loss
from benchmarks.fisher import fisher_pass
from benchmarks.harness import MIB, Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from benchmarks.models import Batch, Shape, make_batch, make_model, shapes
from fggm_lab.methods.masking import linear_weights
from fggm_lab.models.checkpointing import checkpoint_activations

QUICK = [Shape("llama", 256, 64)]
FULL = [*QUICK, Shape("llama", 512, 64), Shape("llama", 512, 128)]
OURS = "fggm-lab"
RECOMPUTING = "fggm-lab, checkpointing"
FLOOR = "(forward, backward to the inputs)"
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.05}
"""The largest relative error of numbers that count as the same."""


def run(settings: Settings) -> Report:
    """One row per shape and library; the quickest library sets the targets."""
    rows: list[Row] = []
    targets: list[Target] = []
    notes: list[str] = []
    for shape in shapes(settings, QUICK, FULL):
        by_name = {row["name"]: row for row in measure(shape, settings)}
        rows += by_name.values()
        rivals = [by_name[peer.name] for peer in PEERS if "ms" in by_name[peer.name]]
        if rivals:
            best = min(rivals, key=lambda row: row["slower"])
            where = f"at hidden {shape.hidden}, length {shape.length}"
            what = f"the fastest peer {where}"
            targets += [
                Target(f"{what} ({best['name']}): its time ÷ ours", best["slower"], 2, "at least"),
                Target(f"{what}: our memory ÷ its", 1 / best["larger"], 0.5),
                Target(
                    f"{what}: our memory, checkpointing, ÷ its",
                    by_name[RECOMPUTING]["larger"] / best["larger"],
                    0.5,
                ),
            ]
            bound = best["slower"] / by_name[FLOOR]["slower"]
            notes.append(
                f"{where} {best['name']} takes {bound:.2f} times as long as a forward pass and a "
                "backward pass that stops at the inputs: no exact method with such passes can be "
                "further ahead of it."
            )
    columns = [
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("name", "library"),
        Column("ms", "ms", ".1f"),
        Column("slower", "÷ ours", ".2f"),
        Column("mib", "extra MiB", ".0f"),
        Column("larger", "÷ ours", ".2f"),
        Column("error", "relative error", ".0e"),
        Column("why_not", "why not"),
    ]
    return Report(
        "Unit Fisher of the linear layers against other libraries: same model, batch and numbers",
        columns,
        rows,
        targets,
        [
            "relative error: the largest difference of a row's score from ours ÷ its layer's "
            "largest score.",
            "extra MiB: the most memory beyond weights and batch.",
            *notes,
        ],
    )


def measure(shape: Shape, settings: Settings, peers: tuple[Peer, ...] = PEERS) -> list[Row]:
    """Check every library's numbers against ours, then time side by side those that agree."""
    model, batch = make_model(shape, settings), make_batch(shape, settings)
    names = linear_weights(model)
    calls: dict[str, Callable[[], object]] = {
        OURS: prepare(model, batch, names),
        RECOMPUTING: prepare(_checkpointed(model), batch, names),
        FLOOR: floor(copy.deepcopy(model), batch, shape.answer),
    }
    truth = ours(model, batch, names)
    rows: dict[str, Row] = {OURS: {"error": 0.0}, RECOMPUTING: {}, FLOOR: {}}
    rows[RECOMPUTING]["error"] = relative_error(ours(_checkpointed(model), batch, names), truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own: deprecations, slow batching rules
        for peer in peers:
            rows[peer.name], call = try_peer(peer, model, batch, shape.answer, truth)
            if call is not None:
                calls[peer.name] = call
        timings = side_by_side(calls, settings)
    for name, timing in timings.items():
        rows[name] |= {
            "ms": 1e3 * timing.median,
            "mib": timing.peak / MIB,
            "slower": ratio(timing, timings[OURS]),
            "larger": timing.peak / timings[OURS].peak,
            "raw": raw({name: timing})[name],
        }
    return [shape.row | {"name": name} | row for name, row in rows.items()]


def prepare(model: PreTrainedModel, batch: Batch, names: set[str]) -> Callable[[], Scores]:
    """This lab's engine, ready; like the libraries it returns sums over examples."""
    run = fisher_pass(model, names, [batch])
    return lambda: run().means(1)[0]


def ours(model: PreTrainedModel, batch: Batch, names: set[str]) -> Scores:
    """The numbers the others are checked against."""
    return prepare(model, batch, names)()


def floor(model: PreTrainedModel, batch: Batch, answer: int) -> Callable[[], object]:
    """What every exact method does first: the loss, and its gradient at the inputs alone."""
    model.requires_grad_(False)
    embedded = model.get_input_embeddings()(batch["input_ids"]).requires_grad_()

    def forward(input_ids: Tensor, **arguments: Any) -> Any:
        return model(inputs_embeds=embedded, **arguments)

    def run() -> object:
        loss = answer_loss(forward, batch["input_ids"], batch["labels"], answer)
        return torch.autograd.grad(loss, embedded)

    return run


def _checkpointed(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that keeps only its layers' inputs and computes the rest anew."""
    other = copy.deepcopy(model).train()
    checkpoint_activations(other)
    return other.eval()


def try_peer(
    peer: Peer, model: PreTrainedModel, batch: Batch, answer: int, truth: Scores
) -> tuple[Row, Callable[[], Scores] | None]:
    """Ask a library for the numbers on a copy of the model.

    Returns:
        What is known about it, and the call to time; None if it cannot do the job, with `why_not`.
    """
    if peer.prepare is None:
        return {"why_not": peer.why_not}, None
    if find_spec(peer.prepare.__name__.replace("_", ".")) is None:
        return {"why_not": "not installed; see benchmarks/README.md"}, None
    try:
        call = peer.prepare(copy.deepcopy(model), batch, answer, set(truth))
        error = relative_error(call(), truth)
    except Exception as problem:  # whatever a library raises is why it cannot do the job
        lines = str(problem).strip().splitlines() or [""]
        reason = f"{type(problem).__name__}: {lines[0]}"
        return {"why_not": f"{peer.why_not} ({reason})" if peer.why_not else reason}, None
    if error > TOLERANCE[model.dtype]:
        return {"error": error, "why_not": peer.why_not or "other numbers"}, None
    return {"error": error}, call


def relative_error(scores: Scores, truth: Scores) -> float:
    """The largest difference of a unit's score, ÷ the largest score of its parameter.

    Args:
        scores: parameter → one score per unit.
        truth: the same, by the reference.

    Returns:
        The largest over all parameters; 0 where they are equal.

    Raises:
        KeyError: a parameter is missing.
    """
    return max(
        float((scores[name].float().cpu() - true.float()).abs().max() / true.float().max())
        for name, true in truth.items()
    )
