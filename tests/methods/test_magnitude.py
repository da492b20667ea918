"""The magnitude mask moves the units whose weights are largest, or smallest, on average."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import Magnitude
from tests.support.families import FAMILIES
from tests.support.small import context, small_model, small_run


def means(parameter: torch.Tensor, transposed: bool) -> list[float]:
    """Each unit's mean |weight|, entry by entry."""
    rows = parameter.detach().t() if transposed else parameter.detach()
    if rows.ndim == 1:
        return [abs(x) for x in rows.tolist()]
    return [sum(abs(x) for x in row) / len(row) for row in rows.tolist()]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", ["largest", "smallest"])
def test_within_each_weight(family: str, size: Literal["largest", "smallest"]) -> None:
    model = small_model(family)
    mask = Magnitude(keep=0.3, size=size).plan(context(model)).mask
    assert mask is not None
    for name, parameter in model.named_parameters():
        mean = means(parameter, transposed=mask.axes[name] == 1)
        order = sorted(range(len(mean)), key=lambda i: mean[i], reverse=size == "largest")
        expected = set(order[: round(0.3 * len(mean))])
        assert set(mask.units[name].nonzero().flatten().tolist()) == expected, name


def test_over_the_whole_model_long_and_short_rows_compare() -> None:
    model = small_model()
    mask = Magnitude(keep=0.3, scope="global", parameters="linear").plan(context(model)).mask
    assert mask is not None
    mean = {
        (name, i): value
        for name in mask.units
        for i, value in enumerate(means(model.get_parameter(name), transposed=False))
    }
    assert len({model.get_parameter(name).shape[1] for name in mask.units}) > 1
    order = sorted(mean, key=lambda unit: mean[unit], reverse=True)
    moving = {(n, i) for n, bits in mask.units.items() for i in bits.nonzero().flatten().tolist()}
    assert moving == set(order[: round(0.3 * len(mean))])


def test_it_looks_at_weights_alone() -> None:
    model = small_model()
    first, other = context(model), context(model, index=2, seed=5)
    assert Magnitude().plan(first).mask == Magnitude().plan(other).mask
    assert Magnitude(first_task=False).plan(context(model, index=0)).mask is None


def test_frozen_units_do_not_move_in_a_run(tmp_path: Path) -> None:
    run = small_run(Magnitude(), tmp_path / "run")
    for task in range(3):
        mask, drift = run.mask(task), run.drift(task)
        assert mask is not None and drift is not None
        assert all(not drift[name][~bits].any() for name, bits in mask.units.items())


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="size is 'big'; choose one of: largest, smallest"):
        Magnitude(size="big")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="keep is None; it is the share"):
        Magnitude(keep=None)  # type: ignore[arg-type]
