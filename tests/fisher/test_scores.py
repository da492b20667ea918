"""Scores save, load and show themselves; broken files are named."""

import json
from pathlib import Path

import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import FisherScores, fisher_scores
from tests.support.families import character_tokenizer, some_examples, tiny_model


@pytest.fixture(scope="module")
def scores() -> FisherScores:
    return fisher_scores(
        tiny_model("llama"), character_tokenizer(), some_examples(3), elementwise=True, task="T"
    )


@pytest.mark.parametrize("name", ["qwen2.5", "qwen2.5.safetensors"])
def test_save_and_load_give_the_same(scores: FisherScores, tmp_path: Path, name: str) -> None:
    scores.save(tmp_path / name)
    assert {p.name for p in tmp_path.iterdir()} == {"qwen2.5.safetensors", "qwen2.5.json"}
    again = FisherScores.load(tmp_path / name)
    assert (again.info, again.axes, again.names) == (scores.info, scores.axes, scores.names)
    assert again.elementwise is not None and scores.elementwise is not None
    assert again.standard_errors is not None and scores.standard_errors is not None
    restricted = again.restricted(scores.names[:2])
    assert (
        restricted.standard_errors is not None
        and list(restricted.standard_errors) == scores.names[:2]
    )
    for parameter in scores.names:
        assert torch.equal(again.standard_errors[parameter], scores.standard_errors[parameter])
        assert torch.equal(again.units[parameter], scores.units[parameter])
        assert torch.equal(again.elementwise[parameter], scores.elementwise[parameter])
    beside = json.loads((tmp_path / "qwen2.5.json").read_text())
    assert beside["made"]["task"] == "T" and len(beside["parameters"]) == len(scores.names)


def test_entry_units_survive_saving(tmp_path: Path) -> None:
    scores = fisher_scores(
        tiny_model("llama"),
        character_tokenizer(),
        some_examples(2),
        aggregation="none",
        elementwise=True,
    )
    scores.save(tmp_path / "s")
    again = FisherScores.load(tmp_path / "s")
    assert again.elementwise is not None and scores.elementwise is not None
    for name, diagonal in scores.elementwise.items():
        assert torch.equal(again.elementwise[name], diagonal)


def test_table_and_total(scores: FisherScores) -> None:
    table = scores.table()
    assert [row["name"] for row in table] == scores.names
    assert scores.total == pytest.approx(sum(row["total"] for row in table))
    assert sum(row["units"] for row in table) == scores.unit_count
    embedding = table[0]
    assert (embedding["layer"], embedding["module"]) == (None, "embed_tokens.weight")
    assert scores.layer_of("model.layers.1.mlp.up_proj.weight") == 1
    assert embedding["max"] == float(scores.units[embedding["name"]].max())


def test_restricted_keeps_the_named(scores: FisherScores) -> None:
    restricted = scores.restricted(scores.names[3:1:-1])
    assert restricted.names == scores.names[2:4] and list(restricted.axes) == restricted.names
    with pytest.raises(SettingError, match="no scores for nonsense"):
        scores.restricted(["nonsense"])


def test_missing_torn_and_foreign_files_are_named(scores: FisherScores, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        FisherScores.load(tmp_path / "absent")
    scores.save(tmp_path / "torn")
    file = tmp_path / "torn.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"torn\.safetensors cannot be read"):
        FisherScores.load(tmp_path / "torn")
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(DataError, match="holds no Fisher scores"):
        FisherScores.load(tmp_path / "foreign")
