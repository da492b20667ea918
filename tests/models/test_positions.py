"""Families with their own position numbering: scored and generated as the model that trains."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from fggm_lab.evaluation import generate
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.models import collate, context_length, encode
from fggm_lab.models.positions import first_position
from fggm_lab.models.sampling import own_samples
from tests.support import oracle
from tests.support.families import VOCABULARY, character_tokenizer, some_examples, tiny_model

OWN_NUMBERING = ("roberta", "camembert", "data2vec-text", "xlm-roberta", "xlm-roberta-xl")
TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)


def encoder_as_decoder(family: str, pad: int = 0) -> PreTrainedModel:
    """A tiny BERT-like model that reads from left to right."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=66,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=1,
        is_decoder=True,
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5) if parameter.ndim > 1 else parameter.add_(
                0.3 * torch.randn_like(parameter)
            )
    return model.double().eval()


@pytest.mark.parametrize("family", OWN_NUMBERING)
def test_scores_are_those_of_the_model_that_trains(family: str) -> None:
    model = encoder_as_decoder(family)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4, elementwise=True)
    assert scores.elementwise is not None
    for name, truth in oracle.diagonal_fisher(model, ENCODED).items():
        torch.testing.assert_close(scores.elementwise[name], truth, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("family", OWN_NUMBERING)
def test_a_padded_row_has_the_likelihood_of_the_row_alone(family: str, pad: int) -> None:
    model = encoder_as_decoder(family, pad)
    with torch.no_grad():
        alone = float(sum(oracle.log_likelihood(model, item) for item in ENCODED))
        for side in ("right", "left"):  # padded with 0, whatever the model's own padding token
            batch = collate(ENCODED, 0, side)
            assert float(AnswerLikelihood(model)(batch)) == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("family", OWN_NUMBERING)
def test_a_greedy_answer_takes_the_likeliest_tokens(family: str) -> None:
    model = encoder_as_decoder(family)
    prompts = [item.prompt for item in ENCODED]
    truth = []
    for prompt in prompts:
        tokens = list(prompt)
        for _ in range(5):
            logits = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1]
            tokens.append(int(logits.argmax()))
            if tokens[-1] == 1:
                break
        truth.append(TOKENIZER.decode(tokens[len(prompt) :], skip_special_tokens=True))
    assert generate(model, TOKENIZER, prompts, [5] * len(prompts), batch_size=4) == truth


def test_the_padding_position_is_no_part_of_the_context() -> None:
    model = encoder_as_decoder("roberta", pad=2)
    assert (first_position(model), context_length(model)) == (3, 63)
    assert max(len(item) for item in own_samples(model, TOKENIZER, 2, length=100)) <= 63
    model(input_ids=torch.full((1, 63), 5))  # and it reads as many


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt"])
def test_ordinary_families_count_from_zero(family: str) -> None:
    assert first_position(tiny_model(family)) == 0
    assert context_length(tiny_model(family)) == 64
