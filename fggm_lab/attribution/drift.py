"""Attribution drift: how far the tokens that answers depend on change in training."""

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.attribution.tokens import TokenAttribution, attribute_tokens
from fggm_lab.errors import DataError, RunError
from fggm_lab.fisher.inputs import Examples
from fggm_lab.models import load_model
from fggm_lab.runs import Run
from fggm_lab.tasks.coerce import as_examples


def attribution_drift(before: TokenAttribution, after: TokenAttribution) -> float | None:
    """1 − the cosine of two attributions of one answer: 0 the same tokens, 1 others, 2 reversed.

    The size of the scores does not matter, only which tokens they point to.

    Args:
        before: the attribution of one example under one state of a model.
        after: of the same example under another state.

    Returns:
        From 0 to 2; None where one of them is zero everywhere.

    Raises:
        DataError: they are of different tokens.
    """
    return before.drift_to(after)


def drift_along(
    run: Run,
    start: tuple[PreTrainedModel, PreTrainedTokenizerBase],
    examples: Examples,
    task: int | str,
    **settings: Any,
) -> list[dict[str, Any]]:
    """The attribution drift of a run's model in every state, from its state after one task.

    Args:
        run: with a checkpoint after every task (`keep_checkpoints`).
        start: the model and tokenizer the run began with.
        examples: of the task, whose attributions are compared; a few are enough for a picture.
        task: the task after which the model is the reference: its name, or its index from 0.
        **settings: of `attribute_tokens`.

    Returns:
        One row per state of the model: `after` (None: before training, then each task's name),
        `drift` (the mean over examples), `sd` (its spread; None of one example).

    Raises:
        DataError: there are no examples.
        RunError: a checkpoint is missing.
    """
    examples = as_examples(examples)
    if not examples:
        raise DataError("there are no examples to attribute; give at least one")
    reference = run.task_index(task)
    names = run.config.task_names[: len(run.events("task"))]
    if reference >= len(names):
        raise RunError(f"{run.path} has not finished {run.config.task_names[reference]} yet")
    folders = [_checkpoint(run, name) for name in names]
    attributions = [[attribute_tokens(*start, example, **settings) for example in examples]]
    for folder in folders:
        model, tokenizer = load_model(folder)
        attributions.append([attribute_tokens(model, tokenizer, e, **settings) for e in examples])
    rows = []
    states: list[str | None] = [None, *names]
    for state, state_attributions in zip(states, attributions, strict=True):
        pairs = zip(attributions[reference + 1], state_attributions, strict=True)
        drifts = [d for d in (attribution_drift(a, b) for a, b in pairs) if d is not None]
        rows.append(
            {
                "after": state,
                "drift": float(np.mean(drifts)) if drifts else None,
                "sd": float(np.std(drifts, ddof=1)) if len(drifts) > 1 else None,
            }
        )
    return rows


def _checkpoint(run: Run, task: str) -> Path:
    folder = run.checkpoint(task)
    if folder is None:
        raise RunError(f"{run.path} keeps no model after {task}; run it with keep_checkpoints=True")
    return folder
