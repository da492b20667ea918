"""A Trainer of several processes trains all of them under the mask of the first."""

import os
import socket
from pathlib import Path

import torch
import torch.multiprocessing as processes
from safetensors.torch import load_file, save_file

from fggm_lab.masks import Mask
from fggm_lab.training import FGGMCallback
from tests.support.small import small_model


def train(rank: int, port: int, out: Path) -> None:
    """One of two processes; each would cut another mask, for each scores another example."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    from tests.support.families import some_examples
    from tests.training.test_interrupted import trainer

    model, callback = small_model(), FGGMCallback(examples=some_examples(2)[rank : rank + 1])
    training = trainer(model, out, callback, per_device_train_batch_size=3, ddp_backend="gloo")
    training.train()
    assert callback.mask is not None
    callback.mask.save(out / f"mask-{rank}")
    save_file(
        {name: parameter.detach() for name, parameter in model.named_parameters()},
        out / f"weights-{rank}.safetensors",
    )


def test_all_processes_have_the_first_ones_mask(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes.spawn(train, (port, tmp_path), nprocs=2)
    masks = [Mask.load(tmp_path / f"mask-{rank}") for rank in (0, 1)]
    weights = [load_file(tmp_path / f"weights-{rank}.safetensors") for rank in (0, 1)]
    assert masks[0] == masks[1]
    start = small_model()
    for name, parameter, frozen in masks[0].frozen(start):
        assert torch.equal(weights[0][name], weights[1][name]), name
        entries = frozen.expand_as(parameter)
        assert torch.equal(weights[0][name][entries], parameter[entries]), name
        assert not torch.equal(weights[0][name], parameter), name
