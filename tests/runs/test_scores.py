"""scores.json has the keys that stored runs have; a damaged one is refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import RunError
from fggm_lab.runs import ScoreMatrix, general_scores


def evaluation(task: int, final: bool = True, ability: float | None = None, **scores: float) -> Any:
    """An evaluation event."""
    return {
        "kind": "evaluation",
        "task": task,
        "final": final,
        "tasks": {name: {"score": score} for name, score in scores.items()},
        "general": None if ability is None else {"score": ability, "skills": {}},
    }


def test_the_file_has_the_fixed_fields(tmp_path: Path) -> None:
    scores = ScoreMatrix(
        ["A", "B"], [[0.9, None], [0.4, 1.0]], [0.0, None], general_scores(0.9, 0.5)
    )
    scores.save(tmp_path / "scores.json")
    content = json.loads((tmp_path / "scores.json").read_text())
    assert list(content) == ["tasks", "matrix", "untrained", "general", "digest"]
    assert content["matrix"] == [[0.9, None], [0.4, 1.0]]
    assert content["general"] == {"before": 0.9, "after": 0.5, "name": None, "better": "higher"}
    assert ScoreMatrix.load(tmp_path / "scores.json") == scores


def test_the_fixed_fields_alone_can_be_read(tmp_path: Path) -> None:
    minimal = {"tasks": ["A"], "matrix": [[1]], "untrained": [0], "general": {"before": 1}}
    (tmp_path / "scores.json").write_text(json.dumps(minimal))
    loaded = ScoreMatrix.load(tmp_path / "scores.json")
    assert loaded.general == general_scores(before=1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"matrix": [[0.9, None]]}, "2 rows of 2 cells"),
        ({"matrix": [[0.9], [0.4]]}, "2 rows of 2 cells"),
        ({"matrix": [[90.0, None], [40.0, 100.0]]}, "divide percentages by 100"),
        ({"matrix": [[0.9, None], [0.4, float("nan")]]}, "NaN, which JSON has no word for"),
        ({"matrix": [[0.9, "x"], [0.4, 1.0]]}, "not a score matrix"),
        ({"matrix": [[0.9, True], [0.4, 1.0]]}, "not a score matrix"),
        ({"matrix": None}, "not a score matrix"),
        ({"untrained": [0.1]}, "1 untrained scores for 2 tasks"),
        ({"general": [1, 2]}, "not a score matrix"),
        ({"general": {"better": "sideways"}}, "not a score matrix"),
        ({"tasks": [1, 2]}, "not a score matrix"),
    ],
)
def test_damage_is_one_sentence_with_the_file(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "scores.json"
    good = {"tasks": ["A", "B"], "matrix": [[0.9, None], [0.4, 1.0]], "untrained": [0.1, 0.2]}
    path.write_text(json.dumps({**good, **change}))
    with pytest.raises(RunError, match=sentence) as caught:
        ScoreMatrix.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "{}"])
def test_what_is_no_score_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"scores\.json"):
        ScoreMatrix.load(path)


def test_a_spoiled_matrix_is_not_saved_over_a_good_one(tmp_path: Path) -> None:
    scores = ScoreMatrix.empty(["A"])
    scores.save(tmp_path / "scores.json")
    scores.matrix[0][0] = 93.0
    with pytest.raises(RunError, match="93"):
        scores.save(tmp_path / "scores.json")
    assert ScoreMatrix.load(tmp_path / "scores.json").matrix == [[None]]


def test_final_evaluations_become_rows_and_probes_do_not() -> None:
    events = [
        {"kind": "start", "time": ""},
        evaluation(-1, A=0.1, B=0.2, ability=0.9),
        evaluation(0, final=False, A=0.33),
        evaluation(0, A=0.8, B=0.3, ability=0.7),
    ]
    scores = ScoreMatrix.from_events(["A", "B"], events, "skills")
    assert scores.untrained == [0.1, 0.2]
    assert scores.matrix == [[0.8, 0.3], [None, None]]
    assert scores.general == general_scores(0.9, None, "skills"), "after means after the last task"

    scores = ScoreMatrix.from_events(["A", "B"], [*events, evaluation(1, B=0.9, ability=0.6)])
    assert scores.matrix[1] == [None, 0.9]
    assert scores.general["after"] == 0.6
    assert scores.metrics()["op_final"] is None
    assert scores.metrics()["learning_accuracy"] == pytest.approx(0.85)
