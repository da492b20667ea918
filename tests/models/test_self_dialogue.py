"""A chat model talks to itself in its template's form, and says what it would say."""

from itertools import pairwise

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, SettingError
from fggm_lab.models.self_dialogue import own_dialogues, question_openings
from tests.models.test_chat import END, EOS, tokenizer

USER, ASSISTANT = "u", "a"
TEMPLATE = (
    "<s>{% for m in messages %}{{ m['role'][0] }}{{ m['content'] }}MARK{% endfor %}"
    "{% if add_generation_prompt %}a{% endif %}"
)


def chat(mark: str) -> PreTrainedTokenizerBase:
    return tokenizer(TEMPLATE.replace("MARK", mark))


def scripted(tokens: PreTrainedTokenizerBase, *scripts: str) -> LlamaForCausalLM:
    """A model whose next token is the one that follows the present token in the scripts."""
    size = len(tokens)
    width = size + size % 2
    config = LlamaConfig(
        vocab_size=size, hidden_size=width, intermediate_size=2, num_hidden_layers=1,
        num_attention_heads=1, max_position_embeddings=48, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    head = torch.zeros(size, width)
    for script in scripts:
        ids = tokens(script, add_special_tokens=False)["input_ids"]
        for present, following in pairwise(ids):
            head[following, present] = 10.0
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(torch.eye(size, width))
        model.model.layers[0].self_attn.o_proj.weight.zero_()
        model.model.layers[0].mlp.down_proj.weight.zero_()
        model.lm_head.weight.copy_(head)
    return model


@pytest.mark.parametrize("mark", ["<end>", "</s>"])
def test_question_and_answer_are_what_the_model_says_in_each_turn(mark: str) -> None:
    tokens = chat(mark)
    model = scripted(tokens, f"uwhy{mark}", f"also{mark}").train()
    state = torch.get_rng_state()
    drawn = own_dialogues(model, tokens, 3, length=6, batch_size=2)
    assert [tokens.decode(item.prompt) for item in drawn] == [f"<s>uwhy{mark}a"] * 3
    assert [tokens.decode(item.answer) for item in drawn] == [f"lso{mark}"] * 3
    assert model.training and torch.equal(torch.get_rng_state(), state)


def test_a_template_without_a_mark_of_its_own_ends_a_turn_by_its_words() -> None:
    tokens = tokenizer(
        "<s>{% for m in messages %}{{ m['role'][0] }}{{ m['content'] }}{% if m['role'] == 'user' %}"
        "\nz{% endif %}{% endfor %}"
    )
    model = scripted(tokens, "uhi\nzk</s>")
    drawn = own_dialogues(model, tokens, 2, length=12)
    assert [tokens.decode(item.prompt) for item in drawn] == ["<s>uhi\nz"] * 2
    assert [tokens.decode(item.answer) for item in drawn] == ["k</s>"] * 2


def test_turns_of_chance_length_follow_the_seed_and_fit() -> None:
    tokens = chat("<end>")
    model = scripted(tokens)  # every token is as likely as another
    drawn = own_dialogues(model, tokens, 30, length=9, max_length=20, seed=4)
    assert drawn == own_dialogues(model, tokens, 30, length=9, max_length=20, seed=4)
    assert drawn != own_dialogues(model, tokens, 30, length=9, max_length=20, seed=5)
    opening, closing = tokens("<s>u<end>a", add_special_tokens=False)["input_ids"][:2], (END,)
    for item in drawn:
        assert len(item) <= 20 and item.prompt[:2] == tuple(opening)
        assert item.prompt[2:].count(END) == 1 and item.prompt[-2:-1] == closing
        assert END not in item.answer[:-1]
        assert len(item.answer) == 8 or item.answer[-1] in (END, EOS)
    assert len({len(item.prompt) for item in drawn}) > 3


def test_dialogues_begin_as_they_are_told_to() -> None:
    tokens = chat("<end>")
    model = scripted(tokens, "uno<end>", "thy<end>", "also<end>")
    openings = [tokens(text, add_special_tokens=False)["input_ids"] for text in ("", "t", "not")]
    drawn = own_dialogues(model, tokens, 3, openings=openings, length=6)
    questions = ["no", "thy", "nothy"]
    assert [tokens.decode(item.prompt) for item in drawn] == [f"<s>u{q}<end>a" for q in questions]
    assert {tokens.decode(item.answer) for item in drawn} == {"lso<end>"}


@pytest.mark.parametrize(("prompt", "opening"), [
    ("<s>uwhat is<end>a", "wha"),
    ("<s>uhi<end>a", "hi"),
    ("<s>uone<end>atwo<end>uthree<end>a", "one"),
    ("plain", "pla"),
    ("<s>plain", "pla"),
    ("<s>sbe kind<end>uwhat<end>a", ""),
])  # fmt: skip
def test_a_questions_first_tokens(prompt: str, opening: str) -> None:
    tokens = chat("<end>")
    ids = tokens(prompt, add_special_tokens=False)["input_ids"]
    assert [tokens.decode(ids) for ids in question_openings(tokens, [ids], 3)] == [opening]


def test_bad_input_is_one_sentence() -> None:
    tokens = chat("<end>")
    model = scripted(tokens)
    with pytest.raises(SettingError, match="4 tokens around a user's turn, which leaves no room"):
        own_dialogues(model, tokens, 2, max_length=5)
    with pytest.raises(SettingError, match="count is 0; it must be 1 or more"):
        own_dialogues(model, tokens, 0)
    with pytest.raises(DataError, match="has no chat template"):
        own_dialogues(model, tokenizer(None), 2)
