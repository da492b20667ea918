"""How far MIGU's two magnitudes agree on the shipped model: `python -m tools.migu_magnitudes`.

Of every task of trace-mini some batches go through the model as it is shipped; the masks of
`magnitude="share"` and `"sum"` of each batch are compared by their Jaccard index, over all masked
rows and in the layer where they agree least.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.methods import MIGU, TaskContext
from fggm_lab.models import load_model
from fggm_lab.models.encoding import collate, encode
from fggm_lab.tasks import load_tasks

Rows = Mapping[str, Tensor]
"""Name of a weight → (out,), bool: the rows that keep their gradient."""


@dataclass(frozen=True)
class Agreement:
    """The Jaccard index of two masks.

    Attributes:
        all: over the rows of all layers.
        lowest: in the layer where it is lowest.
    """

    all: float
    lowest: float


def agreement(a: Rows, b: Rows) -> Agreement:
    """How far two masks of the same weights agree."""
    both = {name: int((a[name] & b[name]).sum()) for name in a}
    either = {name: int((a[name] | b[name]).sum()) for name in a}
    return Agreement(
        sum(both.values()) / sum(either.values()),
        min(both[name] / either[name] for name in a if either[name]),
    )


def rows_of(
    model: PreTrainedModel, context: TaskContext, batch: Mapping[str, Tensor]
) -> list[Rows]:
    """The rows that each magnitude keeps in a batch: `share` and `sum`."""
    methods = [MIGU(magnitude="share", first_task=True), MIGU(magnitude="sum", first_task=True)]
    for method in methods:
        method.start(context)
    with torch.no_grad():
        model(**batch)
    masks: list[Rows] = [method.rows() for method in methods]
    for method in methods:
        method.finish()
    return masks


def main() -> None:
    """Print the agreement of each task, the mean over its batches."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=4, help="batches of each task")
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    model, tokenizer = load_model(device="cpu", for_training=True)
    model.train()
    pad = tokenizer.pad_token_id
    print(f"{'task':12} all rows  lowest layer")
    for index, task in enumerate(load_tasks("trace-mini")):
        examples = task.train[: arguments.batches * arguments.batch_size]
        encoded = encode(tokenizer, examples, 256)
        context = TaskContext(model, tokenizer, examples, encoded, task.name, index, 0, 256)
        measured = [
            agreement(*rows_of(model, context, collate(encoded[i:j], pad)))
            for i in range(0, len(encoded), arguments.batch_size)
            for j in (i + arguments.batch_size,)
        ]
        print(
            f"{task.name:12} {fmean(m.all for m in measured):8.2f}  "
            f"{fmean(m.lowest for m in measured):12.2f}"
        )


if __name__ == "__main__":
    main()
