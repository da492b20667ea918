"""Whether what a model has written so far already decides the score of its answer.

Generation must stop somewhere, and an answer that is cut may score as no whole answer would: `B`
followed by a new line is right, but the whole answer may be `B` with a reason below it, which is
not. So generation goes on until nothing that may follow can change the score.
"""

import re
import unicodedata
from collections.abc import Callable

from fggm_lab.tasks.arithmetic import MARK
from fggm_lab.tasks.code import cut_completion
from fggm_lab.tasks.metrics import PASS_AT_1, answer_words

COMPARED_WHOLE = ("rouge_l", "edit_similarity", "sari")
"""Metrics that compare a whole text: whatever follows changes the score, so that their limit of
tokens is a part of the measurement."""

_UNFINISHED = "\ufffd"
"""What a tokenizer writes for the first bytes of a character that is not complete yet."""


def is_decided(metric: str, prompt: str, text: str, answer: str) -> bool:
    """Whether no continuation of an unfinished text changes its score by a metric.

    For exact match that is the strict and the lenient score (`lenient_match`). Where in doubt, the
    answer is no.

    Args:
        metric: a key of `METRICS`, or `pass_at_1`.
        prompt: what the model read.
        text: what it has written so far.
        answer: the right answer.

    Returns:
        True where the score is decided; always of a metric in `COMPARED_WHOLE`, whose texts are
        compared up to their limit of tokens.
    """
    text = text.rstrip(_UNFINISHED)
    return metric in COMPARED_WHOLE or _RULES[metric](prompt, text, answer)


def is_lenient_match_decided(text: str, answer: str) -> bool:
    """Whether no continuation of an unfinished text changes its `lenient_match` with an answer.

    Words up to the last white space or Chinese character stay what they are. The rest may still
    grow into other words: `1,0` into the number 1,000, `ten` into `tennis`.

    Args:
        text: what a model has written so far.
        answer: the right answer.

    Returns:
        True where the match is decided.
    """
    expected = answer_words(answer)
    if not expected:
        bare, begun = _without_space(answer), _without_space(text)
        return len(begun) >= len(bare) or not bare.startswith(begun)
    end = max((match.end() for match in re.finditer(r"[\s\u3400-\u9fff]", text)), default=0)
    words, partial = answer_words(text[:end]), ""
    growing = answer_words(text[end:])
    if growing and not any(map(str.isdigit, unicodedata.normalize("NFKC", text[end:]))):
        words += growing[:-1]
        partial = growing[-1][:-1]  # an accent may yet change the last letter
    count = min(len(words), len(expected))
    if count == len(expected) or words[:count] != expected[:count]:
        return True
    return not expected[count].startswith(partial)


def _accuracy(prompt: str, text: str, answer: str) -> bool:
    # Compared without white space, since a tokenizer may still change that: `B .` into `B.`.
    may_be_equal = _without_space(answer).startswith(_without_space(text))
    return not may_be_equal and is_lenient_match_decided(text, answer)


def _first_character(prompt: str, text: str, answer: str) -> bool:
    return bool(text.strip())


def _final_number(prompt: str, text: str, answer: str) -> bool:
    """A number after the mark, and white space after that: nothing else is read."""
    _, mark, after = text.partition(MARK)
    return bool(mark) and re.search(r"\d\S*\s", after) is not None


def _pass_at_1(prompt: str, text: str, answer: str) -> bool:
    """A complete line begins something that is no part of the program."""
    lines = text[: text.rfind("\n") + 1]
    return cut_completion(prompt, lines) != lines


def _without_space(text: str) -> str:
    return "".join(text.split())


_RULES: dict[str, Callable[[str, str, str], bool]] = {
    "accuracy": _accuracy,
    "first_character": _first_character,
    "final_number": _final_number,
    PASS_AT_1: _pass_at_1,
}
