"""What a launcher has set is read, and what the lab would not follow is refused."""

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.launch import check_launch, launched_rank, launched_world_size


def test_a_world_needs_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (launched_rank(), launched_world_size()) == (0, 1)
    monkeypatch.setenv("RANK", "3")
    assert (launched_rank(), launched_world_size()) == (3, 4)


@pytest.mark.parametrize(
    "variable, value, named",
    [
        ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed"),
        ("ACCELERATE_USE_FSDP", "1", "FSDP"),
        ("ACCELERATE_MIXED_PRECISION", "bf16", "--autocast"),
    ],
)
def test_a_configuration_that_is_not_followed_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, "no" if variable.endswith("PRECISION") else "false")
    check_launch()
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=named):
        check_launch()
