"""General ability loads from skills, one file or a text, and refuses what cannot be measured."""

import json
from pathlib import Path

import pytest

from fggm_lab.errors import DataError
from fggm_lab.tasks import Example, load_general

ITEMS = [{"prompt": "2 + 2 =", "answer": "4"}]


def test_a_folder_is_a_set_of_skills(tmp_path: Path) -> None:
    for name in ("sums", "copy"):
        (tmp_path / f"{name}.json").write_text(json.dumps(ITEMS))
    (tmp_path / "README.md").write_text("not a skill")
    general = load_general(tmp_path)
    assert list(general.skills) == ["copy", "sums"]
    assert general.skills["sums"] == (Example("2 + 2 =", "4"),)
    assert (general.texts, general.better, general.source) == ({}, "higher", str(tmp_path))
    assert general.name == tmp_path.name


def test_a_folder_may_hold_a_sub_folder_per_split(tmp_path: Path) -> None:
    for split, answer in (("eval", "e"), ("test", "t")):
        (tmp_path / split).mkdir()
        item = [{"prompt": "p", "answer": answer}]
        (tmp_path / split / "sums.json").write_text(json.dumps(item))
    assert load_general(tmp_path).skills["sums"][0].answer == "t"
    assert load_general(tmp_path, split="eval").skills["sums"][0].answer == "e"
    assert load_general(tmp_path, split="eval").name == tmp_path.name
    with pytest.raises(DataError, match="holds no JSON file and no text"):
        load_general(tmp_path, split="train")


def test_one_json_file_is_one_skill(tmp_path: Path) -> None:
    (tmp_path / "sums.json").write_text(json.dumps(ITEMS))
    general = load_general(str(tmp_path / "sums.json"))
    assert list(general.skills) == ["sums"]
    assert (general.name, general.better) == ("sums", "higher")


def test_any_other_file_is_a_text_whose_loss_is_measured(tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("Once upon a time, größer.\n", encoding="utf-8")
    general = load_general(tmp_path / "story.txt")
    assert general.texts == {"story": "Once upon a time, größer.\n"}
    assert (general.skills, general.name, general.better) == ({}, "story", "lower")


def test_a_folder_of_texts_is_measured_text_by_text(tmp_path: Path) -> None:
    for name in ("prose", "code"):
        (tmp_path / f"{name}.txt").write_text(f"some {name}")
    (tmp_path / ".hidden.txt").write_text("no")
    general = load_general(tmp_path)
    assert general.texts == {"code": "some code", "prose": "some prose"}
    assert (general.skills, general.better) == ({}, "lower")
    (tmp_path / "sums.json").write_text(json.dumps(ITEMS))
    assert load_general(tmp_path).texts == {}, "beside skills a text may be a note"


PROBLEM = {
    "prompt": "def one():\n",
    "answer": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_a_file_with_tests_is_a_skill_of_code_whose_tests_are_called(
    suffix: str, tmp_path: Path
) -> None:
    text = json.dumps([PROBLEM]) if suffix == "json" else json.dumps(PROBLEM) + "\n"
    (tmp_path / f"code.{suffix}").write_text(text)
    (tmp_path / "sums.json").write_text(json.dumps(ITEMS))
    general = load_general(tmp_path)
    assert (general.code, list(general.skills)) == (["code"], ["code", "sums"])
    (example,) = general.skills["code"]
    assert (example.prompt, example.answer) == (PROBLEM["prompt"], PROBLEM["answer"])
    # HumanEval's tests only define check; without the call every program would pass.
    assert example.test.endswith("check(one)")
    assert load_general(tmp_path / f"code.{suffix}").code == ["code"]
    (tmp_path / "sums.jsonl").write_text(json.dumps(PROBLEM))
    with pytest.raises(DataError, match="another file there is named 'sums', too"):
        load_general(tmp_path)


def test_an_item_without_its_test_is_named(tmp_path: Path) -> None:
    bare = {"prompt": "p", "answer": "a"}
    (tmp_path / "code.json").write_text(json.dumps([PROBLEM, bare]))
    with pytest.raises(DataError, match=r"code\.json, item 1: a code task without a test"):
        load_general(tmp_path)


def test_what_cannot_be_measured_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "latin.txt").write_bytes("größer".encode("latin-1"))
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bad.json").write_text('[{"prompt": "p"}]')
    (tmp_path / "folder").mkdir()
    for name, message in {
        "absent.txt": r"there is no file or folder .*absent\.txt",
        "empty.txt": r"empty\.txt is empty",
        "latin.txt": r"latin\.txt is not UTF-8",
        "list.json": r"list\.json is an empty list",
        "bad.json": r"bad\.json, item 0: has no 'answer'",
        "folder": r"folder holds no JSON file",
    }.items():
        with pytest.raises(DataError, match=message):
            load_general(tmp_path / name)


def test_real_questions_are_read(shared: Path) -> None:
    general = load_general(shared / "general")
    skills = general.skills
    assert general.metrics == {"gsm8k_test": "final_number", "humaneval": "pass_at_1"}
    assert {name: len(examples) for name, examples in skills.items()} == {
        "gsm8k_test": 200,
        "humaneval": 164,
    }
