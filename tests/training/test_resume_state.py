"""The state that a run goes on from is written without a copy of it, and read back bit for bit."""

from pathlib import Path

import torch
from torch.optim import AdamW

from fggm_lab.training.resume_state import (
    TrainingProgress,
    load_state,
    save_state,
)
from tests.support.peak_memory import peak_bytes
from tests.support.small import small_model


def test_what_is_written_is_what_is_read_and_no_copy_is_made(tmp_path: Path) -> None:
    model = small_model(layers=4)
    optimizer = AdamW(model.parameters(), lr=1e-3)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    memory = {"teacher": torch.randn(50, 40).t()}
    file = tmp_path / "state.safetensors"
    write = lambda: save_state(file, model, optimizer, TrainingProgress(task=3), memory)  # noqa: E731
    write()
    state = sum(p.nbytes for p in model.parameters()) * 3
    assert peak_bytes(write) < 0.5 * state  # the transposed tensor, and random numbers
    progress, tensors = load_state(file)
    assert progress.task == 3
    assert torch.equal(tensors["memory.teacher"], memory["teacher"])
    for name, parameter in model.named_parameters():
        assert torch.equal(tensors[f"model.{name}"], parameter)
    for index, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            assert torch.equal(tensors[f"optimizer.{index}.{key}"], value)
