"""Cutting a completion where its answer ends and the model goes on with something else."""

import re

_AFTER_BODY = re.compile(r"^[^\s)\]}]", re.MULTILINE)
"""A line that begins a new top-level statement or comment; a closing bracket ends an old one."""

_AFTER_MODULE = re.compile(r"^(?:assert\b|print\b|if\b|\"\"\"|'''|```|<\|)", re.MULTILINE)
"""What no function starts with: tests, calls, the next problem's text, a chat's marks."""


def cut_completion(prompt: str, completion: str) -> str:
    r"""The completion up to the first line that begins something new.

    Where the prompt ends inside a function (its last line is indented or ends with a colon), any
    later line at the left margin does: the stop words of HumanEval's harness (Chen et al. 2021:
    `\nclass`, `\ndef`, `\n#`, `\nif`, `\nprint`) and whatever else stands there. Elsewhere the
    completion is whole functions, and tests, calls, strings and fences at the margin end it. The
    first line is always kept, and so is a completion without such a line.

    Args:
        prompt: the program's beginning.
        completion: what a model wrote after it.

    Returns:
        The part of the completion that is the answer.
    """
    first = completion.find("\n") + 1
    if first == 0:
        return completion
    match = (_AFTER_BODY if _inside_function(prompt) else _AFTER_MODULE).search(completion, first)
    return completion[: match.start()] if match else completion


def _inside_function(prompt: str) -> bool:
    lines = prompt.rstrip().splitlines()
    return bool(lines) and (lines[-1][0].isspace() or lines[-1].endswith(":"))
