"""Estimate the diagonal Fisher information of a model on a task's examples."""

import warnings
from collections.abc import Sequence

from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

import fggm_lab.fisher.estimators  # noqa: F401  (fills the registry)
from fggm_lab.checks import check_choice, check_count, check_optional_count
from fggm_lab.distributed import all_gather, all_reduce, is_main, rank, world_size
from fggm_lab.errors import SettingError
from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.fisher.inputs import Examples, drawn_examples, encoded_examples, padding_id
from fggm_lab.fisher.likelihood import check_causal
from fggm_lab.fisher.memory_budget import chunk_for, free_budget
from fggm_lab.fisher.registry import Estimator, check_answers, find_estimator
from fggm_lab.fisher.reporting import ProgressCallback, reporting
from fggm_lab.fisher.scored_parameters import (
    Aggregation,
    scored_axes,
    scored_parameters,
    uncompiled,
    unused_parameters,
)
from fggm_lab.fisher.scores import FisherInfo, FisherScores, dtype_name
from fggm_lab.fisher.sharded import on_whole_weights
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.build import checked_length
from fggm_lab.models.check import check_language_model
from fggm_lab.models.encoding import IGNORED
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.models.modes import evaluating
from fggm_lab.models.units import unknown_layouts
from fggm_lab.tasks.coerce import as_examples
from fggm_lab.tasks.task import Task


@on_whole_weights
def fisher_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    examples: Examples,
    *,
    estimator: str = "empirical",
    elementwise: bool = False,
    aggregation: Aggregation = "input",
    batch_size: int = 16,
    max_examples: int | None = None,
    only: Sequence[int] | None = None,
    max_length: int | None = None,
    draws: int = 1,
    seed: int = 0,
    optimizer: Optimizer | None = None,
    memory_budget: int | None = None,
    task: str | None = None,
    progress: ProgressCallback | bool | None = None,
) -> FisherScores:
    """Score every unit of a model by the diagonal Fisher information of some examples.

    Entry i's score is F_i = 1/M Σ_j (∂ log p(y_j | x_j; θ) / ∂θ_i)², the log-likelihood summed over
    the answer's tokens (its end token included) under teacher forcing, dropout off; a unit's score
    is the sum over its entries (FGGM, arXiv 2601.18261, its input aggregation). The model comes
    back as it was: weights, gradients, flags and hooks.

    Only parameters that require gradients are scored: under LoRA, say, the adapters but not the
    frozen base. Of a model sharded by FSDP2 (`fully_shard`) every rank gathers the whole weights
    for the time being, scores its share of the examples, and returns the sum of all.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer; needs an end token, but no padding token. None will do where all
            examples are token ids already, as in `Encoded`.
        examples: what to score on: a `Task`, of which the training split is meant, or a list of
            objects with `.prompt` and `.answer` (texts, or token ids as in `Encoded`), of
            dictionaries with these keys, or of (prompt, answer) pairs. `adam` does not look at
            them.
        estimator: a key of `ESTIMATORS`, whose values describe themselves, or one of your own as
            `module:name`. `sampled` and `true` are the true Fisher: labels from the model, not the
            data.
        elementwise: also keep the whole diagonal (as large as the model).
        aggregation: what a unit of a weight (out, in) is: `input`, an output row, whose score sums
            over its inputs; `output`, an input column (an ablation); or `none`, every entry by
            itself, which needs `elementwise=True`.
        batch_size: the most examples per pass; only `batch` depends on it.
        max_examples: use only so many, drawn by `seed`, in the data's order; the scores'
            `standard_errors` tell what that costs.
        only: use only the examples with these indices, instead.
        max_length: the most tokens of an example; by default the model's context. Longer prompts
            are cut from the left.
        draws: how many labels `sampled` draws at every answer position.
        seed: of the examples and labels drawn.
        optimizer: whose second moment `adam` reads.
        memory_budget: the most bytes of tensors the pass may add to those that are there, the
            scores included; examples are batched by length to fit. Finding out scores one example
            first, and costs a few batches. None: on a GPU what is free there, else no bound.
        task: the task's name, for the record; by default that of a `Task` passed as `examples`.
        progress: called with (examples done, examples in all) after each batch; True shows a bar.

    Returns:
        For every scored parameter one score per unit, with standard errors over examples where the
        estimator works example by example, and the record of how they were computed.

    Raises:
        SettingError: a setting is outside what it may be, or the memory budget is too small for
            one example.
        DataError: no examples or some of another form, an answer without tokens or longer than
            `max_length`.
        ModelError: nothing to score, or the likelihood or a gradient is not a finite number.
    """
    if task is None and isinstance(examples, Task):
        task = examples.name
    estimator_used = find_estimator(estimator)
    _check_aggregation(aggregation, elementwise)
    check_count("batch_size", batch_size)
    check_count("draws", draws)
    check_optional_count("max_examples", max_examples)
    check_optional_count("max_length", max_length)
    _check_budget(estimator_used, memory_budget)
    model = uncompiled(model)
    check_language_model(model, tokenizer if estimator_used.reads_examples else None)
    if estimator_used.reads_examples:
        check_causal(model)
    parameters = scored_parameters(model)
    items = as_examples(examples)
    length = checked_length(model, max_length)
    numbers, encoded = [], []
    if estimator_used.reads_examples:
        numbers = drawn_examples(len(items), max_examples, only, seed)
        encoded = encoded_examples(tokenizer, items, numbers, length)
    check_answers(estimator_used, encoded, numbers)
    axes = scored_axes(model, parameters, aggregation)
    unknown = [name for name in unknown_layouts(model) if name in parameters]
    if unknown and aggregation != "none":
        warnings.warn(
            f"which axis of {', '.join(unknown)} counts outputs is not known; the units are taken "
            "to be rows, along the last axis but one",
            stacklevel=2,
        )
    budget = memory_budget
    if budget is None and estimator_used.per_example:
        budget = free_budget(p.device for p in model.parameters())
    sums = SquareSums(parameters, axes, elementwise, chunk_for(budget))
    shard = _shard(len(encoded), 1 if estimator_used.per_example else batch_size)
    fisher_pass = FisherPass(
        model=model,
        encoded=[encoded[i] for i in shard],
        numbers=[numbers[i] for i in shard],
        pad=padding_id(model, tokenizer),
        batch_size=batch_size,
        sums=sums,
        draws=draws,
        seed=seed,
        optimizer=optimizer,
        memory_budget=budget,
    )
    if fisher_pass.encoded or (is_main() and not estimator_used.reads_examples):
        with evaluating(model), reporting(progress, task) as report:
            _fill(estimator_used, fisher_pass, report)
    _sum_over_ranks(fisher_pass)
    averaged = max(1, len(encoded))
    errors = sums.standard_errors(averaged) if estimator_used.per_example else None
    units, diagonal = sums.means(averaged)
    unused = unused_parameters(sums.unreached, units)
    info = FisherInfo(
        estimator=estimator_used.name,
        aggregation=aggregation,
        examples=len(encoded),
        tokens=sum(label != IGNORED for item in encoded for label in item.targets),
        model=fingerprint(model),
        task=task,
        dtype=dtype_name(next(iter(parameters.values())).dtype),
        truncated=sum(item.truncated for item in encoded),
        extra={
            "batch_size": batch_size,
            "of": len(items),
            "seed": seed,
            "generic": sorted(sums.generic),
        }
        | ({"draws": draws} if estimator_used.name == "sampled" else {})
        | ({"memory_budget": memory_budget} if memory_budget is not None else {})
        | ({"assumed_rows": unknown} if unknown else {})
        | ({"left_out": unused} if unused else {}),
    )
    scores = FisherScores(units, axes, diagonal, info, errors)
    if not unused:
        return scores
    warnings.warn(
        f"{len(unused)} of {len(units)} parameters take no part in reading text ({unused[0]}, for "
        "one); they are left out of the scores, and no mask cut from them covers them",
        stacklevel=2,
    )
    return scores.restricted(name for name in units if name not in set(unused))


def _shard(examples: int, block: int) -> list[int]:
    """This rank's examples: every `world_size`-th block of consecutive ones.

    Args:
        examples: how many there are.
        block: how many stay together, 1 where each is squared by itself.

    Returns:
        Their indices.
    """
    return [i for i in range(examples) if i // block % world_size() == rank()]


def _sum_over_ranks(fisher_pass: FisherPass) -> None:
    """Give every rank the sums of all, and what any of them found out about parameters."""
    if world_size() == 1:
        return
    sums = fisher_pass.sums
    all_reduce(sums.tensors)
    ranks = all_gather((len(fisher_pass.encoded), sums.generic, sums.unreached))
    scoring = [(generic, unreached) for count, generic, unreached in ranks if count]
    if scoring:
        sums.generic = set().union(*(generic for generic, _ in scoring))
        sums.unreached = set.intersection(*(unreached for _, unreached in scoring))


def _fill(estimator: Estimator, fisher_pass: FisherPass, report: ProgressCallback) -> None:
    """Run the estimator, stop at the first number that is not finite, report progress."""
    done = 0
    for indices, value in estimator.fill(fisher_pass):
        if not value.isfinite() or fisher_pass.sums.unsound() is not None:
            raise fisher_pass.fault(indices)
        done += len(indices)
        report(done, len(fisher_pass.encoded))


def _check_aggregation(aggregation: str, elementwise: bool) -> None:
    check_choice("aggregation", aggregation, Aggregation)
    if aggregation == "none" and not elementwise:
        raise SettingError(
            "aggregation 'none' keeps a score for every entry, which is as large as the model; "
            "say so with elementwise=True"
        )


def _check_budget(estimator: Estimator, budget: int | None) -> None:
    check_optional_count("memory_budget", budget)
    if budget is not None and not estimator.per_example:
        raise SettingError(
            f"estimator '{estimator.name}' cannot keep a memory_budget, because it does not work "
            "example by example; leave the budget out, or choose another estimator"
        )
