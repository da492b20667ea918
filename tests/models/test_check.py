"""What is no causal language model in one piece is refused in a sentence, wherever it is used."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    GPT2Model,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from fggm_lab.errors import DataError, LabError, ModelError, SettingError
from fggm_lab.evaluation import evaluate
from fggm_lab.fisher import fisher_scores
from fggm_lab.models.check import check_language_model
from fggm_lab.tasks import Example, Task, TaskSequence
from fggm_lab.training import run_sequence
from tests.support.families import character_tokenizer
from tests.support.small import small_model, small_tasks

GPT2 = GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=16, vocab_size=99)
SMALL = {"num_layers": 1, "num_heads": 2, "d_model": 16, "d_ff": 16, "d_kv": 8, "vocab_size": 99}


def _offloaded() -> nn.Module:
    model = GPT2LMHeadModel(copy.deepcopy(GPT2))
    model.transformer.h[0].to("meta")
    return model


UNUSABLE: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "T5": (lambda: T5ForConditionalGeneration(T5Config(**SMALL)), "is an encoder-decoder model"),
    "classifier": (lambda: GPT2ForSequenceClassification(GPT2), "has no language modelling head"),
    "BERT classifier": (
        lambda: BertForSequenceClassification(
            BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=99)
        ),
        "has no language modelling head",
    ),
    "no head": (lambda: GPT2Model(GPT2), "has no language modelling head; load the model with"),
    "DataParallel": (lambda: nn.DataParallel(small_model()), "pass the model inside, model.module"),
    "offloaded": (_offloaded, "parts of the model are not in memory (transformer.h.0"),
    "no transformers": (lambda: nn.Linear(2, 2), "Linear has no config"),
}


@pytest.fixture(params=UNUSABLE)
def unusable(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """A model that is refused, and a part of the sentence."""
    build, sentence = UNUSABLE[request.param]
    return build(), re.escape(sentence)


def test_no_causal_language_model_in_one_piece_is_said(
    unusable: tuple[Any, str], tmp_path: Path
) -> None:
    model, sentence = unusable
    tokenizer, tasks = character_tokenizer(), small_tasks()
    for use in (
        lambda: fisher_scores(model, tokenizer, tasks[0]),
        lambda: evaluate(model, tokenizer, tasks),
        lambda: run_sequence(model, tokenizer, tasks, "sft", tmp_path / "run"),
    ):
        with pytest.raises(ModelError, match=sentence) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_added_token_without_an_embedding_is_said(tmp_path: Path) -> None:
    tokenizer, tasks, model = character_tokenizer(), small_tasks(), small_model()
    check_language_model(model, tokenizer)
    rows = model.get_input_embeddings().weight.shape[0]
    tokenizer.add_tokens([f"[{i}]" for i in range(rows + 1 - len(tokenizer))])
    sentence = rf"has {rows + 1} tokens, and the model {rows} embedding rows; .*resize_token_emb"
    for use in (
        lambda: fisher_scores(model, tokenizer, tasks[0]),
        lambda: evaluate(model, tokenizer, tasks),
        lambda: run_sequence(model, tokenizer, tasks, "sft", tmp_path / "run"),
    ):
        with pytest.raises(ModelError, match=sentence):
            use()
    resized = copy.deepcopy(model)
    resized.resize_token_embeddings(len(tokenizer))
    fisher_scores(resized, tokenizer, tasks[0])


def test_a_length_above_the_position_table_is_said() -> None:
    tokenizer = character_tokenizer()
    model = GPT2LMHeadModel(GPT2Config(**{**GPT2.to_dict(), "vocab_size": len(tokenizer)}))
    examples = [("a" * 40, "b")]
    with pytest.raises(SettingError, match=r"max_length is 17, and the model has positions for 16"):
        fisher_scores(model, tokenizer, examples, max_length=17)
    fisher_scores(model, tokenizer, examples, max_length=16)


@pytest.mark.parametrize("example", [Example("a", 7), Example(7, "a"), Example("a", None)])  # type: ignore[arg-type]
def test_a_number_for_a_text_is_said(example: Example, tmp_path: Path) -> None:
    model, tokenizer = small_model(), character_tokenizer()
    task = Task("T", (example,), (), (example,))
    for use in (
        lambda: fisher_scores(model, tokenizer, task),
        lambda: fisher_scores(model, tokenizer, [example]),
        lambda: evaluate(model, tokenizer, task),
        lambda: run_sequence(
            model, tokenizer, TaskSequence([task], "mine"), "sft", tmp_path / "run"
        ),
    ):
        with pytest.raises(DataError, match=r"example 0 is of type (int|NoneType); it must be a"):
            use()


def test_wrapped_models_are_judged_by_what_is_inside() -> None:
    from peft import LoraConfig, get_peft_model

    tokenizer = character_tokenizer()
    model = small_model()
    check_language_model(torch.compile(model), tokenizer)
    check_language_model(get_peft_model(model, LoraConfig(target_modules="all-linear")), tokenizer)
    classifier: PreTrainedModel = GPT2ForSequenceClassification(GPT2)
    with pytest.raises(LabError, match=r"GPT2ForSequenceClassification has no language"):
        check_language_model(torch.compile(classifier))
