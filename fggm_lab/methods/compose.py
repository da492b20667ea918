"""Several methods at once, named with a plus: `replay+fggm`, `lora+migu`, `replay+lora+fggm`."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.methods.base import MaskOrder, Method, Plan, TaskContext
from fggm_lab.models.encoding import Encoded

PLUS = "+"
"""What joins the names of methods that are combined."""


@dataclass(frozen=True)
class Composed(Method):
    """Methods that work together: every hook calls that of each part in turn.

    At most one part chooses which units may move, at most one adapts, and at most one changes the
    weights that a task ends with; what the parts add to the loss is added up, and their learning
    rates are multiplied.

    Attributes:
        parts: the methods, at least two.

    Raises:
        SettingError: two parts exclude each other.
    """

    name: ClassVar[str] = "composed"
    paper: ClassVar[str] = "a combination"

    parts: tuple[Method, ...]

    def __post_init__(self) -> None:
        check_parts(self.parts)
        described = {
            "name": PLUS.join(part.name for part in self.parts),
            "paper": "; ".join(part.paper for part in self.parts),
            "stores": "; ".join(
                dict.fromkeys(p.stores for p in self.parts if p.stores != Method.stores)
            )
            or Method.stores,
            "masks": any(part.masks for part in self.parts),
            "adapts": any(part.adapts for part in self.parts),
            "own_weights": any(part.own_weights for part in self.parts),
            "merges": any(part.merges for part in self.parts),
        }
        for attribute, value in described.items():
            object.__setattr__(self, attribute, value)

    @property
    def settings(self) -> dict[str, Any]:
        """Each part's settings under its name, ready for JSON."""
        return {part.name: part.settings for part in self.parts}

    @property
    def mask_order(self) -> MaskOrder:
        """That of the part that masks."""
        return next((part.mask_order for part in self.parts if part.masks), "highest")

    @property
    def lr_scale(self) -> float:
        """The product of the parts' factors."""
        return math.prod(part.lr_scale for part in self.parts)

    @property
    def whole_gradients(self) -> bool:
        """Whether a part needs them."""
        return any(part.whole_gradients for part in self.parts)

    @property
    def sums(self) -> bool:
        """Whether a part adds a summed loss."""
        return any(part.sums for part in self.parts)

    # Before a task

    def check(self, tasks: int) -> None:
        """Raise a `SettingError` if a part cannot learn a sequence of so many tasks."""
        for part in self.parts:
            part.check(tasks)

    def check_model(self, model: PreTrainedModel) -> None:
        """Raise a `SettingError` if a part would train nothing of a model."""
        for part in self.parts:
            part.check_model(model)

    def check_data(self, names: Sequence[str], encoded: Sequence[list[Encoded]], seed: int) -> None:
        """Raise a `DataError` if a part cannot learn from the tasks' examples."""
        for part in self.parts:
            part.check_data(names, encoded, seed)

    def training_set(self, index: int, encoded: Sequence[list[Encoded]]) -> Sequence[Encoded]:
        """What the parts make of the task's training data, one after the other."""
        changed = list(encoded)
        for part in self.parts:
            changed[index] = list(part.training_set(index, changed))
        return changed[index]

    def epochs(self, index: int, task_epochs: Sequence[float], examples: Sequence[int]) -> float:
        """The maximum over the parts."""
        return max(part.epochs(index, task_epochs, examples) for part in self.parts)

    @contextmanager
    def adapted(self, context: TaskContext) -> Iterator[None]:
        """Inside, the model is as the parts train it."""
        with ExitStack() as stack:
            for part in self.parts:
                stack.enter_context(part.adapted(context))
            yield

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """The model before the task as the part that adapts gave it, or the plain one."""
        for part in self.parts:
            if part.adapts:
                return part.begun(context)
        return context.before()

    def plan(self, context: TaskContext) -> Plan:
        """The mask of the part that gives one, and the scores it was cut from.

        Args:
            context: of the task.

        Returns:
            The first mask and the first scores that a part gives.

        Raises:
            SettingError: two parts have given a mask.
        """
        plans = [part.plan(self._for_parts(context)) for part in self.parts]
        masks = [plan.mask for plan in plans if plan.mask is not None]
        if len(masks) > 1:
            givers = [
                part.name
                for part, plan in zip(self.parts, plans, strict=True)
                if plan.mask is not None
            ]
            raise SettingError(
                f"{self.name}: {' and '.join(givers)} both gave a mask; combine one of them only"
            )
        scores = [plan.scores for plan in plans if plan.scores is not None]
        return Plan(next(iter(masks), None), next(iter(scores), None))

    def _for_parts(self, context: TaskContext) -> TaskContext:
        """The context for the parts: the model before the task has the parameters it has now."""
        if not self.adapts:
            return context
        return replace(context, before=lambda: self.begun(context))

    # During a task

    def start(self, context: TaskContext) -> None:
        """Call every part."""
        for part in self.parts:
            part.start(self._for_parts(context))

    def attach(self, optimizer: Optimizer) -> None:
        """Call every part."""
        for part in self.parts:
            part.attach(optimizer)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """What the parts make of the batch; those with a summed loss, who count it, come last."""
        for part in sorted(self.parts, key=lambda part: part.sums):
            batch = part.batch(self._for_parts(context), batch, step)
        return batch

    def reads_logits(self, batch: dict[str, Tensor]) -> bool:
        """Whether a part does."""
        return any(part.reads_logits(batch) for part in self.parts)

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """The sum of what the parts add."""
        return _sum(part.extra_loss(batch, logits) for part in self.parts)

    def summed_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """The sum of what the parts add."""
        return _sum(part.summed_loss(batch, logits) for part in self.parts)

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Let every part change them, one that masks after those that add to them."""
        for part in sorted(self.parts, key=lambda part: part.masks):
            part.on_gradients(model)

    def step_lr_scale(self, context: TaskContext, loss: float) -> float:
        """The product of the parts' factors."""
        return math.prod(part.step_lr_scale(self._for_parts(context), loss) for part in self.parts)

    def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
        """Let every part change them."""
        changed = [part.on_weights(self._for_parts(context), step, steps) for part in self.parts]
        return any(changed)

    def remask(self, context: TaskContext, step: int, steps: int) -> Mask | None:
        """The new mask of the part that has one."""
        masks = [part.remask(self._for_parts(context), step, steps) for part in self.parts]
        return next((mask for mask in masks if mask is not None), None)

    def finish(self) -> None:
        """Call every part, the last one first."""
        for part in reversed(self.parts):
            part.finish()

    # After a task

    def after_task(self, context: TaskContext) -> None:
        """Let every part fill its memory."""
        for part in self.parts:
            part.after_task(self._for_parts(context))


def _sum(terms: Iterable[Tensor | None]) -> Tensor | None:
    """The sum of the terms that there are; None without any."""
    total: Tensor | None = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def check_parts(parts: Sequence[Method]) -> None:
    """Refuse methods that cannot work together.

    Args:
        parts: the methods.

    Raises:
        SettingError: with their names, the reason and the remedy.
    """
    joined = PLUS.join(part.name for part in parts)
    if len(parts) < 2:
        raise SettingError(f"a combination has two methods or more; this one has '{joined}' alone")
    for part in parts:
        if isinstance(part, Composed):
            raise SettingError(f"{joined}: name the parts of {part.name} one by one")
        if part.alone:
            raise SettingError(f"{joined}: {part.name} cannot be combined; run it by itself")
        if sum(other.name == part.name for other in parts) > 1:
            raise SettingError(f"{joined} names {part.name} twice; leave one out")
    masking = [part.name for part in parts if part.masks]
    if len(masking) > 1:
        raise SettingError(
            f"{joined}: {' and '.join(masking)} both choose which units may move; keep one of them"
        )
    adapting = [part.name for part in parts if part.adapts]
    if len(adapting) > 1:
        raise SettingError(
            f"{joined}: {' and '.join(adapting)} both put adapters into the model; keep one of them"
        )
    unmasked = [part.name for part in parts if not part.takes_masks]
    if unmasked and masking:
        raise SettingError(
            f"{joined}: {unmasked[0]}'s parameters are no rows of weights, so {masking[0]} has no "
            "units to choose from; combine it with lora, or leave one out"
        )
    merging = [part.name for part in parts if part.merges]
    if len(merging) > 1:
        raise SettingError(
            f"{joined}: {' and '.join(merging)} both change the weights that a task ends with; "
            "keep one of them"
        )
    for part in parts:
        if adapting and part.own_weights:
            raise SettingError(
                f"{joined}: {part.name} works on the model's own weights, which {adapting[0]} "
                "freezes; leave one out"
            )
