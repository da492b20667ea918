"""JSON is read as it was written; what is broken or was changed since is one sentence."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError, LabError, RunError
from fggm_lab.files import read_json, read_record, write_json, write_record


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    value = {"größe": [1, None, "ß"], "x": 0.1}
    write_json(tmp_path / "deep" / "er" / "a.json", value)
    assert read_json(tmp_path / "deep" / "er" / "a.json") == value


def test_json_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json") == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"a": 1,\n oops}', r"not valid JSON \(line 2, column 2"),
        (b"", r"not valid JSON \(line 1"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 100_000, "nested too deep to be read"),
        (b'{"a": ' + b"1" * 5_000 + b"}", "a whole number of more than 4300 digits"),
        (b'{"loss": NaN}', "NaN, which JSON has no word for; write a number or null"),
        (b"[1, -Infinity]", "-Infinity, which JSON has no word for"),
        (None, "does not exist; check the path"),
    ],
)
def test_broken_json_is_one_sentence_of_the_asked_kind(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    for kind in (DataError, RunError):
        with pytest.raises(kind, match=sentence) as caught:
            read_json(path, kind)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_folder_is_no_json_file(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read: Is a directory"):
        read_json(tmp_path)


RECORD = {"größe": [1, None, "ß\n"], "x": 0.1 + 0.2, "empty": {}}


def test_a_record_ends_with_the_digest_of_what_is_before_it(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_record(path, RECORD)
    text = path.read_text(encoding="utf-8")
    before, _, end = text.rpartition(',\n "digest": "')
    assert end == hashlib.sha256(before.encode()).hexdigest()[:16] + '"\n}\n'
    assert json.loads(text) == RECORD | {"digest": end[:16]}
    assert read_record(path) == RECORD


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.3", "0.4"), ("größe", "grösse"), ("null", "1"), ('"\n}', '"}'), ("[", "[ ")],
)
def test_a_changed_record_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "record.json"
    write_record(path, RECORD)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RunError, match=r"record\.json is damaged: it was changed since"):
        read_record(path, RunError)


@pytest.mark.parametrize("content", [{"a": 1}, {"a": {"digest": "x"}}])
def test_a_record_of_an_older_version_has_no_digest(tmp_path: Path, content: Any) -> None:
    write_json(tmp_path / "a.json", content)
    assert read_record(tmp_path / "a.json") == content


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "is not a JSON object"),
        ('{"a": 1, "a": 2}', "names the key 'a' twice"),
        ('{"a": 1, "digest": "0123456789abcdef"}', "its digest is another"),
        ('{"a": 1, "digest": 5}', "its digest is missing"),
    ],
)
def test_what_is_no_record_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_record(tmp_path / "a.json", DataError)
