"""A real chat model on real tasks: the Fisher pass, a step, evaluation, loading.

SmolLM2-135M-Instruct and the settings of `fggm-lab real`. Where the model is not there, the case
says so and is left out.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import PreTrainedModel, PreTrainedTokenizerBase

import fggm_lab as lab
from benchmarks.fisher import fisher_pass
from benchmarks.harness import (
    Column,
    Report,
    Row,
    Settings,
    Target,
    Timing,
    ratio,
    raw,
    side_by_side,
)
from benchmarks.models import Batch, forward_backward
from benchmarks.steps import Side
from fggm_lab.errors import LabError
from fggm_lab.methods import make_method
from fggm_lab.models import TINY
from fggm_lab.models.encoding import collate, encode
from fggm_lab.tasks import TaskSequence
from fggm_lab.training.presets import preset

FISHER = "unit Fisher of all parameters, the head included ÷ forward+backward"
STEP = "FGGM step at keep 0.3 ÷ SFT step"
SELF_KL = "self-kl step ÷ SFT step"
EVALUATION = "evaluation after a task ÷ the task"
LOADING = "loading from the cache, s"
LIMITS = {FISHER: 0.95, STEP: 0.85, EVALUATION: 0.15, LOADING: 3.0}
EXAMPLES = 64
"""Examples of a task that methods look at before it."""


def run(settings: Settings) -> Report:
    """One row for each thing that is measured."""
    columns = [
        Column("what", "what"), Column("value", "measured", ".2f"),
        Column("seconds", "seconds", ".2f"), Column("beside", "beside", ".2f"),
    ]  # fmt: skip
    title = "A real chat model on its tasks"
    name = TINY if settings.size == "tiny" else preset("real").options["model"].value
    try:
        lab.load_model(name)  # converted, and kept
    except LabError as problem:
        return Report(title, columns, [], [], [f"not measured: {problem}"])
    rows = measure(settings, name)
    targets = [
        Target(what, row["value"], limit)
        for what, limit in LIMITS.items()
        for row in rows
        if row["what"] == what
    ]
    notes = ["Batches of 8 examples of each of real-mini's tasks, as conversations, padding apart."]
    return Report(title, columns, rows, targets, notes)


def measure(settings: Settings, name: str) -> list[Row]:
    """Each thing beside what it is compared with."""
    start = time.perf_counter()
    model, tokenizer = lab.load_model(name, device=settings.device.type)
    loading = time.perf_counter() - start
    tasks = lab.load_tasks("real-mini").limited(8 if settings.size == "tiny" else EXAMPLES)
    tasks = tasks.as_conversations() if tokenizer.chat_template else tasks
    batches: list[Batch] = [
        collate(encode(tokenizer, task.train[:8], 256), tokenizer.pad_token_id) for task in tasks
    ]
    parameters = [parameter for parameter, _ in model.named_parameters()]
    passes = side_by_side(
        {
            "fisher": fisher_pass(model, parameters, batches),
            "plain": forward_backward(model, batches),
        },
        settings,
    )
    methods = {
        "plain": make_method("sft"),
        "fggm": make_method("fggm"),
        "self-kl": make_method("self-kl", start_samples=16, task_samples=8),
    }
    sides = {key: Side(method, model, tokenizer, tasks) for key, method in methods.items()}
    steps = side_by_side({key: side.steps(2) for key, side in sides.items()}, settings)
    return [
        {"what": LOADING, "value": loading, "seconds": loading},
        _row(FISHER, passes, "fisher"),
        _row(STEP, steps, "fggm"),
        _row(SELF_KL, steps, "self-kl"),
        evaluation(model, tokenizer, tasks if settings.size == "tiny" else None),
    ]


def _row(what: str, timings: Mapping[str, Timing], name: str) -> Row:
    """A call beside the plain one."""
    return {
        "what": what,
        "value": ratio(timings[name], timings["plain"]),
        "seconds": timings[name].median,
        "beside": timings["plain"].median,
        "raw": raw(timings),
    }


def evaluation(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tasks: TaskSequence | None
) -> Row:
    """Tasks trained by plain fine-tuning with the preset's settings, and what scoring them takes.

    Args:
        model: stays as it is.
        tokenizer: the model's.
        tasks: by default the preset's.

    Returns:
        The row.
    """
    chosen = preset("real")
    options = chosen.options
    with TemporaryDirectory() as folder:
        finished = lab.run_sequence(
            model,
            tokenizer,
            tasks or lab.load_tasks(options["tasks"].value).as_conversations(),
            "sft",
            Path(folder, "run"),
            general=lab.load_general(options["general"].value),
            settings=chosen.settings,
            points_per_task=0,
        )
        spent = [event["seconds"] for event in finished.events("task")]
    total = sum(sum(seconds.values()) for seconds in spent)
    measured = sum(seconds["evaluate"] for seconds in spent)
    return {"what": EVALUATION, "value": measured / total, "seconds": measured, "beside": total}
