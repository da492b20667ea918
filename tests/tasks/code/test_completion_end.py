"""A completion ends where the model starts something new."""

import pytest

from fggm_lab.tasks.code import cut_completion

BODY = "def f(x):\n"
MODULE = '"""\nWrite f.\n"""\n'


@pytest.mark.parametrize(
    "after",
    ["def g():\n    pass", "class A: pass", "# next", "if True: pass", "print(f(1))", "f(2)"],
)
def test_a_body_ends_at_the_margin(after: str) -> None:
    assert cut_completion(BODY, f"    return x\n{after}") == "    return x\n"


@pytest.mark.parametrize(
    "body",
    ["    return x", "    return f(\n        x\n)\n", ""],
)
def test_a_whole_body_stays_whole(body: str) -> None:
    assert cut_completion(BODY, body) == body


def test_blank_lines_belong_to_the_body() -> None:
    body = "    y = x\n\n    # half\n\n    return y\n"
    assert cut_completion(BODY, body + "\nx = 1") == body + "\n"


def test_a_prompt_that_ends_in_its_docstring_is_inside_the_function() -> None:
    prompt = 'def f(x):\n    """Return x.\n    """\n'
    assert cut_completion(prompt, "    return x\ndef g(): pass") == "    return x\n"


def test_outside_a_function_whole_functions_are_the_answer() -> None:
    answer = "import math\ndef g(x):\n    return x\n\ndef f(x):\n    return g(x)\n"
    for after in ("assert f(1) == 1", "print(f(1))", '"""Next.', "```", "if True: pass"):
        assert cut_completion(MODULE, answer + after) == answer
