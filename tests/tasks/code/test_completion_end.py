"""A completion ends where the model starts something new."""

import ast
import difflib
import inspect
import pydoc
from types import ModuleType

import pytest

from fggm_lab.tasks.code import cut_completion

BODY = "def f(x):\n"
MODULE = '"""\nWrite f.\n"""\n'
IMPORTING = "import math\ndef f(x):\n    return 2 * x\n"


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


@pytest.mark.parametrize(
    "prompt",
    [
        "# Write a function f that doubles x:\n",
        '"""Write f.\n\n    Double x.\n    """\n',
        "def g(x):\n    return x\n\n# Now f:\n",
        "TABLE = {\n    1: 2,\n    # and so on:\n}\n",
    ],
)
def test_outside_a_function_imports_come_first(prompt: str) -> None:
    assert cut_completion(prompt, IMPORTING) == IMPORTING


@pytest.mark.parametrize(
    "prompt",
    [
        "def f(x):  # doubles x\n",
        "def f(x):\n# doubles x\n",
        "def f(x):\n    # doubles x\n",
        'def f(x):\n    """Double x.\n"""\n',
        'def f(x):\n    """Double x.',
    ],
)
def test_a_comment_or_a_docstring_does_not_end_a_function(prompt: str) -> None:
    body = ('"""\n' if prompt.endswith(".") else "") + "    return 2 * x\n"
    assert cut_completion(prompt, body + "import math\n") == body


@pytest.mark.parametrize("prompt", [BODY, MODULE])
@pytest.mark.parametrize(
    "statement",
    [
        '    return """a\nb\nif c\nprint(d)\n"""\n',
        "    return (\nx,\nprint(x),\n)\n",
        "    return x + \\\nprint(x)\n",
    ],
)
def test_nothing_ends_within_a_string_or_a_bracket(prompt: str, statement: str) -> None:
    completion = statement if prompt == BODY else BODY + statement
    assert cut_completion(prompt, completion + "print(f(1))\n") == completion
    growing = completion.splitlines(keepends=True)
    for count in range(len(growing)):  # a sample that still grows is not stopped
        begun = "".join(growing[:count])
        assert cut_completion(prompt, begun) == begun


@pytest.mark.parametrize("wrong", ["it's", "x = \ud800", "x = \0", "  y = 1", "x = $"])
def test_a_program_that_is_none_is_cut_all_the_same(wrong: str) -> None:
    body = f"    z = 1\n    {wrong}\n"
    assert cut_completion(BODY, body + "def g():\n    pass\n") == body


@pytest.mark.parametrize("module", [difflib, pydoc])
def test_functions_that_people_wrote_come_back_whole(module: ModuleType) -> None:
    """The parser says where a function ends; what follows it in its file is cut off."""
    source = inspect.getsource(module)
    lines = source.splitlines(keepends=True)
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    for node in functions:
        begin, body = node.lineno - 1, node.body[0].lineno - 1
        node.decorator_list = []
        prompt = "".join(lines[begin:body])
        answer = cut_completion(prompt, "".join(lines[body:]))
        assert ast.dump(ast.parse(prompt + answer).body[0]) == ast.dump(node)
        assert len(ast.parse(prompt + answer).body) == 1
    assert len(functions) > 5
