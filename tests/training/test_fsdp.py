"""A model sharded by FSDP2: scores, masks and training are those of one process."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.optim import AdamW
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.training import ActiveRows, MaskedGradients
from tests.support.families import tiny_model
from tests.support.ranks import on_ranks

STEPS = 3
FAMILIES = ("llama", "gpt2")
"""Masked by rows, and, as GPT-2 stores its weights, by columns, which no shard cuts."""


def make(family: str) -> PreTrainedModel:
    return tiny_model(family, tied=False, dtype=torch.float64).eval()


def examples(seed: int, count: int) -> list[Encoded]:
    rng = torch.Generator().manual_seed(seed)
    rows = torch.randint(4, 30, (count, 9), generator=rng).tolist()
    return [Encoded(tuple(row[:4]), tuple(row[4:]), False) for row in rows]


def sharded(model: PreTrainedModel) -> PreTrainedModel:
    for module in model.modules():
        if isinstance(module, nn.ModuleList):
            for block in module:
                fully_shard(block)
    fully_shard(model)
    return model


def train(model: PreTrainedModel, mask: Mask, steps: range, optimizer: Any, share: slice) -> None:
    """Steps on this process's share of batches of four."""
    with MaskedGradients(model, mask) as masking:
        masking.attach(optimizer)
        for step in steps:
            batch = collate(examples(10 + step, 4)[share], 0)
            model(**batch, use_cache=False).loss.backward()
            masking.project()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()


def optimizer_of(model: nn.Module) -> AdamW:
    return AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)


def full(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().contiguous()


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: full(parameter).clone() for name, parameter in model.named_parameters()}


def work(folder: Path) -> None:
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    for family in FAMILIES:
        model = sharded(make(family))
        scores = fisher_scores(model, None, examples(0, 5))  # an odd number, for two ranks
        assert all(isinstance(parameter, DTensor) for parameter in model.parameters())
        mask = Mask.top(scores, 0.3)
        with pytest.raises(SettingError, match="MaskedGradients"):
            ActiveRows(model, mask)
        optimizer = optimizer_of(model)
        share = slice(rank, None, 2)
        train(model, mask, range(STEPS - 1), optimizer, share)
        states = get_state_dict(model, optimizer)
        saved: dict[str, Any] = {"model": states[0], "optimizer": states[1]}
        dcp.save(saved, checkpoint_id=folder / family)
        train(model, mask, range(STEPS - 1, STEPS), optimizer, share)
        trained = weights(model)

        resumed = sharded(make(family))
        optimizer = optimizer_of(resumed)
        states = get_state_dict(resumed, optimizer)
        saved = {"model": states[0], "optimizer": states[1]}
        dcp.load(saved, checkpoint_id=folder / family)
        set_state_dict(
            resumed,
            optimizer,
            model_state_dict=saved["model"],
            optim_state_dict=saved["optimizer"],
        )
        train(resumed, mask, range(STEPS - 1, STEPS), optimizer, share)
        for name, weight in weights(resumed).items():
            assert torch.equal(weight, trained[name]), name
        save_file(trained, folder / f"{family}-{rank}.safetensors")
        save_file(scores.units, folder / f"{family}-scores-{rank}.safetensors")


def test_two_ranks_of_shards_score_mask_and_train_as_one_process(tmp_path: Path) -> None:
    on_ranks(work, tmp_path)
    for family in FAMILIES:
        model = make(family)
        scores = fisher_scores(model, None, examples(0, 5))
        mask = Mask.top(scores, 0.3)
        before = weights(model)
        train(model, mask, range(STEPS), optimizer_of(model), slice(None))
        after = weights(model)
        for rank in range(2):
            on_rank = load_file(tmp_path / f"{family}-scores-{rank}.safetensors")
            for name, units in scores.units.items():
                torch.testing.assert_close(on_rank[name], units, rtol=1e-9, atol=1e-18)
            trained = load_file(tmp_path / f"{family}-{rank}.safetensors")
            for name, weight in trained.items():
                torch.testing.assert_close(weight, after[name], rtol=1e-7, atol=1e-10)
            frozen_rows = 0
            for name, parameter, frozen in mask.frozen(model):
                del parameter
                where = frozen.expand_as(before[name])
                assert torch.equal(trained[name][where], before[name][where]), name
                assert not torch.equal(trained[name], before[name]), name
                frozen_rows += int(where.sum())
            assert frozen_rows > 1000
