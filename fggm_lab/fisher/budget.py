"""Batches that keep a Fisher pass within a memory budget.

The pass is first tried on copies of one made-up example, as long as the longest prompt and with as
many answer tokens as the longest answer, and its bytes are counted as they come and go
(`fggm_lab.fisher.meter`). At any moment of the pass the bytes alive are a constant, plus a constant
per example, plus what grows with the length at least linearly (attention quadratically). So B
examples of a share s of that length need no more than s·B full ones, but for the constant part, and
the peak, a maximum of lines, lies below its own chord between two sizes that were measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher.exact import ExactFisher
from fggm_lab.fisher.factors import CHUNK
from fggm_lab.fisher.meter import Meter
from fggm_lab.fisher.work import Work
from fggm_lab.models.encoding import Encoded

_SHARE = 0.9
"""The share of the budget that is planned with; kernels' own scratch space takes from the rest."""

_CHUNKS = 32
"""A rule's temporary takes at most one such part of the budget."""

_SMALLEST_CHUNK = 2**12

_SECOND = 1.5
"""What the second example of a batch may take, in firsts: with it there is padding, and a mask."""


def free_budget(device: torch.device) -> int | None:
    """What a pass may take without being told: on a GPU what is free there, elsewhere any (None).

    A computer's own memory can be more than it has; a GPU's cannot.
    """
    if device.type != "cuda":
        return None
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + unused)


def chunk_for(budget: int | None) -> int:
    """How many float32 numbers a temporary may hold under a budget of so many bytes."""
    if budget is None:
        return CHUNK
    return min(CHUNK, max(_SMALLEST_CHUNK, budget // (4 * _CHUNKS)))


@dataclass(frozen=True)
class Plan:
    """What batches take, from two measured sizes.

    Attributes:
        limit: bytes a batch may take.
        one, most: measured bytes of 1 and of `size` made-up examples, the sums included.
        size: how many of those were measured to fit.
        length, answer: the made-up example's tokens, and its answer's.
        each: bytes of an example that do not depend on its length.
        spare: bytes of temporaries that more but shorter examples may add.
    """

    limit: float
    one: int
    most: int
    size: int
    length: int
    answer: int
    each: int
    spare: int

    def needs(self, count: int, length: int, answer: int) -> float:
        """At most how many bytes `count` examples take, padded to `length` and `answer` tokens."""
        full = max(1.0, count * max(length / self.length, answer / self.answer))
        if full > self.size:
            return float("inf")
        slope = (self.most - self.one) / (self.size - 1) if self.size > 1 else 0.0
        shorter = (count - full) * self.each + (self.spare if count > self.size else 0)
        return self.one + slope * (full - 1) + shorter


def plan_for(work: Work, fisher: ExactFisher) -> Callable[[Sequence[int]], bool]:
    """Whether some examples may share a batch under the work's memory budget.

    Finding out scores made-up examples, as many as three batches hold at most, and clears the sums
    again; it may cut the size of the sums' temporaries.

    Raises:
        SettingError: one example needs more than the budget.
    """
    if work.memory_budget is None:
        return lambda indices: True
    plan = _measure(work, fisher, work.memory_budget)

    def fits(indices: Sequence[int]) -> bool:
        some = [work.encoded[i] for i in indices]
        length, answer = max(map(len, some)), max(len(item.answer) for item in some)
        return plan.needs(len(some), length, answer) <= plan.limit

    return fits


def _measure(work: Work, fisher: ExactFisher, budget: int) -> Plan:
    example, sums, limit = _largest(work.encoded), work.sums, _SHARE * budget
    while (one := _peak(work, fisher, example, 1)) > limit and sums.chunk > _SMALLEST_CHUNK:
        sums.chunk = max(_SMALLEST_CHUNK, sums.chunk // 2)
    if one > limit:
        raise SettingError(
            f"memory_budget is {budget} bytes, and an example of {len(example)} tokens needs "
            f"{round(one / _SHARE) + 1}; raise it, or lower max_length"
        )
    size, most, step = 1, one, _SECOND * (one - sums.bytes)
    full = min(work.batch_size, len(work.encoded))
    # From the second example on, each takes hardly more than the chord says: no trial goes beyond
    # the limit.
    while size < full and one + step * (min(2 * size, full) - 1) <= limit:
        trial = min(2 * size, full)
        if (found := _peak(work, fisher, example, trial)) > limit:
            break
        size, most, step = trial, found, (found - one) / (trial - 1)
    return Plan(
        limit=limit,
        one=one,
        most=most,
        size=size,
        length=len(example),
        answer=len(example.answer),
        each=sums.bytes_per_example,
        spare=2 * 8 * sums.chunk,
    )


def _largest(encoded: Sequence[Encoded]) -> Encoded:
    """An example with the most tokens of any and the longest answer of any."""
    longest = max(encoded, key=len)
    ids = longest.prompt + longest.answer
    answer = max(len(item.answer) for item in encoded)
    return Encoded(ids[:-answer], ids[-answer:], truncated=False)


def _peak(work: Work, fisher: ExactFisher, example: Encoded, size: int) -> int:
    """The bytes that scoring `size` copies takes, the sums included; the sums are cleared after."""
    kept = work.sums.bytes
    copies = [example] * size
    if size > 1:  # a batch with padding has a mask, which one without does not
        copies[0] = Encoded(example.prompt[1:] or example.prompt, example.answer, truncated=False)
    with Meter([*work.model.parameters(), *work.model.buffers(), *work.sums.tensors]) as meter:
        fisher.add(lambda indices: work.padded(copies, indices), range(size))
    work.sums.clear()
    return kept + meter.peak
