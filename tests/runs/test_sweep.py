"""A sweep's plan: every combination once, each in a folder of its own with a readable name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs import Run
from fggm_lab.runs.sweep import Variation, asked_before, is_finished, plan, remember


def test_a_plan_is_every_combination_seed_by_seed() -> None:
    varied = [Variation.parse("fggm.keep=0.1,1"), Variation.parse("lr=1e-4,5e-4")]
    cells = plan(["sft", "fggm"], [1, 2], [None, "B,A"], varied)
    # sft takes 2 rates; fggm 2 rates and 2 keep shares.
    assert len(cells) == 2 * 2 * (2 + 4)
    assert [str(cell.folder / cell.method) for cell in cells[:7]] == [
        "default/seed-1/lr=1e-4/sft",
        "default/seed-1/lr=5e-4/sft",
        "default/seed-1/fggm.keep=0.1,lr=1e-4/fggm",
        "default/seed-1/fggm.keep=0.1,lr=5e-4/fggm",
        "default/seed-1/fggm.keep=1,lr=1e-4/fggm",
        "default/seed-1/fggm.keep=1,lr=5e-4/fggm",
        "B,A/seed-1/lr=1e-4/sft",
    ]
    assert cells[2].settings == {"keep": "0.1"} and cells[2].options == {"lr": "1e-4"}
    assert [cell.seed for cell in cells] == [1] * 12 + [2] * 12


def test_a_plain_plan_has_plain_folders() -> None:
    assert [str(c.folder / c.method) for c in plan(["sft"], [3])] == ["default/seed-3/sft"]
    (cell,) = plan(["sft"], [3], ["a/b, c"])
    assert cell.folder == Path("a_b,_c/seed-3") and cell.order == "a/b, c"


@pytest.mark.parametrize("text", ["lr", "lr=", "=1", "fggm.=1", ".keep=1", "lr=1,,2"])
def test_a_malformed_variation_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="write it as SETTING=VALUE,VALUE"):
        Variation.parse(text)


def test_a_variation_is_read() -> None:
    assert Variation.parse("batch-size=4, 8") == Variation(None, "batch_size", ("4", "8"))
    assert Variation.parse("fggm.scope=global") == Variation("fggm", "scope", ("global",))
    combined = Variation("fggm+replay", "replay.ratio", ("0.1",))
    assert Variation.parse("fggm+replay.replay.ratio=0.1") == combined
    with pytest.raises(SettingError, match="stands there twice"):
        Variation.parse("lr=1,1")


def test_plans_that_train_a_thing_twice_or_nothing_are_refused() -> None:
    with pytest.raises(SettingError, match=r"names a method twice \(sft, sft\)"):
        plan(["sft", "sft"], [1])
    with pytest.raises(SettingError, match=r"names a seed twice \(1, 2, 1\)"):
        plan(["sft"], [1, 2, 1])
    with pytest.raises(SettingError, match="has no method"):
        plan([], [1])
    with pytest.raises(SettingError, match=r"migu is not among the sweep's methods \(sft\)"):
        plan(["sft"], [1], varied=[Variation.parse("migu.keep=0.1")])
    with pytest.raises(SettingError, match="give all its values in one --vary"):
        plan(["sft"], [1], varied=[Variation.parse("lr=1"), Variation.parse("lr=2")])
    with pytest.raises(SettingError, match="would share a folder"):
        plan(["sft"], [1], ["a b", "a/b"])
    with pytest.raises(SettingError, match="too long a name for a folder"):
        plan(["sft"], [1], ["x" * 151])


def test_what_was_asked_is_remembered_with_what_was_asked_before(tmp_path: Path) -> None:
    assert asked_before(tmp_path) == {}
    remember(tmp_path, {"a": {"lr": 1}, "b": {"lr": 1}})
    remember(tmp_path, {"b": {"lr": 2}, "c": {"lr": 3}})
    assert asked_before(tmp_path) == {"a": {"lr": 1}, "b": {"lr": 2}, "c": {"lr": 3}}
    (tmp_path / "sweep.json").write_text("{}")
    with pytest.raises(RunError, match=r"sweep\.json is not a sweep's record; remove it"):
        asked_before(tmp_path)


def test_only_a_whole_finished_run_is_finished(
    tmp_path: Path, finished_run: Callable[..., Run]
) -> None:
    run = finished_run(tmp_path / "run")
    assert is_finished(run.path) and not is_finished(tmp_path / "none")
    (run.path / "config.json").write_text("{")
    assert not is_finished(run.path)
