"""Every example trains, and no row that its mask freezes moves by a bit."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
from transformers import PreTrainedModel

import fggm_lab as lab
from fggm_lab.models.names import own_weight
from fggm_lab.models.units import as_units

ROOT = Path(__file__).parents[2]
NEEDS = {"with_lightning": "lightning", "with_trl": "trl", "with_trl_lora": "trl"}
"""What an example imports that no extra of the lab installs."""
MOVING_ROWS = ("plain_pytorch", "with_accelerate", "with_lightning", "with_trainer", "with_trl")


def trained(name: str, out: Path) -> tuple[PreTrainedModel, lab.Mask]:
    """The model that an example returns, and its mask."""
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason=f"the example needs {NEEDS[name]}")
    train = import_module(f"examples.{name}").train
    result: tuple[PreTrainedModel, lab.Mask] = (
        train(str(out)) if inspect.signature(train).parameters else train()
    )
    return result


@pytest.mark.parametrize("name", MOVING_ROWS)
def test_frozen_rows_stay_and_active_rows_move(name: str, tmp_path: Path) -> None:
    before = dict(lab.load_model("tiny")[0].named_parameters())
    model, mask = trained(name, tmp_path)
    assert mask.share == pytest.approx(0.3, abs=0.01)
    changed = {
        n: as_units(p != before[n], mask.axes[n]).any(1) for n, p in model.named_parameters()
    }
    assert mask.names == list(changed)
    for parameter, bits in mask.units.items():
        assert not changed[parameter][~bits].any(), parameter
    moved = sum(int(rows.sum()) for rows in changed.values())
    assert moved > 0.8 * mask.count  # a token that no text has moves nothing


def test_under_lora_the_rows_of_frozen_adapter_rows_stay(tmp_path: Path) -> None:
    before = dict(lab.load_model("tiny")[0].named_parameters())
    model, mask = trained("with_trl_lora", tmp_path)
    masked = {own_weight(name.removeprefix("base_model.model.")): name for name in mask.names}
    moved = 0
    for name, parameter in model.named_parameters():
        changed = as_units(parameter != before[name], 0).any(1)
        if name not in masked:
            assert not changed.any(), name
            continue
        bits = mask.units[masked[name]]
        assert not changed[~bits].any(), name
        moved += int(changed[bits].sum())
    assert moved > 0.9 * mask.count


def test_every_example_is_short_and_is_run_here() -> None:
    files = {
        path.stem: path for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__"
    }
    assert set(files) == {*MOVING_ROWS, "with_trl_lora"}
    for name, path in files.items():
        assert len(path.read_text("utf-8").splitlines()) <= 60, name
