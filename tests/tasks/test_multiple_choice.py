"""Multiple choice is read from JSON, refused in one sentence, and decided as it says."""

import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import Choice, load_general
from fggm_lab.tasks.multiple_choice import chosen_by_text, most_likely

GOOD: dict[str, Any] = {"prompt": "2 + 2 =", "choices": [" 3", " 4", " 5"], "label": 1}


def written(folder: Path, items: Any, name: str = "sums.json") -> Path:
    (folder / name).write_text(json.dumps(items), encoding="utf-8")
    return folder / name


def test_a_label_is_a_place_or_a_text(tmp_path: Path) -> None:
    general = load_general(written(tmp_path, [GOOD, {**GOOD, "label": " 5"}]))
    assert general.choices == {
        "sums": (Choice("2 + 2 =", (" 3", " 4", " 5"), 1), Choice("2 + 2 =", (" 3", " 4", " 5"), 2))
    }
    assert (general.skills, general.texts, general.better) == ({}, {}, "higher")


def test_kinds_of_skills_stand_side_by_side(tmp_path: Path) -> None:
    written(tmp_path, [GOOD], "a.json")
    written(tmp_path, [{"prompt": "p", "answer": "x"}], "b.json")
    written(tmp_path, [{"prompt": "p", "answer": "x\n#### 5"}], "c.json")
    general = load_general(tmp_path, choose="token")
    assert (list(general.choices), list(general.skills)) == (["a"], ["b", "c"])
    assert general.metrics == {"c": "final_number"} and general.choose == "token"


def test_how_choices_are_made_is_part_of_the_name(tmp_path: Path) -> None:
    path = written(tmp_path, [GOOD])
    assert load_general(path).name == "sums (choices by character)"
    assert load_general(path, choose="generation").name == "sums (choices by generation)"
    assert load_general(written(tmp_path, [{"prompt": "p", "answer": "x"}])).name == "sums"
    with pytest.raises(SettingError, match="by 'tokens'; did you mean 'token'"):
        load_general(path, choose="tokens")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 3}, "the label is 3; it must be a place from 0 to 2"),
        ({"label": -1}, "the label is -1"),
        ({"label": True}, "the label is True"),
        ({"label": None}, "the label is null"),
        ({"label": "6"}, "the label '6' is none of the choices"),
        ({"choices": ["4"]}, "'choices' is no list of two or more"),
        ({"choices": "3 4"}, "'choices' is no list of two or more"),
        ({"choices": ["3", 4]}, "'choices' is a number, not text"),
        ({"choices": ["3", " "]}, "a choice is empty"),
        ({"choices": ["3", "3"]}, "a choice stands there twice"),
        ({"prompt": 5}, "'prompt' is a number, not text"),
        ({"prompt": "\ud800"}, "'prompt' holds an incomplete character"),
    ],
)
def test_broken_questions_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path, [GOOD, GOOD | change])
    with pytest.raises(DataError, match=message) as caught:
        load_general(path)
    assert str(caught.value).startswith(f"{path}, item 1: ")


def test_a_file_holds_one_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="item 1: has no 'choices'; in a file of choices every"):
        load_general(written(tmp_path, [GOOD, {"prompt": "p", "answer": "x"}]))
    with pytest.raises(DataError, match="item 1: has no 'answer'"):
        load_general(written(tmp_path, [{"prompt": "p", "answer": "x"}, GOOD]))
    with pytest.raises(DataError, match="item 1: is text; make it an object"):
        load_general(written(tmp_path, [GOOD, "p"]))


def test_the_length_that_likelihood_is_divided_by_decides() -> None:
    item = Choice("p", ("ab", "abcdefgh", "abcd"), 0)
    sums, tokens = [-3.0, -4.0, -3.5], [1, 4, 1]
    # per character: -1.5, -0.5, -0.875; per token: -3, -1, -3.5
    assert most_likely(item, sums, tokens, "sum") == 0
    assert most_likely(item, sums, tokens, "character") == 1
    assert most_likely(item, sums, [1, 1, 2], "token") == 2
    assert most_likely(item, [-1.0, -1.0, -2.0], tokens, "sum") == 0


def test_the_space_that_joins_a_choice_is_no_character_of_it() -> None:
    """As lm-evaluation-harness's acc_norm, whose choices have none, divides."""
    sums = [-2.0, -4.1]  # per character -2 and -2.05; with the space -1 and -1.37
    for choices in (("a", "bc"), (" a", " bc")):
        assert most_likely(Choice("p", choices, 0), sums, [1, 1], "character") == 0
    assert most_likely(Choice("p", (" ab", " abcd"), 0), [-2.0, -3.9], [1, 1], "character") == 1


def test_questions_whose_choices_run_into_the_prompt_are_told(tmp_path: Path) -> None:
    joined = {"prompt": "Answer:", "choices": ["Vienna", "Paris"], "label": 1}
    with pytest.warns(UserWarning, match=r"sums.json: .* run together .*'…Answer:Vienna'"):
        load_general(written(tmp_path, [joined]))
    for prompt, choices in (
        ("Answer:\n", ["A", "B"]),
        ("答案：", ["甲", "乙"]),
        ("2 +", [" 3", " 4"]),
    ):
        load_general(written(tmp_path, [{"prompt": prompt, "choices": choices, "label": 0}]))


def test_a_generated_answer_chooses_what_it_begins_with() -> None:
    letters = Choice("p", ("A", "B"), 0)
    assert chosen_by_text(letters, " B. Because it is.") == 1
    assert chosen_by_text(letters, "neither") is None and chosen_by_text(letters, "") is None
    nested = Choice("p", ("red", "red car", "Red."), 0)
    assert chosen_by_text(nested, "red car, I think") == 1
    assert chosen_by_text(nested, "Red.") == 2
