"""The columns that data comes with, and how a row of each becomes an example."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.tasks.chat import split_conversation
from fggm_lab.tasks.task import Example

Row = Mapping[str, Any]
"""One row: its columns by name."""

COLUMNS = (
    "prompt and answer; prompt and completion; instruction, input and output; conversations; "
    "or messages"
)
"""The sets of columns that are read, for messages."""


def to_examples(rows: Sequence[Any], locate: Callable[[int], str]) -> tuple[Example, ...]:
    """Turn rows into examples; the first row's columns say which format they have.

    Args:
        rows: dictionaries with the columns of one of the formats; a column `test` makes it a code
            task, further columns are not looked at.
        locate: names the row of an index in an error.

    Returns:
        One example for each row.

    Raises:
        DataError: the format is none of those, or a row differs from the others or holds something
            other than text; the message names the row.
    """
    if not rows:
        return ()
    convert = None
    examples = []
    for index, row in enumerate(rows):
        where = locate(index)
        if not isinstance(row, Mapping):
            raise DataError(
                f"{where}: is {kind_of(row)}; make it an object with 'prompt' and 'answer'"
            )
        convert = convert or _converter(where, row)
        examples.append(convert(where, row))
    return tuple(examples)


def check_tests(examples: Sequence[Example], locate: Callable[[int], str]) -> None:
    """Check that all examples of a split have a test, or none.

    Args:
        examples: of one split.
        locate: names the example of an index in an error.

    Raises:
        DataError: one has none, and others have; the message names it.
    """
    if not any(example.test for example in examples):
        return
    for index, example in enumerate(examples):
        if not example.test:
            raise DataError(
                f"{locate(index)}: a code task without a test: 'test' is missing, which others "
                "here have; add the statements that check the program, or remove the item"
            )


def _converter(where: str, row: Row) -> Callable[[str, Row], Example]:
    """What makes an example of a row with the columns of this one."""
    for columns, convert in _FORMATS:
        if all(column in row for column in columns):
            return convert
    columns_seen = ", ".join(map(str, row)) or "none"
    missing = {"prompt": "answer", "answer": "prompt", "instruction": "output"}
    lacking = next((f"has no '{missing[key]}'; " for key in missing if key in row), "")
    raise DataError(f"{where}: {lacking}the columns are: {columns_seen}; needed are {COLUMNS}")


def _plain(where: str, row: Row) -> Example:
    return Example(_text(where, row, "prompt"), _text(where, row, "answer"), _test(where, row))


def _completion(where: str, row: Row) -> Example:
    """TRL's prompt and completion: two texts, or two lists of messages."""
    prompt, completion = row["prompt"], row.get("completion")
    if isinstance(prompt, list) and isinstance(completion, list):
        return Example(*split_conversation(where, "completion", [*prompt, *completion]))
    return Example(_text(where, row, "prompt"), _text(where, row, "completion"))


def _alpaca(where: str, row: Row) -> Example:
    """Instruction and input, if there is one, on lines of their own."""
    parts = [_text(where, row, "instruction")]
    context = row.get("input")
    if not (
        context is None or context != context or context == ""
    ):  # pandas writes NaN for nothing
        parts.append(_text(where, row, "input"))
    return Example("\n".join(parts), _text(where, row, "output"))


def _conversation(column: str) -> Callable[[str, Row], Example]:
    def convert(where: str, row: Row) -> Example:
        if column not in row:
            raise DataError(f"{where}: has no '{column}'; add it or remove the item")
        messages, system = row[column], row.get("system")
        if isinstance(messages, list) and isinstance(system, str) and system:
            messages = [{"role": "system", "content": system}, *messages]
        prompt, answer = split_conversation(where, column, messages)
        for _, content in prompt.messages:
            check_text(where, column, content)
        check_text(where, column, answer)
        return Example(prompt, answer)

    return convert


_FORMATS: tuple[tuple[tuple[str, ...], Callable[[str, Row], Example]], ...] = (
    (("prompt", "answer"), _plain),
    (("prompt", "completion"), _completion),
    (("instruction", "output"), _alpaca),
    (("messages",), _conversation("messages")),
    (("conversations",), _conversation("conversations")),
)
"""The columns that a format needs, and what reads its rows; the first that fits is taken."""


def _text(where: str, row: Row, key: str) -> str:
    """A row's text, checked."""
    if key not in row:
        raise DataError(f"{where}: has no '{key}'; add it or remove the item")
    check_text(where, key, row[key])
    return str(row[key])


def _test(where: str, row: Row) -> str:
    """A code task's test; empty where the row has none."""
    if "test" not in row:
        return ""
    if not isinstance(row["test"], str) or not row["test"].strip():
        raise DataError(
            f"{where}: 'test' is no text or empty; write the statements that check "
            "the program, or leave it out"
        )
    return str(row["test"])


def check_text(where: str, key: str, text: Any) -> None:
    """Check that a row's field is text that a tokenizer can read.

    JSON can spell half of a character (a lone surrogate), which none can.

    Args:
        where: which row it is, for the message.
        key: the field's name.
        text: the field's value.

    Raises:
        DataError: it is not.
    """
    if not isinstance(text, str):
        raise DataError(f"{where}: '{key}' is {kind_of(text)}, not text; put it in quotes")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise DataError(
            f"{where}: '{key}' holds an incomplete character at position "
            f"{problem.start}; remove or complete it"
        ) from None


def kind_of(value: Any) -> str:
    """A value's kind in words, JSON's where it has one; for messages."""
    if value is None:
        return "null"
    kinds = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), f"of type {type(value).__name__}")
