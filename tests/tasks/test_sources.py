"""Known sources become tasks of the lab: from files as they are published, or not at all."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import load_general, load_tasks
from fggm_lab.tasks.sources import SOURCES, fetch_tasks
from fggm_lab.tasks.task import SPLITS


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def gsm8k(folder: Path) -> None:
    for split, count in (("train", 20), ("test", 4)):
        rows = [{"question": f"{split} {n}?", "answer": f"So #### {n}"} for n in range(count)]
        write_parquet(folder / "main" / f"{split}-00000-of-00001.parquet", rows)


def mbpp(folder: Path) -> None:
    for split in ("train", "validation", "test"):
        row = {
            "task_id": 1, "text": f"Write f for {split}.", "code": "def f(): return 1",
            "test_list": ["assert f() == 1"], "test_setup_code": "",
        }  # fmt: skip
        write_parquet(folder / "full" / f"{split}-00000-of-00001.parquet", [row])


def metamathqa(folder: Path) -> None:
    rows = [
        {"original_question": f"q{n}", "query": f"q{n} in words {k}", "response": f"It is {n}"}
        for n in range(30)
        for k in range(3)
    ]
    write(folder / "MetaMathQA-395K.json", rows)


def o_lora(folder: Path) -> None:
    for kind, task in (("WiC", "WiC"), ("NLI", "CB")):
        write(folder / "CL_Benchmark" / kind / task / "labels.json", ["True", "False"])
        for split in ("train", "dev", "test"):
            rows = [{"label": "True", "sentence": f"{split} of {task}"}]
            write(folder / "CL_Benchmark" / kind / task / f"{split}.json", rows)


def superni(folder: Path) -> None:
    instances = [{"input": f"Is {n} even?", "output": ["Yes.", "yes"]} for n in range(30)]
    task = {"Definition": ["Answer the question."], "Instances": instances}
    write(folder / "tasks" / "task001_even.json", task)


PUBLISHED: Mapping[str, Callable[[Path], None]] = {
    "gsm8k": gsm8k, "mbpp": mbpp, "metamathqa": metamathqa, "o-lora": o_lora, "superni": superni,
}  # fmt: skip


def fetch(tmp_path: Path, name: str, **options: Any) -> list[Path]:
    folder = tmp_path / "published"
    PUBLISHED[name](folder)
    return fetch_tasks(name, tmp_path / "tasks", folder=folder, accept_licence=True, **options)


@pytest.mark.parametrize(
    ("name", "options", "names"),
    [
        ("gsm8k", {}, ["GSM8K"]),
        ("gsm8k", {"only": ["GSM8K"]}, ["GSM8K"]),
        ("mbpp", {}, ["MBPP"]),
        ("metamathqa", {}, ["MetaMathQA"]),
        ("o-lora", {}, ["CB", "WiC"]),
        ("o-lora", {"only": ["WiC"]}, ["WiC"]),
        ("superni", {"only": ["task001_even"]}, ["task001_even"]),
    ],
)
def test_a_source_becomes_tasks_without_leaks_and_with_a_card(
    tmp_path: Path, name: str, options: dict[str, Any], names: list[str]
) -> None:
    folders = fetch(tmp_path, name, **options)
    tasks = load_tasks(tmp_path / "tasks")
    assert tasks.names == names == [folder.name for folder in folders]
    for task, folder in zip(tasks, folders, strict=True):
        prompts = [example.prompt for split in SPLITS for example in task.split(split)]
        assert all(task.split(split) for split in SPLITS)
        assert len(set(prompts)) == len(prompts)
        assert SOURCES[name].licence in (folder / "README.md").read_text("utf-8")


def test_what_was_made_of_one_question_stays_in_one_split(tmp_path: Path) -> None:
    fetch(tmp_path, "metamathqa")
    [task] = load_tasks(tmp_path / "tasks")
    questions = [{e.prompt.split()[0] for e in task.split(split)} for split in SPLITS]
    assert sum(map(len, questions)) == len(set.union(*questions)) == 30
    assert (task.metric, len(task.train)) == ("final_number", 72)


def test_prompts_are_those_of_the_source(tmp_path: Path) -> None:
    fetch(tmp_path, "o-lora", only=["CB"])
    fetch(tmp_path, "superni", only=["task001_even"])
    tasks = load_tasks(tmp_path / "tasks")
    assert tasks["CB"].train[0].prompt == (
        'What is the logical relationship between the "sentence 1" and the "sentence 2"? Choose '
        "one from the option.\nOption: True, False\ntrain of CB\nAnswer:"
    )
    example = tasks["task001_even"].train[0]
    assert example.prompt.startswith("Answer the question.\n\nIs ") and example.answer == "Yes."


def test_a_code_task_keeps_its_tests_and_humaneval_is_for_general(tmp_path: Path) -> None:
    fetch(tmp_path, "mbpp")
    [task] = load_tasks(tmp_path / "tasks")
    assert task.metric == "pass_at_1" and task.test[0].test == "assert f() == 1"
    row = {
        "task_id": "HumanEval/0", "prompt": "def f():\n", "canonical_solution": "    return 1\n",
        "test": "def check(candidate):\n    assert candidate() == 1", "entry_point": "f",
    }  # fmt: skip
    write_parquet(tmp_path / "he" / "openai_humaneval" / "test-00000-of-00001.parquet", [row])
    [folder] = fetch_tasks("humaneval", tmp_path / "general", folder=tmp_path / "he")
    assert load_general(folder / "test.json").code == ["test"]


def test_a_limit_draws_the_same_examples_again(tmp_path: Path) -> None:
    first = load_tasks(fetch(tmp_path, "gsm8k", limit=5)[0])
    again = load_tasks(fetch(tmp_path, "gsm8k", limit=5)[0])
    assert [len(first[0].split(split)) for split in SPLITS] == [5, 2, 4]
    assert first[0].train == again[0].train


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("gsm", {}, SettingError, "did you mean 'gsm8k'"),
        ("o-lora", {}, SettingError, "give --accept-licence"),
        ("o-lora", {"accept_licence": True}, DataError, "git clone https://github.com/cmnfriend"),
        ("trace", {"accept_licence": True}, DataError, "needs no conversion"),
        ("gsm8k", {"folder": "nowhere"}, DataError, "there is no folder nowhere"),
        ("gsm8k", {"folder": "."}, DataError, "holds no main/train-"),
        ("gsm8k", {"limit": 0}, SettingError, "limit is 0"),
        ("gsm8k", {}, DataError, "cannot be downloaded"),
        ("superni", {"accept_licence": True, "folder": "."}, SettingError, "--only"),
        *(
            (name, {"only": ["NoSuchTask"]}, SettingError, f"{name} has no task 'NoSuchTask'")
            for name in ("gsm8k", "metamathqa", "mbpp", "humaneval")
        ),
    ],
)
def test_what_cannot_be_had_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any],
    error: type[Exception], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as refused:
        fetch_tasks(name, tmp_path / "tasks", **options)
    assert "\n" not in str(refused.value) and not (tmp_path / "tasks").exists()


def test_odd_rows_are_named(tmp_path: Path) -> None:
    write(tmp_path / "tasks" / "task001_even.json", {"Definition": "x", "Instances": [{}]})
    with pytest.raises(DataError, match="has no 'Definition' and 'Instances'"):
        fetch_tasks(
            "superni", tmp_path / "out", folder=tmp_path, only=["task001_even"],
            accept_licence=True,
        )  # fmt: skip
    write(tmp_path / "MetaMathQA-395K.json", [{"original_question": "q", "query": ""}])
    with pytest.raises(DataError, match="no text in 'query'"):
        fetch_tasks("metamathqa", tmp_path / "out", folder=tmp_path)
    write(tmp_path / "MetaMathQA-395K.json", {"rows": []})
    with pytest.raises(DataError, match="not a list of objects"):
        fetch_tasks("metamathqa", tmp_path / "out", folder=tmp_path)


@pytest.mark.parametrize(("name", "shard"), [("gsm8k", "main/train"), ("mbpp", "full/test")])
def test_a_source_that_lacks_a_shard_is_refused(tmp_path: Path, name: str, shard: str) -> None:
    folder = tmp_path / "published"
    PUBLISHED[name](folder)
    (folder / f"{shard}-00000-of-00001.parquet").rename(folder / f"{shard}-00001-of-00002.parquet")
    with pytest.raises(DataError, match=f"lacks {Path(shard).name}-00000-of-00002"):
        fetch_tasks(name, tmp_path / "tasks", folder=folder)
    assert not (tmp_path / "tasks").exists()


@pytest.mark.parametrize(
    ("published", "out", "message"),
    [
        ("work/GSM8K", "work", "holds the source's files"),  # the folder itself
        ("work/GSM8K/raw", "work", "holds the source's files"),
        ("elsewhere", "work", "no task that this command wrote"),
    ],
)
def test_only_what_an_earlier_call_wrote_is_replaced(
    tmp_path: Path, published: str, out: str, message: str
) -> None:
    folder, target = tmp_path / published, tmp_path / "work" / "GSM8K"
    gsm8k(folder)
    target.mkdir(parents=True, exist_ok=True)
    (target / "README.md").write_text("notes of mine", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SettingError, match=message) as refused:
        fetch_tasks("gsm8k", tmp_path / out, folder=folder)
    assert "\n" not in str(refused.value) and sorted(tmp_path.rglob("*")) == before


def test_a_collection_replaces_no_task_where_it_may_not_replace_one(tmp_path: Path) -> None:
    o_lora(tmp_path / "published")
    (tmp_path / "tasks" / "WiC").mkdir(parents=True)
    (tmp_path / "tasks" / "WiC" / "mine.txt").touch()
    with pytest.raises(SettingError, match="WiC is there and is no task"):
        fetch(tmp_path, "o-lora")
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == ["WiC"]
