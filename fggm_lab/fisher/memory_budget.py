"""Batches that keep a Fisher pass within a memory budget.

How many examples fit is measured, not computed from the architecture:

1. An artificial example is made, with as many tokens T as the longest example and as many answer
   tokens as the longest answer. Every real example needs at most what it needs.
2. Batches of 1, 2, 4, … copies are scored on trial, while `MemoryMeter` counts the bytes of tensors
   as they come and go; the results are thrown away.
3. At any moment of a pass, the bytes alive are a constant (the sums), plus a constant per example
   (its unit scores), plus what grows with the padded length at least linearly (activations B × T ×
   width, attention scores B × heads × T × T). So B examples padded to a share s of T need no more
   than s·B full ones, but for the part per example that does not depend on the length.
4. The peak over all moments is a maximum of functions linear in B, hence convex: between two sizes
   that were measured it lies below the straight line through them. `BatchMemory.needed` is that
   line; beyond the largest size measured, nothing is claimed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher.factors import CHUNK
from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.fisher.memory_meter import MemoryMeter
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.models.encoding import Encoded

_USABLE_SHARE = 0.9
"""The share of the budget that is planned with; kernels' own scratch memory needs the rest."""

_CHUNKS_IN_BUDGET = 32
"""A rule's temporary tensor takes at most one such part of the budget."""

_MIN_CHUNK = 2**12

_SECOND_EXAMPLE = 1.5
"""What the second example of a batch takes at most, relative to the first: with it come padding
and an attention mask."""


def free_budget(devices: Iterable[torch.device]) -> int | None:
    """The bytes a pass may take if the user names no budget.

    Args:
        devices: where the model's layers are.

    Returns:
        The free bytes of the GPU that has fewest, those that torch has reserved and does not use
        among them: a pass of so many fits, whatever share of it falls to which GPU. None, without a
        limit, elsewhere: the system can swap a computer's own memory.
    """
    free = [
        torch.cuda.mem_get_info(device)[0]
        + torch.cuda.memory_reserved(device)
        - torch.cuda.memory_allocated(device)
        for device in set(devices)
        if device.type == "cuda"
    ]
    return int(min(free)) if free else None


def chunk_for(budget: int | None) -> int:
    """The most numbers that one temporary tensor may hold.

    Args:
        budget: the pass's bytes, None without a limit.

    Returns:
        A number of float32 values, at least 4,096.
    """
    if budget is None:
        return CHUNK
    return min(CHUNK, max(_MIN_CHUNK, budget // (4 * _CHUNKS_IN_BUDGET)))


@dataclass(frozen=True)
class BatchMemory:
    """How many bytes batches need, from two sizes that were measured.

    Attributes:
        limit: bytes a batch may take.
        bytes_of_one: measured bytes of a batch of 1 artificial example, the sums included.
        bytes_at_size: measured bytes of a batch of `size` artificial examples.
        size: the largest number of artificial examples that was measured to fit.
        length: tokens of the artificial example.
        answer: tokens of its answer.
        per_example: bytes of an example that do not depend on its length.
        spare: bytes of temporaries that more but shorter examples may add.
    """

    limit: float
    bytes_of_one: int
    bytes_at_size: int
    size: int
    length: int
    answer: int
    per_example: int
    spare: int

    def needed(self, count: int, length: int, answer: int) -> float:
        """An upper bound of the bytes that a batch needs.

        Args:
            count: examples in the batch.
            length: tokens they are padded to.
            answer: the most answer tokens of any of them.

        Returns:
            Bytes; infinity for more than was measured.
        """
        full = max(1.0, count * max(length / self.length, answer / self.answer))
        if full > self.size:
            return float("inf")
        extra = self.bytes_at_size - self.bytes_of_one
        slope = extra / (self.size - 1) if self.size > 1 else 0.0
        shorter = (count - full) * self.per_example + (self.spare if count > self.size else 0)
        return self.bytes_of_one + slope * (full - 1) + shorter


def batch_limit(
    fisher_pass: FisherPass, fisher: PerExampleFisher
) -> Callable[[Sequence[int]], bool]:
    """Find out which batches fit into the memory budget of a pass.

    This scores artificial examples, as many as three batches hold at most, and sets the sums back
    to zero; it may make the temporaries of the sums smaller.

    Args:
        fisher_pass: the examples, the sums and the budget.
        fisher: what scores a batch.

    Returns:
        A function that takes indices of examples and says whether they may share a batch.

    Raises:
        SettingError: one example needs more than the budget.
    """
    if fisher_pass.memory_budget is None:
        return lambda indices: True
    memory = _measured(fisher_pass, fisher, fisher_pass.memory_budget)

    def fits(indices: Sequence[int]) -> bool:
        examples = [fisher_pass.encoded[i] for i in indices]
        length = max(map(len, examples))
        answer = max(len(example.answer) for example in examples)
        return memory.needed(len(examples), length, answer) <= memory.limit

    return fits


def _measured(fisher_pass: FisherPass, fisher: PerExampleFisher, budget: int) -> BatchMemory:
    """Score batches of 1, 2, 4, … artificial examples as long as they are sure to fit."""
    example, sums = _longest_example(fisher_pass.encoded), fisher_pass.sums
    limit = _USABLE_SHARE * budget
    first = _peak_bytes(fisher_pass, fisher, example, 1)
    while first > limit and sums.chunk > _MIN_CHUNK:
        sums.chunk = max(_MIN_CHUNK, sums.chunk // 2)
        first = _peak_bytes(fisher_pass, fisher, example, 1)
    if first > limit:
        raise SettingError(
            f"memory_budget is {budget} bytes, and an example of {len(example)} tokens needs "
            f"{round(first / _USABLE_SHARE) + 1}; raise it, or lower max_length"
        )
    size, largest, step = 1, first, _SECOND_EXAMPLE * (first - sums.bytes)
    full = min(fisher_pass.batch_size, len(fisher_pass.encoded))
    # From the second example on, each takes hardly more than the straight line says: no trial goes
    # beyond the limit.
    while size < full and first + step * (min(2 * size, full) - 1) <= limit:
        trial = min(2 * size, full)
        peak = _peak_bytes(fisher_pass, fisher, example, trial)
        if peak > limit:
            break
        size, largest, step = trial, peak, (peak - first) / (trial - 1)
    return BatchMemory(
        limit=limit,
        bytes_of_one=first,
        bytes_at_size=largest,
        size=size,
        length=len(example),
        answer=len(example.answer),
        per_example=sums.bytes_per_example,
        spare=2 * 8 * sums.chunk,
    )


def _longest_example(encoded: Sequence[Encoded]) -> Encoded:
    """An example with the most tokens of any and the longest answer of any."""
    longest = max(encoded, key=len)
    ids = longest.prompt + longest.answer
    answer = max(len(example.answer) for example in encoded)
    return Encoded(ids[:-answer], ids[-answer:], truncated=False)


def _peak_bytes(
    fisher_pass: FisherPass, fisher: PerExampleFisher, example: Encoded, size: int
) -> int:
    """The bytes that scoring `size` copies takes, the sums included; the sums are cleared after."""
    sums, model = fisher_pass.sums, fisher_pass.model
    bytes_before = sums.bytes
    copies = [example] * size
    if size > 1:  # a batch with padding has an attention mask, which one without does not
        copies[0] = Encoded(example.prompt[1:] or example.prompt, example.answer, truncated=False)
    with MemoryMeter([*model.parameters(), *model.buffers(), *sums.tensors]) as meter:
        fisher.add(lambda indices: fisher_pass.padded(copies, indices), range(size))
    sums.clear()
    return bytes_before + meter.peak
