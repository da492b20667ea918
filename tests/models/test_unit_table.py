"""Scores and masks as records: length, one parameter by name, a short repr, a small table."""

import re

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherInfo, FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models import Encoded
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import small_model

NAME = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def scores() -> FisherScores:
    return fisher_scores(small_model(), character_tokenizer(), some_examples(3), task="a & b")


def test_a_record_is_read_by_parameter(scores: FisherScores) -> None:
    mask = Mask.top(scores, 0.3)
    for record in (scores, mask):
        assert list(record) == record.names and len(record) == len(record.names)
        assert NAME in record and "x" not in record
        assert record[NAME] is record.units[NAME]
        assert record.unit_count == sum(len(record[name]) for name in record)
    for empty in (scores.restricted([]), mask.restricted([])):
        assert len(empty) == 0 and empty and empty._repr_html_()


def test_a_wrong_name_gets_one_sentence_with_the_nearest(scores: FisherScores) -> None:
    wrong = NAME.replace("up_proj", "up_prj")
    for record, noun in [
        (scores, "there are no scores for"),
        (Mask.top(scores, 0.3), "the mask has no parameter named"),
    ]:
        sentence = re.escape(f"{noun} {wrong}; see ")
        with pytest.raises(SettingError, match=rf"{sentence}.*; did you mean '"):
            record[wrong]


def test_reprs_are_short_and_say_what_it_is(scores: FisherScores) -> None:
    mask = Mask.top(scores, 0.3)
    texts = [repr(record) for record in (scores, mask, scores.info, mask.info)]
    assert max(map(len, texts)) < 200
    count = f"{scores.unit_count:,} units"
    assert (
        texts[0].startswith("FisherScores(empirical, task a & b, 3 examples: ")
        and count in texts[0]
    )
    assert f"{mask.count:,} of {count} move" in texts[1]
    union = mask
    for _ in range(30):
        union = union | mask
    assert len(repr(union)) < 200
    assert repr(Encoded((1,) * 900, (2, 3), True)) == (
        "Encoded(prompt of 900 tokens, cut from the left, answer of 2)"
    )


@pytest.mark.parametrize(("layers", "rows"), [(2, 3), (11, 12), (40, 11)])
def test_the_table_in_a_notebook_has_a_dozen_rows_at_most(layers: int, rows: int) -> None:
    units = {f"model.layers.{n}.w": torch.ones(10) for n in range(layers)} | {
        "head": torch.ones(10)
    }
    info = FisherInfo("empirical", "input", 3, 9, "m", task="<b>")
    scores = FisherScores(units, dict.fromkeys(units, 0), None, info)
    for record in (scores, Mask.top(scores, 0.3)):
        html = record._repr_html_()
        assert html.count("<tr>") == rows + 1 and "<b>" not in html
        assert "layer" in html and "outside layers" in html
    assert ">30</td>" in Mask.top(scores, 0.3)._repr_html_()
    assert f">{100 / (layers + 1):.3g}</td>" in scores._repr_html_()


def test_the_old_name_of_the_info_is_accepted_with_a_warning(scores: FisherScores) -> None:
    mask = Mask.top(scores, 0.3)
    with pytest.warns(FutureWarning, match=r"scores\.made is now called scores\.info"):
        assert scores.made is scores.info
    with pytest.warns(FutureWarning, match=r"mask\.made is now called mask\.info"):
        assert mask.made is mask.info
