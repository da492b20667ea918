"""The exact Fisher of a batch, by unit and by entry, ÷ an ordinary forward and backward pass."""

from collections.abc import Callable, Iterable, Sequence

from transformers import PreTrainedModel

from benchmarks.harness import MIB, Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from benchmarks.models import Batch, Shape, forward_backward, make_batch, make_model, shapes
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.methods.masking import linear_weights
from fggm_lab.models import unit_axes

QUICK = [
    Shape("llama", 256, 64),
    Shape("llama", 256, 128),
    Shape("llama", 512, 64),
    Shape("llama", 256, 64, answers=1.0),
    Shape("qwen2", 256, 64, groups=2),
]
FULL = [
    *QUICK,
    Shape("llama", 512, 128),
    Shape("llama", 512, 128, answers=1.0),
    Shape("qwen2", 512, 128, groups=2),
]
LIMITS = {"linear": 0.90, "all": 1.00, "diagonal": 2.0}
WHAT = {
    "linear": "unit Fisher of linear layers ÷ forward+backward",
    "all": "unit Fisher of all parameters ÷ forward+backward",
    "diagonal": "elementwise diagonal ÷ forward+backward",
}


def fisher_pass(
    model: PreTrainedModel,
    names: Iterable[str],
    batches: Sequence[Batch],
    elementwise: bool = False,
) -> Callable[[], SquareSums]:
    """The engine, ready: what a run does once, however many batches it has, is done.

    Args:
        model: in evaluation mode.
        names: the parameters to score.
        batches: prepared, on the model's device.
        elementwise: also compute the whole diagonal.

    Returns:
        A call that fills the sums of squares anew, and returns them.
    """
    selected = set(names)
    parameters = {name: p for name, p in model.named_parameters() if name in selected}
    axes = unit_axes(model)
    sums = SquareSums(parameters, {name: axes[name] for name in parameters}, elementwise)
    fisher = PerExampleFisher(model, data_likelihood(model), sums)

    def run() -> SquareSums:
        sums.clear()
        for batch in batches:
            fisher.add(lambda _, batch=batch: batch, range(len(batch["labels"])))  # type: ignore[misc]
        return sums

    return run


def run(settings: Settings) -> Report:
    """One row per shape: all three scopes of the Fisher beside the ordinary pass."""
    rows = [measure(shape, settings) for shape in shapes(settings, QUICK, FULL)]
    worst = {name: max(row[f"{name}_ratio"] for row in rows) for name in LIMITS}
    columns = [
        Column("family", "model"),
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("answers", "answers", ".0%"),
        Column("base_ms", "fwd+bwd ms", ".1f"),
    ]
    for name, header in (("linear", "linear"), ("all", "all"), ("diagonal", "diagonal")):
        columns += [
            Column(f"{name}_ms", f"{header} ms", ".1f"),
            Column(f"{name}_ratio", "÷", ".2f"),
        ]
    columns += [
        Column("base_mib", "fwd+bwd MiB", ".0f"),
        Column("all_mib", "all MiB", ".0f"),
        Column("diagonal_mib", "diagonal MiB", ".0f"),
    ]
    return Report(
        "Exact per-example Fisher of one batch ÷ one ordinary forward and backward pass",
        columns,
        rows,
        [Target(WHAT[name], worst[name], limit) for name, limit in LIMITS.items()],
        [
            "answers: the share of tokens labelled; the Fisher pass computes logits only there, "
            "the ordinary pass everywhere, as transformers does.",
            "linear: weights of linear layers, the head (tied to the embedding) not among them; "
            "MiB: the most memory beyond weights and batch.",
        ],
    )


def measure(shape: Shape, settings: Settings, model: PreTrainedModel | None = None) -> Row:
    """Time the ordinary pass and the three scopes side by side.

    Args:
        shape: of the model and its batches.
        settings: how to measure.
        model: of that shape, if there is one; its weights stay as they are.

    Returns:
        The row.
    """
    model = make_model(shape, settings) if model is None else model
    batches = [make_batch(shape, settings)]
    every = [name for name, _ in model.named_parameters()]
    linear = linear_weights(model)
    timings = side_by_side(
        {
            "base": forward_backward(model, batches),
            "linear": fisher_pass(model, linear, batches),
            "all": fisher_pass(model, every, batches),
            "diagonal": fisher_pass(model, every, batches, elementwise=True),
        },
        settings,
    )
    row: Row = dict(shape.row)
    for name, timing in timings.items():
        row[f"{name}_ms"] = 1e3 * timing.median
        row[f"{name}_mib"] = timing.peak / MIB
        if name != "base":
            row[f"{name}_ratio"] = ratio(timing, timings["base"])
    return row | {"parameters": model.num_parameters(), "raw": raw(timings)}
