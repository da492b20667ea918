"""The protocol of methods: hooks that training calls before, during and after each task."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.deprecation import warn_renamed
from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer
from fggm_lab.seeds import derived_rng, derived_seed

Memory = dict[str, Tensor]
"""What a method remembers from one task to the next, by names it chooses (`ewc.weight.…`).

It is written into the run with every saved state, so that a resumed or branched run has it."""


def _model_before_is_unknown() -> PreTrainedModel:
    raise SettingError(
        "this context does not know the model as it was before the task; give TaskContext(before=…)"
    )


@dataclass(frozen=True)
class TaskContext:
    """What a method can use: the model, the new task's training data, and its own memory.

    Attributes:
        model: the model that is trained.
        tokenizer: its tokenizer.
        examples: the task's training examples, as text.
        encoded: the same examples, as token ids.
        name: the task's name.
        index: the task's position in the sequence, from 0.
        seed: the run's seed.
        max_length: the maximum number of tokens of an example.
        memory: what the method remembers from task to task; change it in place.
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
    before: Callable[[], PreTrainedModel] = _model_before_is_unknown

    def seed_for(self, purpose: str) -> int:
        """Derive a seed from the run's seed, this task and what is drawn, for torch.

        Args:
            purpose: what is drawn, in a few words; different purposes draw independently.

        Returns:
            A whole number below 2⁶³.
        """
        return derived_seed(self.seed, self.index, purpose)

    def rng(self, purpose: str, *steps: int) -> np.random.Generator:
        """A NumPy generator from the run's seed, this task and what is drawn.

        Args:
            purpose: what is drawn, in a few words; different purposes draw independently.
            steps: the optimiser step, or other numbers, where each step draws afresh.

        Returns:
            A fresh generator; the same arguments give the same numbers, in a resumed run, too.
        """
        return derived_rng(self.seed, self.index, purpose, *steps)

    def fisher(self, max_examples: int | None = None, **settings: Any) -> FisherScores:
        """Score the model as it is now on the task's training examples.

        Args:
            max_examples: use only so many examples, drawn by the run's seed (None: all).
            settings: further settings of `fisher_scores`.

        Returns:
            The Fisher scores of every unit.
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


MaskOrder = Literal["highest", "lowest", "unstored"]
"""The units that a mask lets move: those of the highest or the lowest of the stored scores, or of
the highest scores of a kind that is not stored."""


@dataclass(frozen=True)
class Plan:
    """What a method decided before one task.

    Attributes:
        mask: the units that may move; None lets every unit move.
        scores: the scores the mask was cut from; they are written into the run.
    """

    mask: Mask | None = None
    scores: FisherScores | None = None


@dataclass(frozen=True)
class Method:
    """Base of all methods; the dataclass fields of a subclass are its settings.

    A method of your own overrides what it needs, usually `plan` alone. Training keeps frozen units
    bit-identical whatever the optimiser does, so a mask is all that such a method must give.

    Training calls the hooks in this order:

        check                      can the sequence be learned?
        check_data                 can its examples be learned from?
        training_set               for each task: what it is trained on
        epochs                     for each task: how often that is seen
        for each task:
            with adapted:          the model as the method trains it
                plan               which units may move; not called again on resume
                start              training starts or resumes
                attach             the optimiser exists
                for each step:
                    batch          the examples of the step
                    reads_logits   for each micro-batch: whether the losses below look at it
                    extra_loss     for each micro-batch: a term of its loss
                    summed_loss    for each micro-batch: its part of a term of the whole step
                    on_gradients   then the gradients are masked and clipped
                    step_lr_scale  then the optimiser takes the step
                    on_weights     the weights that it led to
                    remask         a new mask, if any
                finish             training ended or was interrupted
                after_task         only if all steps were taken

    `begun` is called where a part of a combination needs the model before the task, and `lr_scale`
    before each step of the optimiser. What must outlive a task goes into `context.memory`; so does
    what must outlive a step, if a run is to be resumed within a task.

    Attributes:
        name: what the command line, run folders, tables and figures call it.
        paper: where it is described, with the equation.
        stores: what it remembers from task to task, in words.
        masks: whether it chooses which units may move.
        adapts: whether it trains parameters of its own instead of the model's.
        takes_masks: of a method that adapts, whether its parameters have units, the output units of
            the weights they belong to, among which a method that masks can choose.
        own_weights: whether the model's own weights must be what is trained, so that it cannot be
            combined with a method that adapts.
        merges: whether it changes the weights that a task ends with, so that it cannot be combined
            with another that does.
        alone: whether it cannot be combined with another method.
        data_parallel: whether a method of your own is right where each process sees a share of
            every batch: what it does in `extra_loss` and `summed_loss` holds for any part of a
            batch, and what it gathers in the model's hooks it sums over processes
            (`fggm_lab.distributed`). The lab's own methods need not say so.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = "unpublished"
    stores: ClassVar[str] = "nothing"
    masks: ClassVar[bool] = False
    adapts: ClassVar[bool] = False
    takes_masks: ClassVar[bool] = True
    own_weights: ClassVar[bool] = False
    merges: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    data_parallel: ClassVar[bool] = False

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, ready for JSON: the fields that are given when it is made."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}

    @property
    def mask_order(self) -> MaskOrder:
        """Which of the scores that a run stores are those of the units its masks let move."""
        return "highest"

    @property
    def lr_scale(self) -> float:
        """The factor by which the run's learning rate is multiplied."""
        if type(self).rate is not Method.rate:  # a subclass written for an older version
            warn_renamed(f"{type(self).__name__}.rate", "lr_scale")
            return self.rate
        return 1.0

    @property
    def rate(self) -> float:
        """The former name of `lr_scale`."""
        warn_renamed("Method.rate", "lr_scale")
        return self.lr_scale

    @property
    def whole_gradients(self) -> bool:
        """Whether it needs every parameter's whole gradient, or hooks the optimiser's steps."""
        hooks = ("on_gradients", "attach", "remask")
        return any(getattr(type(self), hook) is not getattr(Method, hook) for hook in hooks)

    @property
    def sums(self) -> bool:
        """Whether it adds a `summed_loss` of its own."""
        return type(self).summed_loss is not Method.summed_loss

    # Before a task

    def check(self, tasks: int) -> None:
        """Raise a `SettingError` if it cannot learn a sequence of so many tasks."""

    def check_model(self, model: PreTrainedModel) -> None:
        """Raise a `SettingError` if it would train nothing of a model, before anything is scored.

        Args:
            model: as it is before the first task.
        """

    def check_data(self, names: Sequence[str], encoded: Sequence[list[Encoded]], seed: int) -> None:
        """Raise a `DataError` if it cannot learn from the tasks' examples.

        Args:
            names: the tasks' names, in the order they are learned.
            encoded: the training examples of all tasks, as token ids.
            seed: the run's seed.
        """

    def training_set(self, index: int, encoded: Sequence[list[Encoded]]) -> Sequence[Encoded]:
        """Choose what a task is trained on.

        Args:
            index: the task's position in the sequence, from 0.
            encoded: the training examples of all tasks, as token ids.

        Returns:
            The examples to train on; no step is taken if there are none.
        """
        return encoded[index]

    def epochs(self, index: int, task_epochs: Sequence[float], examples: Sequence[int]) -> float:
        """Choose how often a task's training set is seen.

        Args:
            index: the task's position in the sequence, from 0.
            task_epochs: the epochs that the run's configuration gives each task.
            examples: the number of training examples of each task.

        Returns:
            The number of epochs, which need not be whole.
        """
        return task_epochs[index]

    def adapted(self, context: TaskContext) -> AbstractContextManager[None]:
        """Inside, the model is as this method trains it; afterwards it is a plain one again."""
        return nullcontext()

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """A copy, on the CPU, of the model as `adapted` gave it when the task began."""
        return context.before()

    def plan(self, context: TaskContext) -> Plan:
        """Choose the units that may move in a task; called once per task, not again on resume."""
        return Plan()

    # During a task

    def start(self, context: TaskContext) -> None:
        """Prepare when training of a task starts or resumes: register hooks on the model here."""

    def attach(self, optimizer: Optimizer) -> None:
        """Register hooks on the optimiser, which is new or has its saved state."""

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """Change the examples of a step.

        Args:
            context: of the task.
            batch: the step's examples of the new task.
            step: the number of the step within the task, from 0.

        Returns:
            The examples to train on in this step. Texts without an answer go through the model
            after the others, in micro-batches of their own, in their order; in a data-parallel run
            each rank sees `fggm_lab.distributed.share` of them.
        """
        return batch

    def reads_logits(self, batch: dict[str, Tensor]) -> bool:
        """Whether the losses it adds look at logits; they are only computed everywhere if they do.

        Else the head of the model runs where a token of an answer is predicted, and nowhere else.

        Args:
            batch: a micro-batch, `input_ids`, `attention_mask` and `labels`, each (B, T).

        Returns:
            By default whether it has such a loss; `extra_loss` and `summed_loss` are called if so.
        """
        return self.sums or type(self).extra_loss is not Method.extra_loss

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """Add a term to the mean loss per answer token of a batch.

        Args:
            batch: `input_ids`, `attention_mask` and `labels`, each (B, T).
            logits: the model's output, (B, T, vocabulary).

        Returns:
            The term, a scalar; None adds nothing.
        """
        return None

    def summed_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """Add a term to a step's loss that is summed over its micro-batches.

        `extra_loss` is a mean over answer tokens, so a micro-batch counts by its share of them. A
        mean over other tokens, as those of texts that `batch` has added, is divided here by their
        number in the whole step.

        Args:
            batch: `input_ids`, `attention_mask` and `labels`, each (B, T).
            logits: the model's output, (B, T, vocabulary).

        Returns:
            The micro-batch's summand, a scalar; None adds nothing.
        """
        return None

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Change the parameters' `.grad` in place, before they are masked and clipped."""

    def step_lr_scale(self, context: TaskContext, loss: float) -> float:
        """Choose a factor for the learning rate of one step, besides `lr_scale`.

        Args:
            context: of the task.
            loss: the step's mean loss per answer token, in nats, without what methods add to it.

        Returns:
            The factor; it is asked for once a step.
        """
        return 1.0

    def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
        """Change the model's weights in place, after a step of the optimiser.

        After the last step it is the model that is scored, saved and trained further.

        Args:
            context: of the task.
            step: how many steps of the task have been taken.
            steps: how many there are.

        Returns:
            Whether it changed them.
        """
        return False

    def remask(self, context: TaskContext, step: int, steps: int) -> Mask | None:
        """Change the mask within a task.

        Args:
            context: of the task.
            step: how many steps of the task have been taken.
            steps: how many there are.

        Returns:
            The mask to train under from now on; None keeps the present one.
        """
        return None

    def finish(self) -> None:
        """Remove hooks: training of a task ended or was interrupted."""

    # After a task

    def after_task(self, context: TaskContext) -> None:
        """Put what must be remembered into the memory: all steps of a task were taken."""
