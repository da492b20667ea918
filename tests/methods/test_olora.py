"""O-LoRA's penalty is the overlap of A matrices, and it makes a new one keep out of old ones."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from fggm_lab.errors import SettingError
from fggm_lab.methods import LoRA, OLoRA
from fggm_lab.methods.lora import factors
from fggm_lab.runs import Run
from tests.support.small import context, small_model, small_run


@pytest.mark.parametrize("norm", ["absolute", "squared"])
def test_the_penalty_and_its_gradient_are_those_written_out(
    norm: Literal["absolute", "squared"],
) -> None:
    method = OLoRA(rank=2, weight=0.7, norm=norm)
    task_context = context(small_model(), index=2)
    logits = torch.zeros(1, 1, 1)
    old: dict[str, list[Tensor]] = {}
    with method.adapted(task_context):
        for task in range(2):
            for name, (a, _) in factors(task_context.model).items():
                a.data.normal_(generator=torch.Generator().manual_seed(task))
                old.setdefault(name, []).append(a.detach().clone())
            method.after_task(task_context)
        for a, _ in factors(task_context.model).values():
            a.data.normal_(generator=torch.Generator().manual_seed(9))
        method.start(task_context)
        penalty = method.extra_loss({}, logits)
        assert penalty is not None
        penalty.backward()
        method.finish()
        expected = torch.zeros(())
        for name, (a, _) in factors(task_context.model).items():
            slope = torch.zeros_like(a)
            for earlier in old[name]:
                for j, direction in enumerate(earlier):
                    for k, row in enumerate(a.detach()):
                        overlap = torch.dot(direction, row)
                        if norm == "absolute":
                            expected = expected + 0.7 * overlap.abs()
                            slope[k] += 0.7 * overlap.sign() * direction
                        else:
                            expected = expected + 0.7 * overlap**2
                            slope[k] += 0.7 * 2 * overlap * earlier[j]
            torch.testing.assert_close(a.grad, slope)
        torch.testing.assert_close(penalty.detach(), expected)


def test_the_first_task_has_no_penalty_and_is_lora(tmp_path: Path) -> None:
    runs = [
        small_run(method, tmp_path / method.name, epochs=1)
        for method in (LoRA(rank=2), OLoRA(rank=2))
    ]
    first, second = ([e["loss"] for e in run.events("step")] for run in runs)
    assert first[:3] == second[:3]
    assert first[3:] != second[3:]


def remembered(run: Run) -> dict[str, Tensor]:
    """What is in the memory after the last task: (tasks · r, in) per layer."""
    return {name.removeprefix("olora."): a.double() for name, a in run.memory(2).items()}


def overlap(run: Run, rank: int = 2) -> float:
    """Mean |cos| between the directions of the last task's A and those of the two before."""
    overlaps = []
    for matrix in remembered(run).values():
        unit = matrix / matrix.norm(dim=1, keepdim=True)
        overlaps.append((unit[-rank:] @ unit[:-rank].T).abs().mean())
    return float(torch.stack(overlaps).mean())


def test_a_large_weight_makes_the_new_directions_more_orthogonal(tmp_path: Path) -> None:
    runs = {
        weight: small_run(
            OLoRA(rank=2, weight=weight, lr_scale=1), tmp_path / str(weight), epochs=6
        )
        for weight in (0.0, 20.0)
    }
    assert overlap(runs[20.0]) < 0.6 * overlap(runs[0.0])


def test_memory_holds_one_matrix_per_task_and_layer(tmp_path: Path) -> None:
    run = small_run(OLoRA(rank=2), tmp_path / "run", epochs=1)
    matrices = remembered(run)
    assert len(matrices) == 14 and all(a.shape[0] == 3 * 2 for a in matrices.values())
    stored = [event["stored_bytes"] for event in run.events("task")]
    assert stored == [4 * sum(a.numel() for a in matrices.values()) * i // 3 for i in (1, 2, 3)]
    earlier = run.memory(1)
    for name, matrix in run.memory(2).items():
        assert torch.equal(matrix[:4], earlier[name])


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="weight is -1"):
        OLoRA(weight=-1)
    with pytest.raises(SettingError, match="norm is 'l1'; choose one of: absolute, squared"):
        OLoRA(norm="l1")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="rank"):
        OLoRA(rank=0)
