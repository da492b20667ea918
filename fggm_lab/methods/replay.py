"""Experience replay (1902.10486): some old examples are trained on beside the new ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import numpy as np
import torch

from fggm_lab.checks import check_count, check_range
from fggm_lab.errors import SettingError
from fggm_lab.methods.base import Memory, Method, TaskContext
from fggm_lab.models.encoding import Encoded

Item = TypeVar("Item")

_MEMORY = "replay."


@dataclass(frozen=True)
class Replay(Method):
    """Keep some examples of every task, and add old ones to each batch of a later task.

    Which examples are kept, and which old ones a step sees, depends on the run's seed, the task and
    the step alone. Within a step no old example occurs twice, unless it needs more than there are.

    Attributes:
        per_task: how many examples are kept of each task, drawn by chance. (The paper keeps 1 to 15
            of each class; a language task has no classes.)
        ratio: old examples per new one; the paper's batches have as many of both.
    """

    name: ClassVar[str] = "replay"
    paper: ClassVar[str] = "arXiv 1902.10486, algorithm 1"
    stores: ClassVar[str] = "examples of every former task, as token ids"

    per_task: int = 32
    ratio: float = 1.0
    _old: list[Encoded] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_count("per_task", self.per_task)
        check_range("ratio", self.ratio, 0)

    def check(self, tasks: int) -> None:
        """Refuse a sequence in which there is nothing to replay."""
        if tasks < 2:
            raise SettingError(
                "replay with no earlier task: the sequence has one task, so no step would see an "
                "old example; give it two tasks or more, or train with sft"
            )

    def start(self, context: TaskContext) -> None:
        """Read the former tasks' examples from the memory."""
        self._old.extend(kept_examples(context.memory))

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The new examples, then the old ones drawn for this step."""
        rng = context.rng("replay", step)
        return [*batch, *drawn_for_step(self._old, self.ratio * len(batch), step, rng)]

    def finish(self) -> None:
        """Release them."""
        self._old.clear()

    def after_task(self, context: TaskContext) -> None:
        """Put some of the task's examples, drawn at random, into the memory."""
        rng = context.rng("replay")
        count = min(self.per_task, len(context.encoded))
        chosen = sorted(rng.choice(len(context.encoded), count, replace=False).tolist())
        keep_examples(context.memory, context.index, [context.encoded[i] for i in chosen])


def drawn_for_step(
    examples: Sequence[Item], per_step: float, step: int, rng: np.random.Generator
) -> list[Item]:
    """The examples that join a step's batch; none occurs twice unless more are asked for.

    Args:
        examples: what is drawn from.
        per_step: how many join a step on average; the steps' whole numbers add up to it.
        step: the number of the step within the task, from 0.
        rng: the step's own.

    Returns:
        The examples; none where there are none to draw from.
    """
    if not examples:
        return []
    # The difference of two rounded sums: the counts of all steps add up to the ratio.
    count = round((step + 1) * per_step) - round(step * per_step)
    chosen: list[int] = []
    while len(chosen) < count:
        chosen += rng.permutation(len(examples)).tolist()
    return [examples[i] for i in chosen[:count]]


def keep_examples(
    memory: Memory, task: int, examples: Sequence[Encoded], owner: str = _MEMORY
) -> None:
    """Write a task's examples into the memory: the token ids of all, one after the other, (N,).

    The lengths of each prompt and answer are a second tensor, (examples, 2).

    Args:
        memory: of the method.
        task: the task's position in the sequence, from 0.
        examples: what to remember.
        owner: the beginning of the names in the memory; each method has its own.
    """
    ids = [token for item in examples for token in item.prompt + item.answer]
    lengths = [[len(item.prompt), len(item.answer)] for item in examples]
    memory[f"{owner}{task:04d}.ids"] = torch.tensor(ids, dtype=torch.int32)
    memory[f"{owner}{task:04d}.lengths"] = torch.tensor(lengths, dtype=torch.int32)


def kept_examples(memory: Memory, owner: str = _MEMORY) -> list[Encoded]:
    """Read a method's examples from the memory, task by task; see `keep_examples`."""
    examples = []
    for key in sorted(k for k in memory if k.startswith(owner) and k.endswith(".ids")):
        ids: list[int] = memory[key].tolist()
        start = 0
        for prompt, answer in memory[f"{key.removesuffix('ids')}lengths"].tolist():
            middle, end = start + prompt, start + prompt + answer
            examples.append(Encoded(tuple(ids[start:middle]), tuple(ids[middle:end]), False))
            start = end
    return examples
