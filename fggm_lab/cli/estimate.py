"""`fggm-lab estimate`: whether a model fits, before its weights are fetched."""

import json
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from fggm_lab.cli.console import console, tell
from fggm_lab.settings import TrainingSettings

_BATCH = TrainingSettings().batch_size


def estimate(
    model: Annotated[
        str, typer.Option(help="`tiny`, a folder, a config.json or a hub id; no weight is read.")
    ] = "tiny",
    method: Annotated[str, typer.Option(help="`fggm`, `sft`, `random` or `magnitude`.")] = "fggm",
    keep: Annotated[
        float | None, typer.Option(help="Share of units that may move, for masking methods.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = _BATCH,
    micro_batch: Annotated[
        int | None, typer.Option(help="Examples per forward pass. [default: the batch]")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per example. [default: the context, at most 1024]")
    ] = None,
    answer_length: Annotated[
        int | None,
        typer.Option(
            help="Tokens of the answer, whose logits are computed. [default: all but one]"
        ),
    ] = None,
    fisher_batch_size: Annotated[
        int | None,
        typer.Option(
            help="Examples of one Fisher pass; on a GPU a run takes fewer where these do not fit, "
            "down to 1. [default: 16, as a run]"
        ),
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="`float32`, `bfloat16`, …")] = None,
    autocast: Annotated[bool, typer.Option("--autocast", help="Products in bfloat16.")] = False,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Keep few activations.")
    ] = False,
    device: Annotated[
        Literal["cuda", "cpu"],
        typer.Option(help="Where it is to run, `cuda` or `cpu`; it need not be there."),
    ] = "cuda",
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run its own code.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Estimate the memory of a Fisher pass and of a training step, without the model's weights.

    Example: `fggm-lab estimate --model tiny --batch-size 4 --max-length 128`
    """
    from fggm_lab.methods import make_method
    from fggm_lab.training import estimate_memory
    from fggm_lab.training.memory_estimate import FISHER_BATCH

    estimated = estimate_memory(
        model,
        make_method(method, **({} if keep is None else {"keep": keep})),
        dtype=dtype,
        answer_length=answer_length,
        fisher_batch_size=FISHER_BATCH if fisher_batch_size is None else fisher_batch_size,
        device=device,
        trust_remote_code=trust_remote_code,
        batch_size=batch_size,
        micro_batch=micro_batch,
        max_length=max_length,
        autocast=autocast,
        gradient_checkpointing=gradient_checkpointing,
    )
    if json_:
        tell(json.dumps(estimated.to_json(), indent=1))
        return
    console.print(_table(estimated))
    console.print(
        "Not counted: the work space of kernels, the allocator's fragments and, on a GPU, the CUDA "
        "context; leave a tenth free."
    )


def _table(estimated: Any) -> Table:
    """The parts of a step, and the pass."""
    table = Table(
        title=f"{estimated.model}, {estimated.parameters / 1e6:,.1f} million parameters "
        f"in {estimated.dtype}, under {estimated.method}"
    )
    table.add_column("part")
    table.add_column("memory", justify="right")
    rows = {
        "weights": estimated.weights,
        "optimiser state": estimated.optimizer_state,
        "gradients": estimated.gradients,
        "copies while the optimiser steps": estimated.copies,
        "forward and backward pass": estimated.activations,
        "step of training, at most": estimated.training_peak,
        "Fisher pass, weights included": estimated.fisher_peak,
    }
    for part, size in rows.items():
        if size is not None:
            table.add_row(part, _written(size))
    return table


def _written(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
