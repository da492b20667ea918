"""How many examples a stable mask needs: masks from disjoint samples of the data, compared.

Two disjoint samples of n examples give two estimates of the same Fisher, hence two masks. Their
Jaccard index says how much of a mask of n examples is the task's and how much is the sample's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.fisher.inputs import Examples
from fggm_lab.fisher.registry import find_estimator
from fggm_lab.fisher.reporting import ProgressCallback, reporting
from fggm_lab.mask_settings import Scope, check_scope
from fggm_lab.masks.mask import Mask
from fggm_lab.masks.overlap import expected_jaccard, jaccard
from fggm_lab.tasks.coerce import as_examples
from fggm_lab.tasks.task import Task

BLOCKS = 32
"""The default number of blocks that the examples are divided into."""


def mask_stability(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    *,
    keep: float = 0.3,
    scope: Scope = "parameter",
    smallest: int | None = None,
    repeats: int = 10,
    seed: int = 0,
    progress: ProgressCallback | bool | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Compare masks from disjoint samples of growing size.

    The examples are shuffled and divided into blocks, and every block is scored once. Each repeat
    divides the blocks at random into two halves, and compares the masks of the first n examples of
    each half, for n from one block to half the data in powers of two. The cost is one Fisher pass,
    however many repeats.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        examples: what to score on, in any form that `fisher_scores` takes.
        keep: the share of units that a mask keeps, in (0, 1].
        scope: whether the share holds within each `parameter` or over all units (`global`).
        smallest: examples per block, the first n; by default 1/32 of them, at least one.
        repeats: how many times the blocks are divided into halves.
        seed: of the shuffle and the divisions.
        progress: called with (examples done, examples in all); True shows a bar.
        settings: further settings of `fisher_scores`, such as `estimator` or `memory_budget`.

    Returns:
        One row per n: `examples` (n), `jaccard` (the mean over repeats), `sd` (its sample standard
        deviation; None of one repeat), `expected` (the mean of two random masks with the same
        counts).

    Raises:
        SettingError: a setting is outside what it may be.
        DataError: fewer than two blocks of examples.
    """
    scope = check_scope(scope)
    if isinstance(examples, Task):
        settings = {"task": examples.name} | settings
    items = as_examples(examples)
    estimator = find_estimator(settings.get("estimator", "empirical"))
    if not estimator.per_example:
        raise SettingError(
            f"estimator '{estimator.name}' does not work example by example, so its masks have no "
            "sample to be stable over; choose another"
        )
    if smallest is None:
        smallest = max(1, len(items) // BLOCKS)
    check_count("smallest", smallest)
    check_count("repeats", repeats)
    count = len(items) // smallest
    if count < 2:
        raise DataError(
            f"{len(items)} examples do not make two blocks of {smallest}; give more examples, "
            "or a smaller `smallest`"
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    order = rng.permutation(len(items))
    blocks: list[FisherScores] = []
    with reporting(progress, settings.get("task")) as report:
        for start in range(0, count * smallest, smallest):
            only = order[start : start + smallest].tolist()
            blocks.append(fisher_scores(model, tokenizer, items, only=only, seed=seed, **settings))
            report(start + smallest, count * smallest)
    sizes = [2**power for power in range(int(math.log2(count // 2)) + 1)]
    jaccards: dict[int, list[float]] = {size: [] for size in sizes}
    expected: dict[int, float | None] = {}
    for _ in range(repeats):
        shuffled = rng.permutation(count)
        halves = shuffled[: count // 2], shuffled[count // 2 :]
        for size in sizes:
            first, second = (
                Mask.top(_mean([blocks[i] for i in half[:size]]), keep, scope) for half in halves
            )
            jaccards[size].append(_similarity(first, second))
            expected[size] = expected_jaccard(first, second)
    return [
        {
            "examples": size * smallest,
            "jaccard": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if repeats > 1 else None,
            "expected": expected[size],
        }
        for size, values in jaccards.items()
    ]


def examples_needed(rows: Sequence[Mapping[str, Any]], jaccard: float = 0.9) -> int | None:
    """The number of examples whose masks reach a Jaccard index, by linear interpolation.

    Args:
        rows: what `mask_stability` returned.
        jaccard: the mean Jaccard index of two masks from disjoint samples to reach, in (0, 1].

    Returns:
        The smallest number; None where no measured size reaches the index: score all examples there
        are, and collect more.

    Raises:
        SettingError: `jaccard` is outside (0, 1].
    """
    if not 0 < jaccard <= 1:
        raise SettingError(f"jaccard is {jaccard}; it must be above 0 and at most 1")
    for index, row in enumerate(rows):
        if row["jaccard"] < jaccard:
            continue
        if index == 0:
            return int(row["examples"])
        before = rows[index - 1]
        share = (jaccard - before["jaccard"]) / (row["jaccard"] - before["jaccard"])
        needed = before["examples"] + share * (row["examples"] - before["examples"])
        return math.ceil(needed - 1e-9)  # a rounding error must not add an example
    return None


def _mean(blocks: Sequence[FisherScores]) -> FisherScores:
    """The scores of all blocks' examples; every block has equally many."""
    units: dict[str, Tensor] = {
        name: torch.stack([block.units[name] for block in blocks]).mean(0)
        for name in blocks[0].units
    }
    info = replace(blocks[0].info, examples=sum(block.info.examples for block in blocks))
    return FisherScores(units, blocks[0].axes, None, info)


def _similarity(a: Mask, b: Mask) -> float:
    """The Jaccard index, 1 for two empty masks."""
    index = jaccard(a, b)
    return 1.0 if index is None else index
