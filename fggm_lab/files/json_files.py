"""JSON files: written whole, and read with a sentence when they are broken."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from fggm_lab.errors import LabError
from fggm_lab.files.digests import digest_holds, with_digest
from fggm_lab.files.writing import write_text


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON; refuses NaN and infinity, which JSON has no word for."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_record(path: Path | str, record: dict[str, Any]) -> None:
    """Write a JSON object as `write_json` does, with its digest as last member."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, with_digest(text))


def read_record(
    path: Path | str,
    error: type[LabError] = LabError,
    *,
    check: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Read a JSON object that `write_record` wrote, or an older version of the lab.

    Args:
        path: of the file.
        error: which error to raise.
        check: called with the object before its digest is looked at; may raise.

    Returns:
        The object, without its digest.

    Raises:
        error: the file is missing, unreadable or not a JSON object; it names a key twice; or it
            was changed since it was written.
    """
    text = _read_utf8(Path(path), error)
    record = parse_json(text, str(path), error, distinct_keys=True)
    if not isinstance(record, dict):
        raise error(f"{path} is not a JSON object; restore it or regenerate it")
    if check is not None:
        check(record)
    check_digest(text, record, str(path), error, required=False)
    return record


def check_digest(
    text: str, record: dict[str, Any], where: str, error: type[LabError], required: bool
) -> None:
    """Check a JSON object's digest, and take it out of the object.

    Args:
        text: what the object was read from.
        record: the object; changed in place.
        where: begins the sentence.
        error: which error to raise.
        required: whether there must be one.

    Raises:
        error: the text is another than was written.
    """
    holds = digest_holds(text)
    if holds is None and "digest" not in record and not required:
        return  # written by an older version
    if not holds:
        raise error(
            f"{where} is damaged: it was changed since it was written (its digest is "
            f"{'missing' if holds is None else 'another'}); restore it"
        )
    del record["digest"]


def read_json(
    path: Path | str, error: type[LabError] = LabError, *, distinct_keys: bool = False
) -> Any:
    """Read a JSON file; a byte-order mark at its start is passed over.

    Args:
        path: of the file.
        error: which error to raise.
        distinct_keys: whether an object that names a key twice is refused. JSON allows it, and of
            the two values only the last would count.

    Returns:
        Its content.

    Raises:
        error: the file is missing, unreadable or not JSON; the message names file, line and column.
    """
    return parse_json(_read_utf8(Path(path), error), str(path), error, distinct_keys)


def read_json_lines(path: Path | str, error: type[LabError] = LabError) -> list[Any]:
    """Read a file with one JSON value on each line; empty lines are passed over.

    Args:
        path: of the file.
        error: which error to raise.

    Returns:
        The values in order.

    Raises:
        error: as `read_json` does, and where an object names a key twice.
    """
    lines = _read_utf8(Path(path), error).split("\n")  # a text may hold other kinds of line break
    return [
        parse_json(line, str(path), error, True, number)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _read_utf8(path: Path, error: type[LabError]) -> str:
    """A file's text without its byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise error(f"{path} does not exist; check the path") from None
    except UnicodeDecodeError:
        raise error(f"{path} is not UTF-8 text; convert it to UTF-8") from None
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}; check its permissions") from None


class _NotJSON(ValueError):
    """A constant that Python's reader knows and JSON does not: NaN or an infinity."""


def _refuse_constant(constant: str) -> NoReturn:
    raise _NotJSON(constant)


class _KeyTwice(ValueError):
    """A JSON object names a key twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs of key and value; raises _KeyTwice."""
    parsed = dict(pairs)
    if len(parsed) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwice(next(key for key in keys if keys.count(key) > 1))
    return parsed


def parse_json(
    text: str, where: str, error: type[LabError], distinct_keys: bool, line: int | None = None
) -> Any:
    """The value that a JSON text spells.

    Args:
        text: the text.
        where: it was read from; begins the sentence.
        error: which error to raise.
        distinct_keys: whether an object that names a key twice is refused.
        line: the number of the line, where the text is one of several.

    Returns:
        The value.

    Raises:
        error: the text is not JSON, or nothing that Python can hold.
    """
    located = where if line is None else f"{where}, line {line}"
    try:
        return json.loads(
            text,
            object_pairs_hook=_distinct if distinct_keys else None,
            parse_constant=_refuse_constant,
        )
    except _NotJSON as problem:
        raise error(
            f"{located} holds {problem}, which JSON has no word for; write a number or null"
        ) from None
    except json.JSONDecodeError as problem:
        raise error(
            f"{where} is not valid JSON (line {line or problem.lineno}, column {problem.colno}: "
            f"{problem.msg}); repair or regenerate the file"
        ) from None
    except _KeyTwice as problem:
        raise error(
            f"{located} names the key '{problem}' twice in one object; keep one of the two"
        ) from None
    except RecursionError:
        raise error(
            f"{located} is nested too deep to be read; repair or regenerate the file"
        ) from None
    except ValueError:  # Python reads no longer integers
        raise error(
            f"{located} holds a whole number of more than {sys.get_int_max_str_digits()} digits; "
            "shorten it or put it in quotes"
        ) from None
