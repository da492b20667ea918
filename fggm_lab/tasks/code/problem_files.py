"""Reading code problems from HumanEval- and MBPP-shaped JSON, one list or one object a line."""

from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.tasks.code.problem import CodeProblem
from fggm_lab.tasks.rows import read_rows

_SOLUTIONS = ("canonical_solution", "answer")
_TESTS = ("test", "test_list")


def holds_problems(items: Any) -> bool:
    """Whether some item of a file has tests, so that the file is one of code problems."""
    return isinstance(items, list) and any(
        isinstance(item, dict) and any(field in item for field in _TESTS) for item in items
    )


def read_problems(path: Path | str) -> tuple[CodeProblem, ...]:
    """Read code problems.

    Args:
        path: a JSON list, or (suffix `.jsonl`) one JSON object a line. Each item is HumanEval's
            (`task_id`, `prompt`, `canonical_solution`, `test`, `entry_point`), MBPP's (`task_id`,
            `text` or `prompt`, `code`, `test_list`, and `test_setup_code` or `test_imports`), or
            code-mini's (`prompt`, `answer`, `test`).

    Returns:
        One problem for each item.

    Raises:
        DataError: the file is missing, broken or empty, or an item lacks its test or another part;
            the message names the file, the item's index (counted from 0) and the field.
    """
    path = Path(path)
    items = read_rows(path)
    if not isinstance(items, list) or not items:
        raise DataError(f"{path} holds no list of code problems; it must be a JSON list of objects")
    return tuple(_problem(f"{path}, item {index}", item) for index, item in enumerate(items))


def _problem(where: str, item: Any) -> CodeProblem:
    if not isinstance(item, dict):
        raise DataError(f"{where}: is no object; make it one with 'prompt', a solution and 'test'")
    if "test_list" in item or "code" in item:
        return _mbpp(where, item)
    name = str(item.get("task_id", where.rpartition(" ")[2]))
    prompt, test = _text(where, item, "prompt"), _test(where, item)
    solution = next((key for key in _SOLUTIONS if key in item), _SOLUTIONS[0])
    if "entry_point" not in item:
        return CodeProblem(name, prompt, _text(where, item, solution), test)
    entry = _text(where, item, "entry_point")
    if not entry.isidentifier():
        raise DataError(f"{where}: 'entry_point' is '{entry}'; give the function's name")
    if "def check(" not in test:
        raise DataError(
            f"{where}: 'test' has no check(candidate) to call with {entry}; define it there, or "
            "leave out 'entry_point'"
        )
    called = f"{test}\n\ncheck({entry})"
    return CodeProblem(name, prompt, _text(where, item, solution), called, entry)


def _mbpp(where: str, item: dict[str, Any]) -> CodeProblem:
    """MBPP (Austin et al. 2021): the prompt is the text and its tests, as a string in Python."""
    task = _text(where, item, "text" if "text" in item else "prompt")
    tests = _texts(where, item, "test_list")
    if not any(test.strip() for test in tests):
        raise _no_test(where, "test_list")
    setup = [item["test_setup_code"]] if item.get("test_setup_code") else []
    imports = _texts(where, item, "test_imports") if "test_imports" in item else []
    text = "\n".join([task, *tests]).replace("\\", "\\\\").replace('"""', "'''")
    return CodeProblem(
        name=str(item.get("task_id", where.rpartition(" ")[2])),
        prompt=f'"""\n{text}\n"""\n',
        solution=_text(where, item, "code"),
        test="\n".join([*setup, *imports, *tests]),
    )


def _no_test(where: str, field: str) -> DataError:
    return DataError(
        f"{where}: a code task without a test: '{field}' is missing or empty; add the statements "
        "that check the program, or remove the item"
    )


def _test(where: str, item: dict[str, Any]) -> str:
    if not item.get("test") or not _text(where, item, "test").strip():
        raise _no_test(where, "test")
    return _text(where, item, "test")


def _text(where: str, item: dict[str, Any], key: str) -> str:
    if key not in item:
        raise DataError(f"{where}: has no '{key}'; add it or remove the item")
    value = item[key]
    if not isinstance(value, str):
        raise DataError(f"{where}: '{key}' is not text; put it in quotes")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise DataError(f"{where}: '{key}' holds an incomplete character; remove or complete it")
    return value


def _texts(where: str, item: dict[str, Any], key: str) -> list[str]:
    value = item.get(key, [])
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise DataError(f"{where}: '{key}' is not a list of texts; write it as one")
    return value
