"""What a run's record says of its model, tasks and machine, whoever trains it."""

from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.models.fingerprint import fingerprint, tokenizer_fingerprint
from fggm_lab.runs import RunConfig
from fggm_lab.tasks import General, TaskSequence, general_fingerprint, task_fingerprint
from fggm_lab.training.hardware import surroundings


def run_config(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    general: General | None,
    *,
    model_name: str | None = None,
    **settings: Any,
) -> RunConfig:
    """The configuration of a run that begins with a model as it is now.

    Args:
        model: before the first task.
        tokenizer: the model's.
        tasks: that it learns, as they are learned and scored.
        general: what General is measured on; None: not measured.
        model_name: what was loaded; None: what the model says of itself.
        settings: the other fields of `RunConfig`, `method` and `training` among them.

    Returns:
        The configuration.

    Raises:
        SettingError: a setting is outside what it may be.
    """
    return RunConfig(
        model=model_name or str(model.config._name_or_path or type(model).__name__),
        **model_fingerprints(model, tokenizer),
        **data_fingerprints(tasks, general),
        tasks=tasks.source,
        task_names=tasks.names,
        data_fingerprint=task_fingerprint(sorted(tasks, key=lambda task: task.name)),
        general=None if general is None else general.source,
        general_choices=general.choose if general is not None and general.choices else None,
        device=model.device.type,
        dtype=str(model.dtype).removeprefix("torch."),
        **surroundings(model),
        **settings,
    )


def model_fingerprints(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> dict[str, Any]:
    """What a run begins with, by content.

    Args:
        model: before the first task.
        tokenizer: the model's.

    Returns:
        Field of `RunConfig` → fingerprint.
    """
    return {
        "model_fingerprint": fingerprint(model),
        "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer),
    }


def data_fingerprints(tasks: TaskSequence, general: General | None) -> dict[str, Any]:
    """What a run learns and is scored on, by content.

    Args:
        tasks: as they are learned and scored.
        general: what General is measured on; None: not measured.

    Returns:
        Field of `RunConfig` → fingerprint.
    """
    return {
        "task_fingerprint": task_fingerprint(tasks),
        "general_fingerprint": None if general is None else general_fingerprint(general),
    }
