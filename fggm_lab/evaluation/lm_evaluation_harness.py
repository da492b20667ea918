"""General ability through lm-evaluation-harness (optional: `pip install 'fggm-lab[harness]'`).

TRACE (arXiv 2310.06762) measures General on six public sets. The harness has them as tasks and
fetches their data from the hub; a task of one's own is a YAML file beside its data and needs none.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, SettingError, first_line
from fggm_lab.extras import require
from fggm_lab.models.generation import own_settings_only
from fggm_lab.models.modes import evaluating

TRACE_GENERAL: dict[str, str] = {
    "mmlu": "acc,none",
    "bbh_fewshot": "exact_match,none",
    "tydiqa_goldp": "f1,none",
    "boolq": "acc,none",
    "piqa": "acc,none",
    "gsm8k": "exact_match,flexible-extract",
}
"""The harness's names of TRACE's six general sets → the number of each that counts.

TRACE itself evaluated through OpenCompass, with other prompts: compare models within one harness,
not with TRACE's table."""

CHAT_GENERAL: dict[str, str] = {
    "hellaswag": "acc_norm,none",
    "ifeval": "prompt_level_strict_acc,none",
}
"""The harness's names of two sets that say whether a chat model still is one: it follows
instructions, and knows how a story goes on → the number of each that counts."""

SETS: dict[str, dict[str, str]] = {"trace": TRACE_GENERAL, "chat": CHAT_GENERAL}
"""Sets of the harness's tasks by a name."""

_NUMBERS = {**TRACE_GENERAL, **CHAT_GENERAL}

_PREFERRED = ("acc", "exact_match", "f1")


def harness_general(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[str] = tuple(TRACE_GENERAL),
    *,
    include: str | Path | None = None,
    limit: int | None = None,
    batch_size: int = 16,
    max_length: int | None = None,
    chat: bool = False,
) -> dict[str, Any]:
    """Score a model on tasks of lm-evaluation-harness.

    What the model's `generation_config` says is not obeyed, as in `evaluate`.

    Args:
        model: a causal language model; it stays as it is.
        tokenizer: the model's.
        tasks: names of its tasks, groups or tags.
        include: a folder with YAML files of further tasks.
        limit: at most so many examples of each task.
        batch_size: examples per forward pass.
        max_length: tokens per example. None: the model's context.
        chat: write prompts with the tokenizer's chat template.

    Returns:
        `{"score", "skills", "metrics"}`: the mean over tasks, each task's score from 0 to 1, and
        which of its numbers that is: the one in `SETS` where its task is there, else accuracy,
        exact match or F1, the first there is.

    Raises:
        MissingExtra: the harness is not installed.
        SettingError: it has no such task.
        DataError: a task's data cannot be fetched, as offline, it needs a library that is not
            installed, or it has no number from 0 to 1; or `chat` without a chat template.
    """
    require("General by lm-evaluation-harness", "lm_eval")
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    if not tasks:
        raise SettingError("no harness task is named; name at least one, such as boolq")
    if chat and not getattr(tokenizer, "chat_template", None):
        raise DataError("the tokenizer has no chat template; leave out chat (--chat)")
    if include is not None and not Path(include).is_dir():
        raise DataError(f"there is no folder {include} with tasks of the harness; check the path")
    manager = TaskManager(include_path=None if include is None else str(include))
    for name in tasks:
        if name not in manager.all_tasks:
            raise SettingError(
                f"lm-evaluation-harness has no task '{name}'; lm-eval ls tasks lists its own, and "
                "include=… (--include) names a folder of others"
            )
    skills, metrics = {}, {}
    with evaluating(model):  # where HFLM would leave it, too
        wrapped = HFLM(
            pretrained=model, tokenizer=tokenizer, batch_size=batch_size, max_length=max_length
        )
        for name in tasks:
            try:
                with own_settings_only(model, tokenizer.eos_token_id, tokenizer.pad_token_id):
                    output = simple_evaluate(
                        wrapped,
                        tasks=[name],
                        limit=limit,
                        task_manager=manager,
                        bootstrap_iters=0,
                        log_samples=False,
                        apply_chat_template=chat,
                    )
            except ImportError as problem:
                raise DataError(
                    f"harness task {name} needs a library that is not installed "
                    f"({first_line(problem)}); pip install 'lm-eval[{name}]' brings it"
                ) from problem
            except (OSError, ValueError) as problem:
                raise DataError(
                    f"harness task {name} cannot be run ({first_line(problem)}); its data comes "
                    "from the hub: fetch it once while online, or name a task with local data"
                ) from problem
            skills[name], metrics[name] = _score(name, output or {})
    return {
        "score": sum(skills.values()) / len(skills),
        "skills": skills,
        "metrics": metrics,
    }


def _score(name: str, output: Mapping[str, Any]) -> tuple[float, str]:
    """A task's or a group's own number, or the mean over the tasks behind a tag."""
    groups, results = output.get("groups") or {}, output.get("results") or {}
    rows = [groups.get(name) or results.get(name)]
    if rows == [None]:
        rows = list(results.values())
    metric = _NUMBERS.get(name) or _metric(rows)
    values = [row.get(metric) for row in rows if row is not None]
    if not values or not all(isinstance(v, int | float) and 0 <= v <= 1 for v in values):
        raise DataError(
            f"harness task {name} gives no accuracy, exact match or F1 from 0 to 1; name another"
        )
    return sum(values) / len(values), str(metric)


def _metric(rows: Sequence[Mapping[str, Any] | None]) -> str | None:
    """The name of the first preferred number that a row has, with its filter."""
    for preferred in _PREFERRED:
        for key in rows[0] or {} if rows else {}:
            if key.partition(",")[0] == preferred:
                return key
    return None
