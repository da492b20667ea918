"""How much memory a Fisher pass and a step of training take, found without the model's weights.

The lab's own code runs on a model without weights (`fggm_lab.models.weightless`): one Fisher pass
over a batch, then two steps of training, of which the second has the optimiser's whole state. The
bytes of tensors are counted as they come and go. What no tensor of Python holds is not counted: the
work space of kernels, the allocator's fragments, on a GPU the CUDA context (some 0.5 GiB).
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, models
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

from fggm_lab.checks import check_choice, check_count
from fggm_lab.errors import SettingError
from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.fisher.memory_meter import MemoryMeter
from fggm_lab.fisher.registry import find_estimator
from fggm_lab.fisher.scores import dtype_name
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, SFT, Magnitude, Method, RandomMask, TaskContext
from fggm_lab.methods.masking import TaskMasking, complete, masked_names
from fggm_lab.methods.registry import as_method
from fggm_lab.models.build import checked_length, example_length
from fggm_lab.models.checkpointing import check_checkpointing
from fggm_lab.models.encoding import Encoded
from fggm_lab.models.load import floating_type, read_config
from fggm_lab.models.modes import evaluating
from fggm_lab.models.units import unit_axes
from fggm_lab.models.weightless import weightless_model
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.task import make_optimizer, masking_for, train_task

FISHER_BATCH = 16
"""The examples that `fisher_scores`, and FGGM in a run, score in one pass where they fit."""

_STEPS = 2
"""The optimiser has all of its state from the second step on."""

ESTIMABLE: tuple[type[Method], ...] = (SFT, FGGM, RandomMask, Magnitude)
"""The methods that add no tensors of their own to a step of training under a mask."""

_EXPECTED = {"scope": "parameter", "aggregation": "input", "estimator": "empirical"}
"""Settings of masks whose size is known before anything is scored."""


@dataclass(frozen=True)
class MemoryEstimate:
    """What a step of training and a Fisher pass take, by part; bytes.

    Attributes:
        model, method, dtype: what was estimated.
        parameters: how many numbers the model's parameters have.
        weights: parameters and buffers.
        optimizer_state: from the second step on.
        gradients: that wait for the optimiser.
        activations: the most that the forward and the backward pass hold beside weights and state:
            activations, logits, and as much of the gradients as exists then.
        copies: the most that the optimiser makes beside the gradients while it steps.
        fisher: what the Fisher pass adds to the weights; None for a method that scores nothing.
    """

    model: str
    method: str
    dtype: str
    parameters: int
    weights: int
    optimizer_state: int
    gradients: int
    activations: int
    copies: int
    fisher: int | None

    @property
    def training_peak(self) -> int:
        """The most bytes of a step: in its passes, or while the optimiser steps."""
        beside = max(self.activations, self.gradients + self.copies)
        return self.weights + self.optimizer_state + beside

    @property
    def fisher_peak(self) -> int | None:
        """The most bytes of a Fisher pass."""
        return None if self.fisher is None else self.weights + self.fisher

    @property
    def peak(self) -> int:
        """The most bytes of both."""
        return max(self.training_peak, self.fisher_peak or 0)

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        peaks = ("training_peak", "fisher_peak", "peak")
        return asdict(self) | {name: getattr(self, name) for name in peaks}


def estimate_memory(
    model: str | Path | Mapping[str, Any] | PreTrainedConfig,
    method: Method | str = "fggm",
    *,
    dtype: str | torch.dtype | None = None,
    answer_length: int | None = None,
    fisher_batch_size: int = FISHER_BATCH,
    device: Literal["cuda", "cpu"] = "cuda",
    trust_remote_code: bool = False,
    settings: TrainingSettings | None = None,
    **changes: Any,
) -> MemoryEstimate:
    """Estimate the memory that a method takes on a model, from the model's config alone.

    Args:
        model: `"tiny"`, a folder with a config.json, such a file, a hub id, or a config. No weight
            is read, and none is made.
        method: a method, or its name. Those of `ESTIMABLE` can be estimated, whose step is plain
            training under a mask by units; others are refused.
        dtype: the weights' floating type; None is float32.
        answer_length: tokens of an example that are its answer, whose logits are computed; None is
            all but the first, which takes the most memory.
        fisher_batch_size: the most examples of one Fisher pass. On a GPU a pass takes fewer where
            so many do not fit; 1 tells what it takes at least.
        device: where it is to run. On a GPU torch's optimisers step all parameters at once, which
            takes one more copy of what they step. It need not be there.
        trust_remote_code: allow a model's own Python code to run.
        settings: of training; `batch_size`, `max_length`, `micro_batch`, `autocast`,
            `gradient_checkpointing` and `optimizer` decide about memory.
        changes: fields of `settings` that are to be others.

    Returns:
        Bytes, by part.

    Raises:
        ModelError: there is no such model, or it cannot be built.
        SettingError: a setting is outside what it may be, or the method cannot be estimated.
    """
    training = (settings or TrainingSettings()).with_changes(**changes)
    chosen = as_method(method)
    check_estimable(chosen)
    check_count("fisher_batch_size", fisher_batch_size)
    check_choice("device", device, ("cuda", "cpu"))
    number_type = floating_type(dtype)
    config = read_config(model, trust_remote_code=trust_remote_code)
    with weightless_model(config, number_type) as network:
        if training.gradient_checkpointing:
            check_checkpointing(network)
        checked_length(network, training.max_length)
        length = example_length(network, training.max_length)
        answer = length - 1 if answer_length is None else answer_length
        if not 1 <= answer < length:
            raise SettingError(
                f"answer_length is {answer} and max_length {length}; an answer has from 1 token to "
                "1 less than the example"
            )
        count = max(training.batch_size, fisher_batch_size)
        examples = made_examples(count, length, answer, config.get_text_config().vocab_size)
        parameters = sum(p.numel() for p in network.parameters())
        fisher = (
            _fisher_bytes(network, examples[:fisher_batch_size])
            if isinstance(chosen, FGGM)
            else None
        )
        weights = sum(tensor.nbytes for tensor in _tensors(network))
        step = _step_parts(network, chosen, training, examples[: training.batch_size], device)
    return MemoryEstimate(
        model=str(model) if isinstance(model, str | Path) else config.model_type,
        method=chosen.name,
        dtype=dtype_name(number_type),
        parameters=parameters,
        weights=weights,
        fisher=fisher,
        **step,
    )


def check_estimable(method: Method) -> None:
    """Refuse a method whose memory is not known before it has run.

    Args:
        method: the method.

    Raises:
        SettingError: it is none of `ESTIMABLE`, or the size of its mask depends on scores.
    """
    if type(method) not in ESTIMABLE:
        names = ", ".join(kind.name for kind in ESTIMABLE)
        raise SettingError(
            f"the memory of method {method.name} cannot be estimated, which adds tensors of its "
            f"own to a step; choose one of: {names}; sft is the step to which it adds"
        )
    for name, value in _EXPECTED.items():
        if getattr(method, name, value) != value:
            raise SettingError(
                f"the memory of {method.name} is estimated with {name} '{value}' alone, and it is "
                f"'{getattr(method, name)}'; leave {name} out"
            )


def made_examples(count: int, length: int, answer: int, vocabulary: int) -> list[Encoded]:
    """Examples that take as much memory as any of their size: no token of a text is repeated.

    Args:
        count: how many.
        length: tokens of each; of the first one less, so that a batch has padding.
        answer: how many of these are the answer.
        vocabulary: the size of the vocabulary.

    Returns:
        The examples.
    """
    ids = tuple(number % vocabulary for number in range(length))
    example = Encoded(ids[:-answer], ids[-answer:], truncated=False)
    first = Encoded(ids[:-answer], ids[-answer:][1:], truncated=False)
    return [first if answer > 1 and count > 1 else example] + [example] * (count - 1)


def _fisher_bytes(model: PreTrainedModel, examples: Sequence[Encoded]) -> int:
    """What one Fisher pass over a batch adds to the weights, its check of the rules included."""
    with MemoryMeter(_tensors(model)) as meter, evaluating(model):
        sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
        numbers = range(len(examples))
        scoring = FisherPass(model, examples, numbers, 0, len(examples), sums)
        for _ in find_estimator("empirical").fill(scoring):
            pass
    return meter.peak


def _step_parts(
    model: PreTrainedModel,
    method: Method,
    settings: TrainingSettings,
    examples: list[Encoded],
    device: str,
) -> dict[str, int]:
    """The parts of a step of training after the first."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), pad_token="<pad>")
    context = TaskContext(model, tokenizer, (), examples, "estimate", 0, 0, len(examples[-1]))
    optimizer = make_optimizer(model, settings)
    passes = gradients = stepping = 0

    def before_step(*_: Any) -> None:
        nonlocal passes, gradients
        passes, gradients = meter.peak, _gradient_bytes(optimizer)
        meter.forget_peak()

    def after_step(*_: Any) -> None:
        nonlocal stepping
        stepping = meter.peak
        meter.forget_peak()

    optimizer.register_step_pre_hook(before_step)
    with (
        MemoryMeter(_tensors(model)) as meter,
        warnings.catch_warnings(),
        masking_for(model, _mask(model, method), method) as masking,
    ):
        warnings.simplefilter("ignore")  # tensors without numbers do not change
        masking.attach(optimizer)
        optimizer.register_step_post_hook(after_step)
        for group in optimizer.param_groups:  # torch decides by the tensors' class and device
            group["foreach"] = device == "cuda"
        train_task(
            context, method, masking, optimizer, settings, examples, _STEPS, 0, lambda _: True
        )
        entries = [value for state in optimizer.state.values() for value in state.values()]
        state = sum(entry.nbytes for entry in entries if isinstance(entry, Tensor))
    return {
        "optimizer_state": state,
        "gradients": gradients,
        "activations": passes - state,
        "copies": stepping - state - gradients,
    }


def _mask(model: PreTrainedModel, method: Method) -> Mask | None:
    """A mask as large as the method's: which of a parameter's units move makes no difference."""
    if not isinstance(method, TaskMasking):
        return None
    names = masked_names(model, method.parameters)
    mask = Mask.random(model, method.keep).restricted(names)
    return complete(mask, model, method.others)


def _tensors(model: PreTrainedModel) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _gradient_bytes(optimizer: Optimizer) -> int:
    """The bytes of the gradients that wait for the optimiser now."""
    parameters = (p for group in optimizer.param_groups for p in group["params"])
    return sum(p.grad.nbytes for p in parameters if p.grad is not None)
