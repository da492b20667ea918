"""What a run learns and is scored on, of all that was loaded for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation.too_long import Skipped, fitting_general, fitting_tasks
from fggm_lab.models import example_length
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import General, Split, TaskSequence


@dataclass(frozen=True)
class UsedData:
    """The examples that count.

    Attributes:
        tasks: as they are learned and scored.
        general: as it is measured; None if it is not.
        skipped, general_skipped: what was left out because it does not fit: task → split →
            examples, and skill → examples.
    """

    tasks: TaskSequence
    general: General | None
    skipped: Mapping[str, Skipped]
    general_skipped: Skipped


def used_data(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    general: General | None,
    training: TrainingSettings,
) -> UsedData:
    """Shorten tasks and General as the settings say.

    Args:
        model: whose context bounds an example's length.
        tokenizer: the model's.
        tasks: that were loaded.
        general: likewise.
        training: `limit`, `score_limit`, `split`, `skip_too_long`, `max_length` and `until_loss`
            count.

    Returns:
        What is used.

    Raises:
        DataError: with `skip_too_long`, of a split or a skill no example fits.
    """
    tasks = tasks.limited(training.limit).limited(training.score_limit, [training.split])
    general = None if general is None else general.limited(training.score_limit)
    if not training.skip_too_long:
        return UsedData(tasks, general, {}, {})
    splits: dict[Split, None] = {"train": None, training.split: None}
    if training.until_loss is not None and all(task.eval for task in tasks):
        splits["eval"] = None
    longest = example_length(model, training.max_length)
    tasks, skipped = fitting_tasks(tokenizer, tasks, list(splits), longest)
    if general is None:
        return UsedData(tasks, None, skipped, {})
    general, general_skipped = fitting_general(tokenizer, general, longest)
    return UsedData(tasks, general, skipped, general_skipped)
