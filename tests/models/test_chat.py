"""Conversations become the chat template's tokens; the last assistant turn alone is learned."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from fggm_lab.errors import DataError
from fggm_lab.fisher import fisher_scores
from fggm_lab.models import collate, encode
from fggm_lab.models.encoding import encode_prompts
from fggm_lab.tasks import ChatPrompt, Example, Task, as_examples, load_tasks, task_fingerprint
from tests.support.families import character_tokenizer
from tests.support.small import small_model
from tests.support.task_folders import write_task

SPECIALS = ("<pad>", "<s>", "</s>", "<end>", "<unk>")
BOS, EOS, END = 1, 2, 3

TURN = "{{ m['role'][0] }}:{{ m['content'] }}"
TEMPLATES = {
    "ends with the end token": "</s>\n",
    "ends with a mark of its own": "<end>\n",
    "ends with nothing": "",
}


def template(mark: str) -> str:
    """A chat template that begins with `<s>` and closes every turn with `mark`."""
    return (
        "<s>{% for m in messages %}" + TURN + mark + "{% endfor %}"
        "{% if add_generation_prompt %}a:{% endif %}"
    )


def tokenizer(chat_template: str | None, adds_end: bool = False) -> PreTrainedTokenizerBase:
    """One token per character and special token; adds `<s>` before a text by itself."""
    words = [*SPECIALS, *"abcdefghijklmnopqrstuvwxyz :\n"]
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    backend.decoder = decoders.Fuse()
    end = " </s>" if adds_end else ""
    backend.post_processor = processors.TemplateProcessing(
        f"<s> $A{end}", None, [("<s>", BOS), ("</s>", EOS)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=["<end>"],
    )
    wrapped.chat_template = chat_template
    return wrapped


CONVERSATION = {
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yo"},
        {"role": "user", "content": "why"},
        {"role": "assistant", "content": "so "},
    ]
}


@pytest.mark.parametrize("mark", TEMPLATES.values(), ids=list(TEMPLATES))
def test_tokens_and_labels_are_those_of_prompt_and_answer_written_by_hand(mark: str) -> None:
    tokens = tokenizer(template(mark))
    prompt = f"<s>u:hi{mark}a:yo{mark}u:why{mark}a:"
    answer = "so " + mark.strip().removesuffix("</s>")
    by_hand = collate(encode(tokens, [Example(prompt, answer)], 99), pad=0)
    chat = collate(encode(tokens, as_examples([CONVERSATION]), 99), pad=0)
    assert all(torch.equal(by_hand[name], chat[name]) for name in by_hand)
    ids, labels = chat["input_ids"][0], chat["labels"][0]
    assert (ids == BOS).sum() == 1 and ids[0] == BOS
    assert ids[-1] == EOS and (labels == EOS).sum() == 1
    ending = [END, EOS] if mark.startswith("<end>") else [EOS]
    assert labels[labels >= 0].tolist() == [*tokens.convert_tokens_to_ids(list("so ")), *ending]


def test_the_prompt_alone_is_the_templates_with_a_generation_prompt() -> None:
    tokens = tokenizer(template("</s>\n"))
    example = as_examples([CONVERSATION])[0]
    expected = tokens.apply_chat_template(
        CONVERSATION["messages"][:-1], add_generation_prompt=True, return_dict=False
    )
    assert list(encode_prompts(tokens, [example.prompt], 99)[0].prompt) == list(expected)


def test_an_answer_that_the_template_trims_is_learned_as_written() -> None:
    written = template("</s>").replace("m['content']", "m['content'] | trim")
    (encoded,) = encode(tokenizer(written), as_examples([CONVERSATION]), 99)
    assert encoded.answer == (*tokenizer(None).convert_tokens_to_ids(list("so")), EOS)


@pytest.mark.parametrize("adds_end", [False, True])
@pytest.mark.parametrize("text", ["ab", "ab</s>", "<s>ab", "<s>ab</s>", "ab</s></s>", "<s><s>a"])
def test_special_tokens_that_a_prompt_writes_are_neither_doubled_nor_lost(
    text: str, adds_end: bool
) -> None:
    ids = list(encode_prompts(tokenizer(None, adds_end), [text], 99)[0].prompt)
    text_ids = tokenizer(None)(text, add_special_tokens=False)["input_ids"]
    begun = text.startswith("<s>") and not text.startswith("<s><s>")
    assert ids == (text_ids if begun else [BOS, *text_ids])


def test_what_cannot_be_written_is_one_sentence() -> None:
    examples = as_examples([CONVERSATION])
    with pytest.raises(DataError, match=r"conversations, and the tokenizer has no chat template"):
        encode(tokenizer(None), examples, 99)
    refusing = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(DataError, match=r"refuses messages of user, assistant, user \(roles must"):
        encode(tokenizer(refusing), examples, 99)
    thinking = template("</s>").replace("%}a:{%", "%}a:x{%")
    with pytest.raises(DataError, match=r"begins an answer in another way than it prompts for"):
        encode(tokenizer(thinking), examples, 99)


def test_a_conversation_survives_copies_and_counts_in_the_fingerprint() -> None:
    prompt = ChatPrompt([("user", "a"), ("assistant", "b"), ("user", "c")])
    for same in (pickle.loads(pickle.dumps(prompt)), copy.deepcopy(prompt)):
        assert same == prompt and same.messages == prompt.messages
    chat = Task("T", (Example(prompt, "d"),))
    text = Task("T", (Example(str.__str__(prompt), "d"),))
    assert task_fingerprint([chat]) != task_fingerprint([text])


def test_a_folder_of_conversations_is_scored_as_its_plain_form(tmp_path: Path) -> None:
    tokens = character_tokenizer()
    tokens.chat_template = (
        "{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}<eos>{% endfor %}"
        "{% if add_generation_prompt %}a:{% endif %}"
    )
    write_task(tmp_path / "T", train=[CONVERSATION])
    write_task(
        tmp_path / "U", train=[{"prompt": "u:hi<eos>a:yo<eos>u:why<eos>a:", "answer": "so "}]
    )
    tasks, model = load_tasks(tmp_path), small_model()
    chat, plain = (fisher_scores(model, tokens, task) for task in tasks)
    assert all(torch.equal(chat[name], plain[name]) for name in plain)


def test_what_a_template_writes_before_an_answer_is_read_and_not_answered() -> None:
    """Qwen3's template puts an empty block of thoughts before the content of a last turn."""
    tokens = tokenizer(
        "<s>{% for m in messages %}{{ m['role'][0] }}:"
        "{% if loop.last and m['role'] == 'assistant' %}think  {% endif %}{{ m['content'] }}<end>"
        "{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
    )
    chat = encode(tokens, as_examples([CONVERSATION]), 99)
    (by_hand,) = encode(
        tokens, [Example("<s>u:hi<end>a:yo<end>u:why<end>a:think  ", "so <end>")], 99
    )
    assert chat[0].prompt == by_hand.prompt and chat[0].answer == by_hand.answer
    (prompt,) = encode_prompts(tokens, [as_examples([CONVERSATION])[0].prompt], 99)
    assert prompt.prompt == by_hand.prompt
