"""A compiled model's scores have plain names; parameters beside the language path are named."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn

from fggm_lab.errors import ModelError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.small import context

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(4)


def test_a_compiled_model_is_scored_as_the_plain_one() -> None:
    model = tiny_model("llama")
    compiled: Any = torch.compile(model, backend="eager")
    plain = fisher_scores(model, TOKENIZER, EXAMPLES)
    scores = fisher_scores(compiled, TOKENIZER, EXAMPLES)
    assert list(scores.units) == list(plain.units) and scores.info.model == plain.info.model
    assert all(torch.equal(scores.units[name], plain.units[name]) for name in plain.units)
    Mask.top(scores, 0.3).check(model)


def test_a_layer_compiled_by_itself_is_refused() -> None:
    model: Any = tiny_model("llama")
    model.model.layers[0].mlp = torch.compile(model.model.layers[0].mlp, backend="eager")
    with pytest.raises(ModelError, match=r"model\.layers\.0\.mlp is compiled by itself"):
        fisher_scores(model, TOKENIZER, EXAMPLES)


def test_parameters_that_reading_does_not_use_are_left_out_and_said_until_they_are_frozen() -> None:
    model: Any = tiny_model("llama", dtype=torch.float32)
    alone = fisher_scores(model, TOKENIZER, EXAMPLES)
    model.vision_tower = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with pytest.warns(UserWarning, match=r"4 of \d+ parameters take no part .*vision_tower"):
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert list(scores.units) == list(alone.units)
    assert len(scores.info.extra["left_out"]) == 4
    shares = [Mask.top(record, 0.3, "global").count for record in (scores, alone)]
    assert shares[0] == shares[1]
    with pytest.warns(UserWarning, match="take no part"):
        mask = FGGM(scope="global").plan(context(model)).mask
    assert mask is not None and mask.unit_count == sum(map(len, alone.units.values()))
    model.vision_tower.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert not any("vision_tower" in name for name in scores.units)


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "qwen3_moe"])
def test_ordinary_models_use_all_parameters(family: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*take no part")
        fisher_scores(tiny_model(family), TOKENIZER, EXAMPLES[:1])


def test_an_expert_that_no_text_chooses_is_no_vision_tower() -> None:
    model: Any = tiny_model("llama")
    experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(3)).double()
    block = nn.Module()
    block.experts = experts
    block.forward = lambda hidden: experts[1](hidden)
    model.model.layers[0].mlp = block
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*take no part")
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert not scores.units["model.layers.0.mlp.experts.0.weight"].any()
    assert scores.units["model.layers.0.mlp.experts.1.weight"].any()
