"""Training one task under a mask: the steps, and nothing about files."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel

from fggm_lab.distributed import rank, sum_gradients, summed, world_size
from fggm_lab.errors import TrainingError
from fggm_lab.masks import Mask
from fggm_lab.methods import Method, TaskContext
from fggm_lab.models.answer_logits import answer_positions, logits_at
from fggm_lab.models.checkpointing import checkpoint_activations, store_activations
from fggm_lab.models.encoding import IGNORED, Encoded, collate, text_logits, to_device
from fggm_lab.models.loss import mean_loss, next_tokens, router_loss
from fggm_lab.settings import OptimizerName, TrainingSettings
from fggm_lab.training.active_rows import ActiveRows, parameter_not_by_unit
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.schedule import batch_indices, learning_rate

OPTIMIZERS: dict[OptimizerName, Callable[..., Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True)
class StepReport:
    """One optimiser step.

    Attributes:
        task_step: its number in the task, from 1.
        loss, lr, norm: mean loss per answer token, learning rate, gradient norm after masking.
        seconds: what it took.
        mask: the mask from here on, where the method chose a new one.
    """

    task_step: int
    loss: float
    lr: float
    norm: float
    seconds: float
    mask: Mask | None = None


def masking_for(
    model: PreTrainedModel, mask: Mask | None, method: Method
) -> ActiveRows | MaskedGradients:
    """The cheaper way to train under a mask that this mask and method allow."""
    if mask is None or method.whole_gradients or parameter_not_by_unit(mask, model) is not None:
        return MaskedGradients(model, mask)
    return ActiveRows(model, mask)


def make_optimizer(model: PreTrainedModel, settings: TrainingSettings) -> Optimizer:
    """A fresh optimiser over all trainable parameters, as every task starts with."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    kind = OPTIMIZERS[settings.optimizer]
    return kind(parameters, lr=settings.lr, weight_decay=settings.weight_decay)


def train_task(
    context: TaskContext,
    method: Method,
    masking: ActiveRows | MaskedGradients,
    optimizer: Optimizer,
    settings: TrainingSettings,
    examples: Sequence[Encoded],
    steps: int,
    done: int,
    after_step: Callable[[StepReport], bool],
) -> bool:
    """Take the steps of one task from step `done` on.

    Each step: loss, gradients, their sum over ranks, the method's word on them, the mask's
    projection, clipping of what is left, the optimiser, the method's word on the weights.

    Args:
        context: the task, and the model to train.
        method: the continual-learning method.
        masking: what keeps frozen units frozen; the optimiser is attached to it.
        optimizer: fresh, or restored together with the model after `done` steps.
        settings: how to train; its `epochs` do not count, `steps` does.
        examples: what is trained on.
        steps: how many there are in all.
        done: how many of them were taken before.
        after_step: called after every step; training goes on while it says True. Time spent there
            is not counted.

    Returns:
        Whether all steps were taken.

    Raises:
        TrainingError: the loss or the gradient is not a number.
    """
    model = context.model
    batches = batch_indices(
        len(examples), steps, settings.batch_size, context.seed_for("data order")
    )
    trained = list(masking.parameters())
    clip = math.inf if settings.clip is None else settings.clip
    model.train()
    if settings.gradient_checkpointing:
        checkpoint_activations(model)
    method.start(context)
    method.attach(optimizer)
    try:
        for number in range(done, steps):
            start = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            batch = method.batch(context, [examples[i] for i in batches[number]], number)
            if world_size() > 1:  # each rank's own dropout, the same in a resumed run
                torch.manual_seed(context.seed_for(f"rank {rank()}, step {number}"))
            value = summed(_backward(context, method, batch, settings))
            sum_gradients(trained)
            method.on_gradients(model)
            masking.project()
            norm = torch.nn.utils.clip_grad_norm_(trained, clip)
            if not (math.isfinite(value) and bool(torch.isfinite(norm))):
                raise TrainingError(
                    f"the loss is {value} and the gradient's norm {float(norm)} at step "
                    f"{number + 1} of task {context.name}"
                )
            scale = method.lr_scale * method.step_lr_scale(context, value)
            lr = learning_rate(
                scale * settings.lr, number, steps, settings.schedule, settings.warmup
            )
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            if method.on_weights(context, number + 1, steps):
                masking.renew()
            mask = method.remask(context, number + 1, steps)
            if mask is not None and isinstance(masking, MaskedGradients):
                masking.change(mask)
            seconds = time.perf_counter() - start
            if not after_step(StepReport(number + 1, value, lr, float(norm), seconds, mask)):
                return False
        return True
    finally:
        method.finish()
        if settings.gradient_checkpointing:
            store_activations(model)
        optimizer.zero_grad(set_to_none=True)
        model.eval()


def _backward(
    context: TaskContext, method: Method, examples: Sequence[Encoded], settings: TrainingSettings
) -> float:
    """Add this rank's part of the gradients of a batch's mean loss per answer token.

    The batch goes through in parts of `settings.micro_batch` examples of each rank, each counting
    by its tokens. A rank's rows are padded as those of all ranks together: a method that counts
    padding counts what it does in one process. What the method or a mixture's router adds to the
    loss is in the gradients, but not in what is returned.

    Args:
        context: the task and the model.
        method: the continual-learning method.
        examples: the batch.
        settings: how to train.

    Returns:
        This rank's part of the loss, nats per answer token.
    """
    model = context.model
    size = world_size() * settings.micro_batch if settings.micro_batch else len(examples)
    # Texts that a method has added have no answers, are often longer, and need every logit.
    answered = [item for item in examples if item.answer]
    groups = (answered, [item for item in examples if not item.answer])
    parts = [
        collate(group[j : j + size], context.tokenizer.pad_token_id)
        for group in groups
        for j in range(0, len(group), size)
    ]
    tokens = sum(_answer_tokens(part) for part in parts)
    losses: list[tuple[float, Tensor]] = []
    for part in parts:
        rank_part = {name: _shard(tensor) for name, tensor in part.items()}
        if not len(rank_part["labels"]):
            continue
        count = _answer_tokens(rank_part)
        share = count / tokens
        batch = to_device(rank_part, model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.autocast):
            # Without labels: the loss of some families is that of copying, not of predicting.
            inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
            terms: list[Tensor | None] = []
            reads_logits = method.reads_logits(batch)
            if reads_logits:
                output = model(**inputs, use_cache=False)
                logits = text_logits(output.logits, batch["labels"].shape[1])
                targets = next_tokens(batch["labels"])
            else:
                positions, targets = (
                    _shard(tensor).to(model.device) for tensor in answer_positions(part["labels"])
                )
                output, logits = logits_at(model, inputs, positions)
            if count:  # of no answers there is no mean
                data_loss = mean_loss(logits, targets)
                further = [router_loss(model, output)]
                if reads_logits:
                    further.append(method.extra_loss(batch, logits))
                loss = data_loss + sum(term for term in further if term is not None)
                terms.append(loss * share)
                losses.append((share, data_loss.detach()))
            if reads_logits:
                terms.append(method.summed_loss(batch, logits))
            present = [term for term in terms if term is not None]
        if present:
            torch.stack(present).sum().backward()
    # Read at the end, for a GPU's number is waited for.
    return sum((share * float(loss) for share, loss in losses), 0.0)


def _shard(tensor: Tensor) -> Tensor:
    """This rank's rows of a tensor of all ranks."""
    return tensor[rank() :: world_size()].contiguous()


def _answer_tokens(batch: dict[str, Tensor]) -> int:
    """How many tokens of answers are predicted in a batch."""
    return int((batch["labels"][:, 1:] != IGNORED).sum())
