"""A tokenizer's fingerprint tells tokenizers apart, and takes any of them."""

import copy

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

import fggm_lab as lab
from fggm_lab.models.fingerprint import tokenizer_fingerprint


def _closed(words: str) -> PreTrainedTokenizerFast:
    """A tokenizer of a closed vocabulary, which has no token for what is outside it."""
    backend = Tokenizer(WordLevel({word: index for index, word in enumerate(words.split())}))
    backend.pre_tokenizer = Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def test_what_changes_texts_changes_it_and_how_it_is_used_does_not() -> None:
    _, tokenizer = lab.load_model("tiny")
    fingerprint = tokenizer_fingerprint(tokenizer)
    used = copy.deepcopy(tokenizer)
    used(["a", "a b c"], padding=True, truncation=True, max_length=2)
    assert tokenizer_fingerprint(used) == fingerprint
    grown, chat = copy.deepcopy(tokenizer), copy.deepcopy(tokenizer)
    grown.add_tokens(["<new>"])
    chat.chat_template = "{{ messages }}"
    assert len({fingerprint, *map(tokenizer_fingerprint, (grown, chat))}) == 3


def test_a_closed_vocabulary_has_one() -> None:
    assert tokenizer_fingerprint(_closed("a b")) == tokenizer_fingerprint(_closed("a b"))
    assert tokenizer_fingerprint(_closed("a b")) != tokenizer_fingerprint(_closed("b a"))
