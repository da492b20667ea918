"""ActiveRows under DDP, on the ranks of a launch and in one process."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.training import ActiveRows
from tests.support.families import tiny_model

STEPS, PARTS, ROWS = 3, 2, 4
"""Steps, micro-batches of a step, examples of a micro-batch."""

CASES = [
    ("after", False),
    ("after", True),
    ("before", False),
    ("accelerate", False),
    ("wrapper", False),
]
"""How DDP comes to the model: around it, before ActiveRows, by accelerate, around its owner; and
whether the mask is of rows alone, or leaves a parameter out, freezes one and lets one move."""


FROZEN = "model.layers.0.mlp.up_proj.weight"
"""The parameter that a partial mask freezes."""


def model_and_mask(partial: bool) -> tuple[PreTrainedModel, Mask]:
    """A tiny model; `partial` leaves a parameter out of the mask, freezes one, lets one move."""
    model = tiny_model("llama", tied=False, dtype=torch.float64).eval()
    mask = Mask.random(model, 0.3, seed=3)
    if partial:
        names = mask.names
        mask.units[names[1]][:] = True
        mask.units[FROZEN][:] = False
        del mask.units[names[2]], mask.axes[names[2]]
    return model, mask


def micro_batch(step: int, part: int) -> dict[str, Tensor]:
    """Examples of equal length, so that a mean over ranks is the mean over examples."""
    rng = torch.Generator().manual_seed(10 * step + part)
    ids = torch.randint(4, 30, (ROWS, 9), generator=rng).tolist()
    return collate([Encoded(tuple(row[:4]), tuple(row[4:]), False) for row in ids], 0)


def shard(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """This rank's examples."""
    return {name: tensor[dist.get_rank() :: 2] for name, tensor in batch.items()}


class Owner(nn.Module):
    """A module around the model, as a reward model or an adapter's wrapper is."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **batch: Any) -> Any:
        return self.model(**batch)


def step(forward: Any, rows: ActiveRows, optimizer: Any, batches: list[Any]) -> None:
    """A step over micro-batches, of which DDP synchronises the last alone."""
    for number, batch in enumerate(batches):
        last = number == len(batches) - 1
        with nullcontext() if last or not hasattr(forward, "no_sync") else forward.no_sync():
            (forward(**batch, use_cache=False).loss / len(batches)).backward()
    torch.nn.utils.clip_grad_norm_(rows.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad()


def train_on_ranks(folder: Path) -> None:
    """Every way and every kind of mask, in one launch; the weights go to files."""
    for way, partial in CASES:
        model, mask = model_and_mask(partial)
        if dist.get_rank() == 1:  # what rank 0 has is what counts, as ever under DDP
            with torch.no_grad():
                next(model.parameters()).add_(1.0)
        ddp: Any = DistributedDataParallel(model) if way == "before" else None
        with ActiveRows(model, mask) as rows:
            optimizer: Any = rows.attach(AdamW(model.parameters(), lr=1e-2, weight_decay=0.1))
            if way == "after":
                ddp = DistributedDataParallel(model)
            elif way == "wrapper":
                ddp = DistributedDataParallel(Owner(model))
            elif way == "accelerate":
                ddp, optimizer = Accelerator(cpu=True).prepare(model, optimizer)
            for number in range(STEPS):
                batches = [shard(micro_batch(number, part)) for part in range(PARTS)]
                step(ddp, rows, optimizer, batches)
        assert not hasattr(model, "_ddp_params_and_buffers_to_ignore")
        save_file(dict(model.named_parameters()), folder / f"{way}{partial}{dist.get_rank()}")


def refuse_on_ranks() -> None:
    """What cannot be made right is refused, on all ranks alike."""
    model, mask = model_and_mask(partial=False)
    mask.units[FROZEN][:] = False
    ddp = DistributedDataParallel(model)
    with ActiveRows(ddp, mask), pytest.raises(SettingError, match="then wrap that model"):
        ddp(**shard(micro_batch(0, 0)))
    model, _ = model_and_mask(partial=False)
    with ActiveRows(model, Mask.random(model, 0.3, seed=dist.get_rank())):
        ddp = DistributedDataParallel(model)
        with pytest.raises(SettingError, match="give all processes the same mask"):
            ddp(**shard(micro_batch(0, 0)))


def train_alone(partial: bool) -> PreTrainedModel:
    """The same in one process."""
    model, mask = model_and_mask(partial)
    with ActiveRows(model, mask) as rows:
        optimizer = rows.attach(AdamW(model.parameters(), lr=1e-2, weight_decay=0.1))
        for number in range(STEPS):
            batches = [micro_batch(number, part) for part in range(PARTS)]
            step(model, rows, optimizer, batches)
    return model
