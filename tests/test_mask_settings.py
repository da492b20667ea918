"""Keep share and scope: what they may be, and the name that a scope had in version 0.1."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from fggm_lab import plots
from fggm_lab.errors import SettingError
from fggm_lab.files import read_record
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.mask_settings import check_keep, check_moves, check_scope
from fggm_lab.masks import SCOPES, Mask, Ranking
from fggm_lab.methods import FGGM, make_method
from fggm_lab.runs import Run
from fggm_lab.training import FGGMCallback, run_sequence
from fggm_lab.training.effects import choose_units
from tests.support.families import character_tokenizer
from tests.support.small import QUICK, small_model, small_tasks

RENAMED = r'scope="layer" is now called scope="parameter"'
LAYER: Any = "layer"


@pytest.fixture
def scores() -> FisherScores:
    units = {"model.layers.0.w": torch.rand(40), "model.norm.weight": torch.rand(7)}
    return FisherScores(
        units, dict.fromkeys(units, 0), None, FisherInfo("empirical", "input", 1, 1, "m")
    )


@pytest.mark.parametrize("keep", [0, 1.1, -1, float("nan"), True, "0.3", None])
def test_a_keep_share_is_above_zero_and_at_most_one(keep: object) -> None:
    with pytest.raises(SettingError, match=r"keep is .* must be in"):
        check_keep(keep)  # type: ignore[arg-type]


def test_a_scope_is_one_of_two_words() -> None:
    assert [check_scope(scope) for scope in SCOPES] == ["parameter", "global"]
    with pytest.raises(SettingError, match=r"choose one of: parameter, global.*'global'"):
        check_scope("globl")


def test_the_old_name_is_accepted_with_a_warning_at_the_line_that_wrote_it(
    scores: FisherScores,
) -> None:
    model = small_model()
    new = Mask.top(scores, 0.3)
    with pytest.warns(FutureWarning, match=RENAMED) as warned:
        assert Mask.top(scores, 0.3, LAYER) == new
    assert [warning.filename for warning in warned] == [__file__]
    with pytest.warns(FutureWarning, match=RENAMED) as warned:
        assert FGGM(scope=LAYER) == FGGM()
    assert [warning.filename for warning in warned] == [__file__]
    for old, present in [
        (lambda: Mask.random(model, 0.3, LAYER), Mask.random(model, 0.3)),
        (lambda: Ranking(scores).top(0.3, LAYER), new),
        (lambda: choose_units(scores, "top", 0.3, LAYER), new),
        (lambda: make_method("fggm", scope=LAYER), FGGM()),
        (lambda: FGGMCallback(scope=LAYER).scope, "parameter"),
        (
            lambda: plots.describe(plots.fisher_spectra(scores, 0.3, LAYER)),
            plots.describe(plots.fisher_spectra(scores, 0.3)),
        ),
        (
            lambda: plots.describe(plots.kept_shares(scores, scope=LAYER)),
            plots.describe(plots.kept_shares(scores, scope="parameter")),
        ),
    ]:
        with pytest.warns(FutureWarning, match=RENAMED):
            assert old() == present


def test_a_mask_file_of_an_earlier_version_is_read_without_a_warning(
    scores: FisherScores, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    mask = Mask.top(scores, 0.3)
    mask.save(tmp_path / "new")
    with safe_open(tmp_path / "new.safetensors", framework="pt") as file:
        record = json.loads(file.metadata()["fggm_lab"])
    assert record["made"]["scope"] == "parameter" and record.pop("digest")
    record["made"]["scope"] = "layer"
    tensors = load_file(tmp_path / "new.safetensors")
    save_file(tensors, tmp_path / "old.safetensors", metadata={"fggm_lab": json.dumps(record)})
    read = Mask.load(tmp_path / "old")
    assert read == mask and read.info == mask.info and not recwarn.list


def test_a_run_of_an_earlier_version_resumes_and_compares_equal(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    ingredients = (small_model(), character_tokenizer(), small_tasks(1), FGGM())
    run = run_sequence(*ingredients, tmp_path / "new", **QUICK)
    shutil.copytree(tmp_path / "new", tmp_path / "old")
    path = tmp_path / "old" / "config.json"
    record = read_record(path)
    record["method_settings"]["scope"] = "layer"
    path.write_text(json.dumps(record))
    recwarn.clear()
    old = Run.open(tmp_path / "old")
    assert old.config.difference(run.config) == run.config.difference(old.config) == []
    assert old.config == run.config
    ingredients = (small_model(), character_tokenizer(), small_tasks(1), FGGM())
    assert run_sequence(*ingredients, tmp_path / "old", resume=True, **QUICK).finished
    assert not [warning for warning in recwarn if warning.category is FutureWarning]


def test_a_share_too_small_for_any_unit_is_refused_with_one_that_is_large_enough() -> None:
    sizes = {"w": 400, "norm": 10}
    check_moves(0.0013, "parameter", sizes)  # round(0.52)
    check_moves(0.00123, "global", sizes)  # round(0.5043)
    with pytest.raises(SettingError, match=r"round\(keep · 400\).* is 0.*; keep more than 0.0013$"):
        check_moves(0.00124, "parameter", sizes)
    with pytest.raises(SettingError, match=r"round\(keep · 410\).* is 0.*; keep more than 0.0012$"):
        check_moves(0.0012, "global", sizes)
    check_moves(1e-9, "global", {})
