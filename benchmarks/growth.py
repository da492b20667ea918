"""How the Fisher pass grows with length, width, batch and examples, and a model that predicts it.

A pass's time is taken as a·(multiply-adds of matrix products) + b·(numbers that other operations
touch) + c·(layer calls). The counts come from the shapes and from the lab's own choice between Gram
and direct form; a, b and c are fitted to this run's times, by least squares of relative errors.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.fisher import fisher_pass
from benchmarks.harness import Column, Report, Row, Settings, raw, side_by_side
from benchmarks.models import Shape, forward_backward, make_batch, make_model
from fggm_lab.fisher.factors import prefers_gram

BASE = Shape("llama", 256, 64)
EXAMPLES = 8
VARIED: dict[str, list[int]] = {
    "length": [16, 32, 64, 128, 256],
    "hidden": [128, 256, 512, 768],
    "batch": [1, 2, 8, 16],
    "examples": [8, 32, 64],
}
QUICK: dict[str, list[int]] = {
    "length": [32, 128],
    "hidden": [128, 512],
    "batch": [1],
    "examples": [32],
}


def run(settings: Settings) -> Report:
    """One row per shape, all but one of whose sizes are those of the first."""
    rows = [measure(varied, shape, count, settings) for varied, shape, count in grid(settings)]
    for kind in ("fisher", "base"):
        predict(rows, kind)
    for row in rows:
        row["predicted_ratio"] = row["fisher_predicted_ms"] / row["base_predicted_ms"]
    errors = [abs(row[f"{kind}_error"]) for row in rows for kind in ("fisher", "base")]
    columns = [
        Column("varied", "varied"),
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("batch", "batch", "d"),
        Column("examples", "examples", "d"),
        Column("base_ms", "fwd+bwd ms", ".1f"),
        Column("base_error", "model off", "+.0%"),
        Column("fisher_ms", "Fisher ms", ".1f"),
        Column("fisher_error", "model off", "+.0%"),
        Column("ratio", "÷", ".2f"),
        Column("predicted_ratio", "÷ predicted", ".2f"),
        Column("gram_share", "Gram form", ".0%"),
    ]
    return Report(
        "How cost grows: exact unit Fisher of all parameters, and an ordinary pass",
        columns,
        rows,
        notes=[
            "model: a·multiply-adds + b·numbers touched + c·layer calls, fitted to these rows; it "
            f"is off by {np.mean(errors):.0%} on average, by {max(errors):.0%} at most.",
            "Gram form: the share of linear layers whose squares come from T × T products; the "
            "others form each example's gradient.",
        ],
    )


def grid(settings: Settings) -> list[tuple[str, Shape, int]]:
    """What varies, the shape, and the number of examples; the common shape comes first."""
    if settings.size == "tiny":
        small = Shape("llama", 64, 8, batch=2, layers=1, vocabulary=64, head=32)
        return [("–", small, 2), *(("length", replace(small, length=n), 2) for n in (12, 16, 24))]
    rows_so_far = [("–", BASE, EXAMPLES)]
    for what, sizes in (QUICK if settings.size == "quick" else VARIED).items():
        for size in sizes:
            if what == "examples":
                rows_so_far.append((what, BASE, size))
            elif size != getattr(BASE, what):
                changed: dict[str, Any] = {what: size}
                shape = replace(BASE, **changed)
                rows_so_far.append((what, shape, max(EXAMPLES, shape.batch)))
    return rows_so_far


def measure(varied: str, shape: Shape, examples: int, settings: Settings) -> Row:
    """Time both passes over the examples side by side."""
    model = make_model(shape, settings)
    batches = [make_batch(shape, settings, seed) for seed in range(examples // shape.batch)]
    names = [name for name, _ in model.named_parameters()]
    timings = side_by_side(
        {
            "base": forward_backward(model, batches),
            "fisher": fisher_pass(model, names, batches),
        },
        settings,
    )
    counts = {"base": counts_of(shape, fisher=False), "fisher": counts_of(shape, fisher=True)}
    row: Row = shape.row | {"varied": varied, "examples": examples}
    for name, timing in timings.items():
        row[f"{name}_ms"] = 1e3 * timing.median
        row[f"{name}_counts"] = [len(batches) * count for count in counts[name].vector]
    row["ratio"] = timings["fisher"].median / timings["base"].median
    row["gram_share"] = counts["fisher"].gram_share
    return row | {"raw": raw(timings)}


@dataclass(frozen=True)
class Counts:
    """What one batch costs: multiply-adds, numbers touched otherwise, layer calls."""

    products: float
    touched: float
    calls: float
    gram_share: float = 0.0

    @property
    def vector(self) -> list[float]:
        """What the model's coefficients multiply."""
        return [self.products, self.touched, self.calls]


def counts_of(shape: Shape, fisher: bool) -> Counts:
    """Count a pass over one batch of a Llama of this shape."""
    tokens, hidden = shape.batch * shape.length, shape.hidden
    inner = shape.inner
    linears = [(hidden, hidden)] * 4 + [(inner, hidden)] * 2 + [(hidden, inner)]
    answers = shape.batch * shape.answer
    body = shape.layers * tokens * sum(out * wide for out, wide in linears)
    body += shape.layers * 2 * tokens * shape.length * hidden  # attention
    touched = shape.layers * (10 * tokens * hidden + 5 * tokens * inner)
    calls = shape.layers * (len(linears) + 6)
    if not fisher:
        head = tokens * shape.vocabulary
        return Counts(3 * (body + head * hidden), touched + 4 * head, calls)
    head = answers * shape.vocabulary
    squares, gram = 0.0, 0
    for out, wide in linears:
        if prefers_gram(shape.length, out, wide, shared=False):
            squares += tokens * shape.length * (out + wide)
            gram += 1
        else:
            squares += tokens * out * wide
            touched += shape.layers * shape.batch * out * wide
    products = 2 * (body + head * hidden) + shape.layers * squares
    return Counts(products, touched + 4 * head, 2 * calls, gram / len(linears))


def predict(rows: list[Row], kind: str) -> None:
    """Fit the model to the rows and add its prediction and relative error to each."""
    times = np.array([row[f"{kind}_ms"] for row in rows])
    counts = np.array([row[f"{kind}_counts"] for row in rows], dtype=float)
    usable = list(range(counts.shape[1]))
    while True:  # a cost below nothing is left out of the model
        relative = counts[:, usable] / times[:, None]
        coefficients, *_ = np.linalg.lstsq(relative, np.ones(len(rows)), rcond=None)
        if (coefficients >= 0).all():
            break
        del usable[int(coefficients.argmin())]
    for row, predicted in zip(rows, counts[:, usable] @ coefficients, strict=True):
        row[f"{kind}_predicted_ms"] = float(predicted)
        row[f"{kind}_error"] = float(predicted) / row[f"{kind}_ms"] - 1
