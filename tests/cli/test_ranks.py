"""The command line in a launch: what cannot be shared is refused before anything is loaded."""

from pathlib import Path

import pytest

from fggm_lab.cli.console import console
from fggm_lab.cli.ranks import check_command, meet, quiet_unless_main
from fggm_lab.cli.train import train
from fggm_lab.errors import SettingError


@pytest.fixture(autouse=True)
def launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two processes, which meets nobody."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_only_a_run_is_shared() -> None:
    check_command("run")
    with pytest.raises(SettingError, match=r"fggm-lab sweep runs in one process, and 2 were"):
        check_command("sweep")


def test_jobs_and_one_device_for_all_are_refused() -> None:
    with pytest.raises(SettingError, match="--jobs 2 trains methods side by side"):
        meet(2, None)
    with pytest.raises(SettingError, match="give --device cuda, and each gets its own"):
        meet(1, "cuda:0")


def test_a_split_model_is_refused_before_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(SettingError, match=r"DeepSpeed .* torchrun --nproc-per-node"):
        train(out=tmp_path, model="there/is-none", methods="sft")


def test_the_ranks_but_0_print_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "quiet", False)
    monkeypatch.setattr("warnings.simplefilter", lambda action: None)
    quiet_unless_main()
    assert console.quiet
    console.quiet = False
    monkeypatch.setenv("RANK", "0")
    quiet_unless_main()
    assert not console.quiet
