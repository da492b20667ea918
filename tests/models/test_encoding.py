"""Encoding: the answer's tokens are known, survive truncation, and alone are labelled."""

import logging
from pathlib import Path
from typing import Literal

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from fggm_lab.errors import DataError
from fggm_lab.models import (
    IGNORED,
    Encoded,
    batches_by_length,
    collate,
    encode,
)
from fggm_lab.models.encoding import encode_prompts
from fggm_lab.tasks import Example, load_tasks

LETTERS = "abcdefghijklmnopqrstuvwxyz :"
PAD, BOS, EOS, UNKNOWN = range(4)


def characters(bos: bool, merges: tuple[tuple[str, str], ...] = ()) -> PreTrainedTokenizerBase:
    """A tokenizer of single letters, with a beginning token or without, and with some merges."""
    words = ["<pad>", "<s>", "</s>", "<unk>", *LETTERS, *(a + b for a, b in merges)]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.BPE(vocabulary, list(merges), unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split("\0", "isolated")
    backend.decoder = decoders.Fuse()
    if bos:
        backend.post_processor = processors.TemplateProcessing("<s> $A", None, [("<s>", BOS)])
    named = {"bos_token": "<s>"} if bos else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", **named
    )


def ids(text: str) -> tuple[int, ...]:
    return tuple(4 + LETTERS.index(letter) for letter in text)


def test_prompt_and_answer_keep_apart() -> None:
    (item,) = encode(characters(bos=True), [Example("ab:", "cd")], 99)
    assert item == Encoded((BOS, *ids("ab:")), (*ids("cd"), EOS), truncated=False)
    assert len(item) == 7
    (item,) = encode(characters(bos=False), [Example("ab:", "cd")], 99)
    assert item == Encoded(ids("ab:"), (*ids("cd"), EOS), truncated=False)


def test_a_merge_across_the_border_does_not_move_the_labels() -> None:
    """TRACE's trap: `Stance:` + `C` tokenised together has one token for `:C`."""
    tokenizer = characters(bos=True, merges=((":", "c"),))
    assert len(tokenizer("stance:c")["input_ids"]) == 1 + 7
    (item,) = encode(tokenizer, [Example("stance:", "c")], 99)
    assert item.prompt == (BOS, *ids("stance:"))
    assert item.answer == (*ids("c"), EOS)


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("limit", range(4, 12))
def test_truncation_cuts_the_prompts_left_and_keeps_bos_and_answer(bos: bool, limit: int) -> None:
    (item,) = encode(characters(bos), [Example("abcdef", "xy")], limit)
    full = (BOS,) * bos + ids("abcdef")
    room = limit - 3
    assert item.answer == (*ids("xy"), EOS)
    assert item.truncated == (len(full) > room)
    if item.truncated:
        assert len(item) == limit
        letters = room - bos
        assert item.prompt == (BOS,) * bos + ids("abcdef")[len("abcdef") - letters :]
    else:
        assert item.prompt == full


def test_an_answer_that_fills_the_context_is_refused_with_its_index() -> None:
    examples = [Example("a", "b"), Example("a", "xyz")]
    for limit in (3, 4):
        with pytest.raises(DataError, match=rf"example 1 has 4 tokens .* within {limit};"):
            encode(characters(bos=True), examples, limit)
    assert len(encode(characters(bos=True), examples, 5)) == 2


def test_an_empty_prompt_still_lets_the_whole_answer_be_predicted() -> None:
    (with_bos,) = encode(characters(bos=True), [Example("", "ab")], 9)
    (without,) = encode(characters(bos=False), [Example("", "ab")], 9)
    assert with_bos.prompt == (BOS,)
    assert without.prompt == (EOS,)
    labels = collate([without], PAD)["labels"]
    assert (labels[:, 1:] != IGNORED).sum() == 3


def test_an_empty_answer_is_the_end_token_alone() -> None:
    (item,) = encode(characters(bos=True), [Example("ab", "")], 9)
    assert item.answer == (EOS,)


def test_no_examples_and_no_end_token() -> None:
    assert encode(characters(bos=True), [], 9) == []
    tokenizer = characters(bos=True)
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="has no end token"):
        encode(tokenizer, [Example("a", "b")], 9)


def test_an_end_token_the_tokenizer_adds_itself_does_not_close_the_prompt() -> None:
    tokenizer = characters(bos=True)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", None, [("<s>", BOS), ("</s>", EOS)]
    )
    (item,) = encode(tokenizer, [Example("ab", "c")], 9)
    assert item == Encoded((BOS, *ids("ab")), (*ids("c"), EOS), truncated=False)


@pytest.mark.parametrize("side", ["right", "left"])
def test_labels_stand_on_answer_tokens_only(side: Literal["right", "left"]) -> None:
    batch = encode(characters(bos=True), [Example("abc", "x"), Example("a", "yz")], 99)
    out = collate(batch, PAD, side)
    assert {tensor.shape for tensor in out.values()} == {(2, 6)}
    for row, item in enumerate(batch):
        real = out["attention_mask"][row].bool()
        assert real.sum() == len(item)
        assert real[0 if side == "right" else -1]
        assert tuple(out["input_ids"][row][real].tolist()) == item.prompt + item.answer
        labelled = out["labels"][row] != IGNORED
        assert tuple(out["labels"][row][labelled].tolist()) == item.answer
        assert torch.equal(out["input_ids"][row][labelled], out["labels"][row][labelled])
        assert (out["input_ids"][row][~real] == PAD).all()
        assert not labelled[~real].any()
        if side == "left":
            position_ids = out["position_ids"][row][real]
            assert position_ids.tolist() == list(range(len(item)))


def test_the_pad_id_may_be_any_even_the_end_token() -> None:
    batch = encode(characters(bos=True), [Example("abc", "x"), Example("a", "y")], 99)
    padded, padded_with_end = collate(batch, PAD), collate(batch, EOS)
    assert torch.equal(padded["labels"], padded_with_end["labels"])
    assert torch.equal(padded["attention_mask"], padded_with_end["attention_mask"])


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_batches_hold_every_index_once_and_similar_lengths(size: int) -> None:
    lengths = [5, 1, 9, 2, 2, 7, 3, 8, 4, 6, 1]
    encoded = [Encoded((0,) * n, (1,), False) for n in lengths]
    batches = list(batches_by_length(encoded, size))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert sum(len(batch) < size for batch in batches) <= 1
    longest = [max(len(encoded[i]) for i in batch) for batch in batches]
    shortest = [min(len(encoded[i]) for i in batch) for batch in batches]
    assert all(a <= b for a, b in zip(longest, shortest[1:], strict=False))


@pytest.mark.parametrize(
    ("context", "remedy"),
    [(4, "use a model with a longer context"), (9, "at most to the model's context of 9")],
)
def test_an_answer_that_does_not_fit_is_told_with_its_set_and_what_helps(
    context: int, remedy: str
) -> None:
    with pytest.raises(DataError, match=f"^skill sums: the answer of .* {remedy}$"):
        encode(characters(bos=True), [Example("a", "xyz")], 4, where="skill sums", context=context)


@pytest.mark.parametrize("bos", [False, True])
def test_a_prompt_by_itself_is_cut_as_with_an_answer(bos: bool) -> None:
    tokenizer = characters(bos)
    texts = ["abcdefg:", "", "ab"]
    with_answers = encode(tokenizer, [Example(text, "x") for text in texts], 5 + 2)
    prompts_only = encode_prompts(tokenizer, texts, 5)
    assert prompts_only == [Encoded(item.prompt, (), item.truncated) for item in with_answers]
    assert [item.truncated for item in prompts_only] == [True, False, False]


def test_what_is_cut_anyway_is_not_warned_about(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("transformers")
    monkeypatch.setattr(logger, "handlers", [caplog.handler])  # it does not hand on to others
    monkeypatch.setattr(logger, "level", logging.WARNING)
    tokenizer = characters(bos=True)
    tokenizer.model_max_length = 4
    assert len(encode(tokenizer, [Example("abcdefgh", "x")], 4)[0]) == 4
    assert caplog.messages == []
    tokenizer("abcdefgh")  # each tokenizer warns once
    assert "indexing errors" in caplog.text


def test_stories260k_starts_prompts_but_not_answers_with_bos(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / "stories260K")
    (item,) = encode(tokenizer, [Example("Once upon a time", "there was a girl.")], 99)
    assert item.prompt[0] == tokenizer.bos_token_id == 1
    assert item.prompt.count(1) == 1
    assert 1 not in item.answer
    assert item.answer[-1] == tokenizer.eos_token_id == 2
    assert tokenizer.decode(item.answer[:-1]) == "there was a girl."


def test_real_tasks_survive_real_truncation(shared: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared / "models" / "stories260K")
    examples = load_tasks(shared / "trace", order=["Py150"])["Py150"].test[:50]
    uncut, cut = encode(tokenizer, examples, 10_000), encode(tokenizer, examples, 256)
    assert not any(item.truncated for item in uncut)
    assert 0 < sum(item.truncated for item in cut) < len(cut)
    for full, item, example in zip(uncut, cut, examples, strict=True):
        assert item.answer == full.answer
        assert len(item) == min(len(full), 256)
        assert item.prompt[0] == 1
        assert item.prompt[1:] == full.prompt[len(full.prompt) - len(item.prompt) + 1 :]
        text = tokenizer.decode(item.answer[:-1])
        assert text.strip() == example.answer.strip()
