"""Cutting a completion where its answer ends and the model goes on with something else."""

import re
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from io import StringIO
from tokenize import (
    COMMENT,
    DEDENT,
    ENDMARKER,
    INDENT,
    NEWLINE,
    NL,
    TokenError,
    TokenInfo,
    generate_tokens,
)

_AFTER_BODY = re.compile(r"^\S", re.MULTILINE)
"""A line that begins a new top-level statement or comment."""

_AFTER_MODULE = re.compile(r"^(?:assert\b|print\b|if\b|\"\"\"|'''|```|<\|)", re.MULTILINE)
"""What no function starts with: tests, calls, the next problem's text, a chat's marks."""

_LAYOUT = {NL, NEWLINE, INDENT, DEDENT, ENDMARKER}
"""Tokens that are no text."""


def cut_completion(prompt: str, completion: str) -> str:
    r"""The completion up to the first line that begins something new.

    Where the prompt ends inside a function (after its colon, or with an indented line), any later
    line at the left margin does: the stop words of HumanEval's harness (Chen et al. 2021:
    `\nclass`, `\ndef`, `\n#`, `\nif`, `\nprint`) and whatever else stands there. Elsewhere the
    completion is whole functions, and tests, calls, strings and fences at the margin end it. A line
    within a string or a bracket begins nothing. The first line is always kept, and so is a
    completion without such a line. Whatever comes after the end does not move it.

    Args:
        prompt: the program's beginning.
        completion: what a model wrote after it.

    Returns:
        The part of the completion that is the answer.
    """
    first = completion.find("\n") + 1
    if first == 0:
        return completion
    pattern = _AFTER_BODY if _inside_function(prompt) else _AFTER_MODULE
    for match in pattern.finditer(completion, first):
        answer = completion[: match.start()]
        if not _is_open(prompt + answer):
            return answer
    return completion


def _inside_function(prompt: str) -> bool:
    """Whether the last statement opens a block, or it or a comment after it is indented."""
    column, last, begins = 0, "", True
    with suppress(TokenError):  # a docstring may still be open
        for token in _tokens(prompt):
            if token.type in _LAYOUT:
                begins = begins or token.type == NEWLINE
                continue
            if begins:
                column = token.start[1]
            if token.type != COMMENT:
                last, begins = token.string, False
    return last == ":" or column > 0


@lru_cache(maxsize=1 << 12)  # while a model writes, the same beginnings come at every token
def _is_open(program: str) -> bool:
    """Whether a program breaks off within a string, a bracket or a line that a backslash joins."""
    try:
        deque(_tokens(program), maxlen=0)
    except TokenError as error:  # "EOF in multi-line …", since 3.12 "unterminated triple-quoted …"
        return any(words in str(error.args[0]) for words in ("multi-line", "triple-quoted"))
    return False


def _tokens(program: str) -> Iterator[TokenInfo]:
    """A program's tokens as far as it has them; a model's may be anything.

    Yields:
        Token after token.

    Raises:
        TokenError: it breaks off within a statement, or since Python 3.12 is wrong elsewhere.
    """
    with suppress(SyntaxError, UnicodeError):
        yield from generate_tokens(StringIO(program).readline)
