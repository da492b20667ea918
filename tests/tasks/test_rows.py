"""Data files in every format: the same examples as prompt and answer in JSON, or one sentence."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from fggm_lab.errors import DataError
from fggm_lab.tasks import ChatPrompt, Example, as_examples, load_tasks, read_examples
from tests.support.task_folders import GOOD, write_task

ROWS = [{"prompt": "ab\u2028", "answer": "c"}, {"prompt": "de", "answer": "fg"}]
EXAMPLES = (Example("ab\u2028", "c"), Example("de", "fg"))


def _json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")


def _arrow_stream(path: Path, rows: list[dict[str, Any]]) -> None:
    """An Arrow file as `datasets` writes it."""
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def _arrow_file(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table)


def _saved_dataset(folder: Path, rows: list[dict[str, Any]]) -> None:
    """A folder as `Dataset.save_to_disk` writes it, in two shards."""
    folder.mkdir(parents=True)
    names = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    _arrow_stream(folder / names[0], rows[:1])
    _arrow_stream(folder / names[1], rows[1:])
    (folder / "dataset_info.json").write_text("{}")
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))


def _json(path: Path, rows: list[dict[str, Any]]) -> None:
    """With a byte-order mark, as Windows writes it."""
    path.write_text("\ufeff" + json.dumps(rows), encoding="utf-8")


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "train.json": _json,
    "train.jsonl": _json_lines,
    "train.parquet": lambda path, rows: parquet.write_table(pa.Table.from_pylist(rows), path),
    "train.arrow": _arrow_stream,
    "train.ARROW": _arrow_file,
    "train": _saved_dataset,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_examples(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name, ROWS)
    assert read_examples(tmp_path / name) == EXAMPLES


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "train.ARROW"])
def test_a_task_folder_may_hold_any_of_them(name: str, tmp_path: Path) -> None:
    task = write_task(tmp_path / "T", train=None)
    WRITERS[name](task / name, ROWS)
    assert load_tasks(tmp_path)["T"].train == EXAMPLES
    assert load_tasks(task)["T"].train == EXAMPLES


def test_a_saved_dataset_with_splits_is_one_task(tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        _saved_dataset(tmp_path / "mine" / split, ROWS)
    task = load_tasks(tmp_path / "mine")["mine"]
    assert task.train == task.eval == task.test == EXAMPLES


def test_a_dataset_of_the_library_gives_the_same_examples(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_list(ROWS)
    dataset.save_to_disk(str(tmp_path / "saved"))
    assert read_examples(tmp_path / "saved") == EXAMPLES
    assert as_examples(dataset) == list(EXAMPLES)
    with pytest.raises(DataError, match=r"keys 'train', 'test'; pass the rows of one split"):
        as_examples(datasets.DatasetDict({"train": dataset, "test": dataset}))


def test_tables_in_memory_give_the_same_examples() -> None:
    assert as_examples(pa.Table.from_pylist(ROWS)) == list(EXAMPLES)
    polars_frame = SimpleNamespace(columns=["prompt", "answer"], to_dicts=lambda: ROWS)
    assert as_examples(polars_frame) == list(EXAMPLES)
    pandas = pytest.importorskip("pandas")
    assert as_examples(pandas.DataFrame(ROWS)) == list(EXAMPLES)
    alpaca = [
        {"instruction": "ab", "input": "x", "output": "c"},
        {"instruction": "d", "output": ""},
    ]
    assert as_examples(pandas.DataFrame(alpaca)) == [Example("ab\nx", "c"), Example("d", "")]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "ab\nx", "completion": "c"},
        {"instruction": "ab", "input": "x", "output": "c", "text": "…"},
        {"instruction": "ab\nx", "input": "", "output": "c"},
        {"instruction": "ab\nx", "output": "c"},
    ],
)
@pytest.mark.parametrize("name", ["train.json", "train.jsonl", "train.parquet", "train"])
def test_texts_in_other_columns_are_prompt_and_answer(
    row: dict[str, str], name: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / name, [row, row])
    assert read_examples(tmp_path / name) == (Example("ab\nx", "c"),) * 2
    assert as_examples([row]) == [Example("ab\nx", "c")]


QUESTION = (("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"))
CONVERSATIONS: list[dict[str, Any]] = [
    {"messages": [{"role": r, "content": c} for r, c in (*QUESTION, ("assistant", "d"))]},
    {"messages": [{"role": r, "content": [{"type": "text", "text": c}]}
                  for r, c in (*QUESTION, ("assistant", "d"))]},
    {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "a"},
                       {"from": "gpt", "value": "b"}, {"from": "human", "value": "c"},
                       {"from": "gpt", "value": "d"}, {"from": "human", "value": "bye"}]},
    {"system": "s",
     "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"},
                       {"from": "user", "value": "c"}, {"from": "gpt", "value": "d"}]},
    {"prompt": [{"role": r, "content": c} for r, c in QUESTION],
     "completion": [{"role": "assistant", "content": "d"}]},
]  # fmt: skip


@pytest.mark.parametrize("row", CONVERSATIONS)
@pytest.mark.parametrize("name", ["train.json", "train.parquet", "train"])
def test_a_conversation_is_divided_at_its_last_assistant_turn(
    row: dict[str, Any], name: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path / name, [row, row])
    for example in (*read_examples(tmp_path / name), *as_examples([row])):
        assert isinstance(example.prompt, ChatPrompt)
        assert (example.prompt.messages, example.answer) == (QUESTION, "d")


NEEDED = (
    "needed are prompt and answer; prompt and completion; instruction, input and output; "
    "conversations; or messages"
)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"question": "a", "label": 1}] * 9, f"the columns are: question, label; {NEEDED}"),
        ([{}], f"the columns are: none; {NEEDED}"),
        ([{"prompt": "a", "text": "b"}], "item 0: has no 'answer'; the columns are: prompt, text"),
        ([*GOOD, {"prompt": "a", "completion": "b"}], "item 2: has no 'answer'; add it"),
        ([{"messages": "hi"}], "item 0: 'messages' is no list of messages"),
        ([{"messages": ["hi"]}], "item 0: message 0 is no object"),
        ([{"messages": [{"role": "user", "content": "a"}]}], "has no assistant turn that answers"),
        ([{"messages": [{"role": "assistant", "content": "a"}]}], "has no assistant turn that"),
        ([{"messages": [{"role": "user", "content": None}]}], "message 0 holds something other"),
        ([{"messages": [{"content": "a"}]}], "item 0: message 0 has no 'role'"),
        ([{"conversations": [{"from": "bot", "value": "a"}]}], "message 0 is from 'bot'; it must"),
        ([{"instruction": "a", "output": 3}], "item 0: 'output' is a number, not text"),
    ],
)
def test_what_is_not_understood_is_one_sentence(
    rows: list[dict[str, Any]], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError, match=re.escape(sentence)) as caught:
        read_examples(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).count("columns") <= 1


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    twice = '{"prompt": "a", "answer": "b", "prompt": "c"}'
    (tmp_path / "a.json").write_text(f"[{twice}]")
    (tmp_path / "a.jsonl").write_text(f'{{"prompt": "a", "answer": "b"}}\n{twice}\n')
    with pytest.raises(DataError, match=r"a\.json names the key 'prompt' twice in one object"):
        read_examples(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2 names the key 'prompt' twice"):
        read_examples(tmp_path / "a.jsonl")


def test_broken_files_are_one_sentence(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow"):
        (tmp_path / name).write_bytes(b"PAR1 nothing of the kind")
        with pytest.raises(DataError, match=rf"{re.escape(name)} cannot be read \("):
            read_examples(tmp_path / name)
    (tmp_path / "a.jsonl").write_text('{"prompt": "a", "answer": "b"}\n{"prompt"\n')
    with pytest.raises(DataError, match=r"a\.jsonl is not valid JSON \(line 2, column"):
        read_examples(tmp_path / "a.jsonl")
    _saved_dataset(tmp_path / "saved", ROWS)
    (tmp_path / "saved" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(DataError, match=r"data-00001-of-00002\.arrow does not exist"):
        read_examples(tmp_path / "saved")
    (tmp_path / "saved" / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"state\.json lists no data files"):
        read_examples(tmp_path / "saved")


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    task = write_task(tmp_path / "T")
    _json_lines(task / "train.jsonl", ROWS)
    with pytest.raises(DataError, match=r"holds both train\.json and train\.jsonl; keep one"):
        load_tasks(tmp_path)
