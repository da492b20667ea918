"""How stable a mask is: what one pass over blocks says equals scoring every sample by itself."""

import numpy as np
import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask, examples_needed, expected_jaccard, jaccard, mask_stability
from tests.support.families import character_tokenizer, some_examples, tiny_model

TOKENIZER = character_tokenizer()


def test_as_when_every_sample_is_scored_by_itself() -> None:
    """One repeat of blocks of two: the same two halves, each scored in one go."""
    model, examples = tiny_model("llama", dtype=torch.float64), some_examples(9)
    rows = mask_stability(model, TOKENIZER, examples, smallest=2, repeats=1, seed=5)
    assert [row["examples"] for row in rows] == [2, 4]
    assert all(row["sd"] is None for row in rows)
    chance = np.random.Generator(np.random.PCG64(5))
    order = chance.permutation(9)
    blocks = [order[start : start + 2].tolist() for start in (0, 2, 4, 6)]
    dealt = chance.permutation(4)
    for row, size in zip(rows, (1, 2), strict=True):
        masks = []
        for half in (dealt[:2], dealt[2:]):
            sample = [examples[i] for block in half[:size] for i in blocks[block]]
            masks.append(Mask.top(fisher_scores(model, TOKENIZER, sample), 0.3))
        assert row["jaccard"] == jaccard(*masks)
        assert row["expected"] == expected_jaccard(*masks)


def test_more_examples_agree_better_and_a_repeated_example_agrees_wholly() -> None:
    model, examples = tiny_model("llama"), some_examples(64)
    rows = mask_stability(model, TOKENIZER, examples, repeats=6, keep=0.3, scope="global")
    assert [row["examples"] for row in rows] == [2, 4, 8, 16, 32]
    assert rows[0]["expected"] < rows[0]["jaccard"] < rows[-1]["jaccard"] < 1
    same = mask_stability(model, TOKENIZER, examples[:1] * 8, repeats=2)
    assert all(row["jaccard"] == 1 and row["sd"] == 0 for row in same)


def test_examples_needed_reads_between_the_rows() -> None:
    rows = [
        {"examples": 10, "jaccard": 0.5},
        {"examples": 20, "jaccard": 0.8},
        {"examples": 40, "jaccard": 0.9},
    ]
    assert [examples_needed(rows, j) for j in (0.4, 0.5, 0.65, 0.85, 0.9)] == [10, 10, 15, 30, 40]
    assert examples_needed(rows, 0.95) is None
    with pytest.raises(SettingError, match="above 0"):
        examples_needed(rows, 0)


def test_bad_input_is_refused() -> None:
    model, examples = tiny_model("llama"), some_examples(3)
    with pytest.raises(DataError, match="two blocks of 2"):
        mask_stability(model, TOKENIZER, examples, smallest=2)
    with pytest.raises(SettingError, match="repeats is 0"):
        mask_stability(model, TOKENIZER, examples, repeats=0)
    with pytest.raises(SettingError, match="'batch' does not work example by example"):
        mask_stability(model, TOKENIZER, examples, estimator="batch")
    with pytest.raises(SettingError, match="no estimator is named 'x'"):
        mask_stability(model, TOKENIZER, examples, estimator="x")
