"""Scoring the model of a run before its first task, within a task and after it."""

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation import Evaluation, evaluate
from fggm_lab.runs import RunConfig
from fggm_lab.tasks import General, TaskSequence


def measured_after(
    task: int,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    general: General | None,
    config: RunConfig,
    *,
    final: bool = True,
) -> Evaluation:
    """Score a model as its run's settings say.

    Args:
        task: the 0-based task that is or was trained last; -1: none.
        model: as it is now.
        tokenizer: the model's.
        tasks: all of the run.
        general: what General is measured on, if it is.
        config: the run's.
        final: on whole splits, and of all tasks if the settings ask for it; else on a sample of the
            tasks seen so far.

    Returns:
        The scores.
    """
    training = config.training
    every_task = final and training.score_unlearned
    return evaluate(
        model,
        tokenizer,
        list(tasks) if every_task else list(tasks)[: task + 1],
        general,
        split=training.split,
        max_length=config.max_length,
        max_new_tokens=config.max_new_tokens,
        max_prompt=training.score_max_prompt,
        autocast=training.autocast,
        probe=None if final else training.probe,
        allow_code_execution=config.code_execution,
    )
