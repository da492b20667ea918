"""What every method is: a few words before, during and after each task of a sequence."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer

Memory = dict[str, Tensor]
"""What a method keeps from one task to the next, by names it chooses (`ewc.weight.…`).

The lab writes it into the run with every saved state, so that a resumed or branched run has it."""


def _unknown() -> PreTrainedModel:
    raise SettingError(
        "this context does not know the model as it was before the task; give TaskContext(before=…)"
    )


@dataclass(frozen=True)
class TaskContext:
    """What a method may look at: the model, the new task's training data, and its own memory.

    Attributes:
        examples, encoded: the training examples, as text and as token ids.
        name, index: the task's name and its 0-based place in the sequence.
        seed: the run's seed.
        max_length: the most tokens an example may have.
        memory: what the method keeps; change it in place.
        before: makes a copy, on the CPU, of the plain model as it was when the task began.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    examples: tuple[HasPromptAndAnswer, ...]
    encoded: list[Encoded]
    name: str
    index: int
    seed: int
    max_length: int
    memory: Memory = field(default_factory=dict)
    before: Callable[[], PreTrainedModel] = _unknown

    def fisher(self, max_examples: int | None = None, **settings: Any) -> FisherScores:
        """The Fisher scores of the model as it is, on the task's training examples.

        Args:
            max_examples: use only so many, drawn by the run's seed (None: all).
            settings: further ones of `fisher_scores`.
        """
        return fisher_scores(
            self.model,
            self.tokenizer,
            self.encoded,
            max_examples=max_examples,
            max_length=self.max_length,
            seed=self.seed,
            task=self.name,
            **settings,
        )


@dataclass(frozen=True)
class Plan:
    """What a method decided for one task.

    Attributes:
        mask: the units that may move; None lets every unit move.
        scores: the scores the mask was cut from, kept for those who want to look.
    """

    mask: Mask | None = None
    scores: FisherScores | None = None


@dataclass(frozen=True)
class Method:
    """Base of all methods; its dataclass fields are its settings.

    A method of your own overrides what it needs, usually `plan` alone. The training loop keeps
    frozen units bit-identical whatever the optimiser does, so a mask is all a method must give.
    What must outlive a task goes into `context.memory`; what must outlive a step does, too, if a
    run is to be resumed in the middle of a task.

    Attributes:
        name: what the command line, tables and figures call it.
        paper: where it is described, with the equation.
        stores: what it keeps from task to task, in words.
        masks: whether it chooses which units may move.
        adapts: whether it trains parameters of its own in the model's place.
        own_weights: whether it needs the model's own weights to be what is trained, and so cannot
            be combined with a method that adapts.
        alone: whether it cannot be combined with another method.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    stores: ClassVar[str] = "nothing"
    masks: ClassVar[bool] = False
    adapts: ClassVar[bool] = False
    own_weights: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, ready for JSON: the fields that are given when it is made."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @property
    def rate(self) -> float:
        """How many times the run's learning rate it trains with."""
        return 1.0

    @property
    def whole_gradients(self) -> bool:
        """Whether it needs every parameter's whole gradient, or a say in the optimiser's steps."""
        hooks = ("on_gradients", "attach", "remask")
        return any(getattr(type(self), hook) is not getattr(Method, hook) for hook in hooks)

    # Before a task

    def check(self, tasks: int) -> None:
        """Raise a `SettingError` if it cannot learn a sequence of so many tasks."""

    def training_set(self, index: int, encoded: Sequence[list[Encoded]]) -> Sequence[Encoded]:
        """What is trained on as the `index`-th task, given the training data of all tasks."""
        return encoded[index]

    def epochs(self, index: int, own: Sequence[float], examples: Sequence[int]) -> float:
        """How often the `index`-th training set is seen, given each task's epochs and examples."""
        return own[index]

    def adapted(self, context: TaskContext) -> AbstractContextManager[None]:
        """Inside, the model is as this method trains it; afterwards it is a plain one again."""
        return nullcontext()

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """A copy, on the CPU, of the model as `adapted` gave it when the task began."""
        return context.before()

    def plan(self, context: TaskContext) -> Plan:
        """Decide before a task; called once per task, not again on resume."""
        return Plan()

    # During a task

    def start(self, context: TaskContext) -> None:
        """Training of a task starts or resumes: attach hooks to the model here."""

    def attach(self, optimizer: Optimizer) -> None:
        """The optimiser is there, fresh or with its saved state: register hooks on it here."""

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The examples of 0-based step `step`, given those of the new task."""
        return batch

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """What to add to the mean loss per answer token of a batch.

        Args:
            batch: `input_ids`, `attention_mask` and `labels`, each (B, T).
            logits: the model's, (B, T, vocabulary).
        """
        return None

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Gradients are there, neither masked nor clipped yet: change `.grad` in place here."""

    def remask(self, context: TaskContext, step: int, steps: int) -> Mask | None:
        """A new mask to train under after `step` of `steps` steps; None keeps the one there is."""
        return None

    def finish(self) -> None:
        """Training of a task ended or was interrupted: detach hooks here."""

    # After a task

    def after_task(self, context: TaskContext) -> None:
        """All steps of a task were taken: put what must be remembered into the memory."""
