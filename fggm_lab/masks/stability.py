"""How many examples make a mask stable: masks from disjoint halves of the data, compared.

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

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.fisher.registry import find_estimator
from fggm_lab.fisher.scoring import Examples, Progress, reporting
from fggm_lab.mask_settings import Scope, check_scope
from fggm_lab.masks.mask import Mask
from fggm_lab.masks.overlap import expected_jaccard, jaccard
from fggm_lab.tasks.coerce import as_examples
from fggm_lab.tasks.task import Task

BLOCKS = 32
"""Into how many blocks the examples are cut by default."""


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
    progress: Progress | bool | None = None,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Compare masks from disjoint samples of growing size.

    The examples are shuffled, cut into blocks, and every block is scored once. Each repeat deals
    the blocks out into two halves anew, and compares the masks of the first n examples of each, n
    doubling from one block to half the data. The whole costs one Fisher pass, however many repeats.

    Args:
        model, tokenizer, examples: as in `fisher_scores`.
        keep, scope: as in `Mask.top`.
        smallest: examples per block, the first n; by default 1/32 of them, at least one.
        repeats: how often the blocks are dealt out.
        seed: of the shuffle.
        progress: as in `fisher_scores`.
        settings: what else `fisher_scores` takes, such as `estimator` or `memory_budget`.

    Returns:
        One row per n: `examples` (n), `jaccard` (the mean over repeats), `sd` (its sample standard
        deviation; None of one repeat), `expected` (of two masks of chance with the same counts).

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
    if smallest < 1 or repeats < 1:
        raise SettingError(
            f"smallest is {smallest} and repeats is {repeats}; both must be 1 or more"
        )
    count = len(items) // smallest
    if count < 2:
        raise DataError(
            f"{len(items)} examples do not make two blocks of {smallest}; give more examples, "
            "or a smaller `smallest`"
        )
    chance = np.random.Generator(np.random.PCG64(seed))
    order = chance.permutation(len(items))
    blocks: list[FisherScores] = []
    with reporting(progress, settings.get("task")) as report:
        for start in range(0, count * smallest, smallest):
            only = order[start : start + smallest].tolist()
            blocks.append(fisher_scores(model, tokenizer, items, only=only, seed=seed, **settings))
            report(start + smallest, count * smallest)
    sizes = [2**power for power in range(int(math.log2(count // 2)) + 1)]
    found: dict[int, list[float]] = {size: [] for size in sizes}
    expected: dict[int, float | None] = {}
    for _ in range(repeats):
        dealt = chance.permutation(count)
        halves = dealt[: count // 2], dealt[count // 2 :]
        for size in sizes:
            one, other = (
                Mask.top(_mean([blocks[i] for i in half[:size]]), keep, scope) for half in halves
            )
            found[size].append(_similarity(one, other))
            expected[size] = expected_jaccard(one, other)
    return [
        {
            "examples": size * smallest,
            "jaccard": float(np.mean(values)),
            "sd": float(np.std(values, ddof=1)) if repeats > 1 else None,
            "expected": expected[size],
        }
        for size, values in found.items()
    ]


def examples_needed(rows: Sequence[Mapping[str, Any]], jaccard: float = 0.9) -> int | None:
    """The fewest examples whose masks agree so well, between measured sizes on a straight line.

    Args:
        rows: what `mask_stability` returned.
        jaccard: the mean Jaccard index of two masks from disjoint samples to reach, in (0, 1].

    Returns:
        How many; None where no measured size reaches it: score all examples you have, and more.
    """
    if not 0 < jaccard <= 1:
        raise SettingError(f"jaccard is {jaccard}; it must be above 0 and at most 1")
    for place, row in enumerate(rows):
        if row["jaccard"] < jaccard:
            continue
        if place == 0:
            return int(row["examples"])
        before = rows[place - 1]
        share = (jaccard - before["jaccard"]) / (row["jaccard"] - before["jaccard"])
        needed = before["examples"] + share * (row["examples"] - before["examples"])
        return math.ceil(needed - 1e-9)  # rounding is no example
    return None


def _mean(blocks: Sequence[FisherScores]) -> FisherScores:
    """Scores of equally many examples each → those of all of them."""
    units: dict[str, Tensor] = {
        name: torch.stack([block.units[name] for block in blocks]).mean(0)
        for name in blocks[0].units
    }
    info = replace(blocks[0].info, examples=sum(block.info.examples for block in blocks))
    return FisherScores(units, blocks[0].axes, None, info)


def _similarity(a: Mask, b: Mask) -> float:
    """The Jaccard index; two empty masks agree."""
    found = jaccard(a, b)
    return 1.0 if found is None else found
