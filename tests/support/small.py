"""A sequence of three tiny tasks and settings under which it trains in a second."""

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from fggm_lab.methods import Method, TaskContext
from fggm_lab.models.encoding import encode
from fggm_lab.runs import Run
from fggm_lab.tasks import Example, General, Task, TaskSequence
from fggm_lab.training import run_sequence
from tests.support.families import character_tokenizer, some_examples, tiny_model

QUICK: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 4,
    "lr": 1e-2,
    "points_per_task": 2,
    "probe": 2,
    "checkpoint_every": 2,
}


def small_tasks(count: int = 3) -> TaskSequence:
    """Tasks of ten training and four test examples."""
    return TaskSequence(
        [
            Task(
                f"task-{i}",
                tuple(some_examples(10, seed=10 * i)),
                tuple(some_examples(4, seed=10 * i + 1)),
                tuple(some_examples(4, seed=10 * i + 2)),
            )
            for i in range(count)
        ],
        "small",
    )


def small_general() -> General:
    """Two skills of three examples."""
    skills = {name: tuple(some_examples(3, seed=s)) for name, s in (("one", 71), ("two", 72))}
    return General("small", "small", skills, {}, "higher")


def small_model(family: str = "llama", **settings: Any) -> PreTrainedModel:
    """A tiny float32 model."""
    return tiny_model(family, **{"dtype": torch.float32, **settings}).eval()


def context(model: PreTrainedModel, index: int = 1, seed: int = 0) -> TaskContext:
    """What a method sees before task `index`."""
    tokenizer = character_tokenizer()
    examples: tuple[Example, ...] = small_tasks()[index].train
    encoded = encode(tokenizer, examples, 64)
    return TaskContext(model, tokenizer, examples, encoded, "a task", index, seed, 64)


def jolt(context: TaskContext, seed: int) -> None:
    """Move every weight a little, as training would."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in context.model.parameters():
            noise = torch.randn(parameter.shape, generator=rng, dtype=torch.float64)
            parameter.add_(0.05 * noise.to(parameter))


def small_run(method: Method, out: Path, **settings: Any) -> Run:
    """Train a fresh tiny model through the small sequence."""
    family = settings.pop("family", "llama")
    return run_sequence(
        settings.pop("model", None) or small_model(family),
        character_tokenizer(),
        settings.pop("tasks", small_tasks()),
        method,
        out,
        **{"general": small_general(), "model_name": "small", **QUICK, **settings},
    )
