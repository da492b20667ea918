"""The tokens that one answer depends on at two stages of a run, before and after forgetting."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.attribution.tokens import TokenAttribution, attribute_tokens
from fggm_lab.errors import RunError
from fggm_lab.evaluation.greedy_answers import teacher_forced
from fggm_lab.models import encode, load_model
from fggm_lab.models.modes import evaluating
from fggm_lab.runs import AnswerChange, Run
from fggm_lab.runs.forgotten import stage_name
from fggm_lab.tasks import Example

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]
Load = Callable[[Path], Loaded]
"""Loads the model and the tokenizer of a folder."""

_TOLERANCE = 0.1
"""How far a likelihood may be from the run's, as a share: numbers of other devices differ."""


def stage_checkpoints(run: Run, change: AnswerChange) -> tuple[Path, Path]:
    """The folders of a run's model at the two stages of an example.

    Args:
        run: the run.
        change: of its examples.

    Returns:
        The model before, the model after.

    Raises:
        RunError: one was not kept; the message says which, and how runs keep them.
    """
    stages = change.stage_before, change.stage_after
    folders = [run.checkpoint(stage) for stage in stages]
    if missing := [
        stage_name(stage) for stage, folder in zip(stages, folders, strict=True) if folder is None
    ]:
        raise RunError(
            f"{run.path} keeps no model {' and none '.join(missing)}, and attribution needs it; "
            "run it with keep_checkpoints=True (the default of fggm-lab run), or copy the run's "
            "folder checkpoints/, too"
        )
    before, after = folders
    assert before is not None and after is not None
    return before, after


def attribute_change(
    run: Run,
    change: AnswerChange,
    *,
    load: Load = load_model,
    progress: Callable[[str, float], object] = lambda text, share: None,
    **settings: Any,
) -> tuple[TokenAttribution, TokenAttribution]:
    """What the right answer to an example depended on at both of its stages.

    Args:
        run: with the checkpoints of both stages.
        change: one example of `forgotten_examples`.
        load: loads a checkpoint; a caller that asks more than once may remember models.
        progress: called with what is being done and the share that is already done, 0 to 1.
        **settings: of `attribute_tokens`.

    Returns:
        The attributions before and after, of the same tokens.

    Raises:
        RunError: a checkpoint is missing, or it does not give the right answer the likelihood that
            the run recorded, so that the prompt was read in another way.
        LabError: as `attribute_tokens` and `load_model` raise.
    """
    attributions = []
    records = (change.stage_before, change.nll_before), (change.stage_after, change.nll_after)
    for number, (folder, (stage, nll)) in enumerate(
        zip(stage_checkpoints(run, change), records, strict=True)
    ):
        progress(f"Loading the model {stage_name(stage)}", number / 2)
        model, tokenizer = load(folder)
        length = {"max_length": run.config.max_length, **settings}
        _check_likelihood(run, (model, tokenizer), change, nll, length)
        progress(f"Attributing the answer {stage_name(stage)}", number / 2 + 0.25)
        attributions.append(attribute_tokens(model, tokenizer, _example(change), **length))
    before, after = attributions
    return before, after


def _example(change: AnswerChange) -> Example:
    return Example(change.prompt, change.answer)


def _check_likelihood(
    run: Run, loaded: Loaded, change: AnswerChange, recorded: float, settings: Mapping[str, Any]
) -> None:
    """Check that a model reads the stored prompt as it did in the run.

    Args:
        run: whose checkpoint it is.
        loaded: the model and its tokenizer.
        change: the example.
        recorded: the right answer's negative log-likelihood in the run, nats per token.
        settings: `max_length`.

    Raises:
        RunError: the likelihood differs.
    """
    model, tokenizer = loaded
    encoded = encode(tokenizer, [_example(change)], settings["max_length"])
    with evaluating(model):
        _, (total,) = teacher_forced(model, encoded, tokenizer.pad_token_id, 1)
    nll = total / len(encoded[0].answer)
    if abs(nll - recorded) > _TOLERANCE * max(1.0, recorded):
        raise RunError(
            f"{run.path} recorded {recorded:.2f} nats per token for the right answer to "
            f"{change.task}'s example {change.index}, and its checkpoint gives {nll:.2f}: the "
            "prompt was read otherwise (a conversation written by a chat template, or a prompt "
            "that was cut), so attribute_tokens needs the example itself"
        )
