"""The task metrics give the values worked out by hand or by another implementation."""

import difflib
import math
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.tasks import METRICS, TRACE_METRICS, TRACE_ORDER, lenient_match, load_tasks, score
from fggm_lab.tasks.metrics import restore_literals

CAT = "the cat sat on the mat"


def common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence, by the textbook's table."""
    above = [0] * (len(second) + 1)
    for a in first:
        row = [0]
        for j, b in enumerate(second):
            row.append(above[j] + 1 if a == b else max(above[j + 1], row[j]))
        above = row
    return above[-1]


def restored_as_trace_does(code: str) -> str:
    """TRACE's evaluations/eval_Py150.py in other words: find every literal, replace one by one."""
    for bare, value in (("<NUM_LIT>", "0"), ("<STR_LIT>", ""), ("<CHAR_LIT>", "")):
        code = code.replace(bare, value)
    for kind, value in re.findall(r"<(STR|NUM|CHAR)_LIT:(.*?)>", code, re.S):
        code = code.replace(f"<{kind}_LIT:{value}>", value)
    return code


@pytest.mark.parametrize(
    ("metric", "prediction", "answer", "expected"),
    [
        ("accuracy", "10", "10", 1),
        ("accuracy", " 10\n", "10", 1),
        ("accuracy", "10.", "10", 0),
        ("accuracy", "a", "A", 0),
        ("accuracy", "支持", "支持", 1),
        ("accuracy", "10 apples", "10", 0),
        ("first_character", "B\nBecause x", "B\nBecause y", 1),
        ("first_character", " B", "B\nBecause y", 1),
        ("first_character", "C\nBecause y", "B\nBecause y", 0),
        ("first_character", "b\nBecause y", "B\nBecause y", 0),
        ("first_character", "Answer: B", "B\nBecause y", 0),
        # longest common subsequence 3 of 3 and 6 words: P = 1, R = 1/2
        ("rouge_l", "the sat mat", CAT, 2 * 0.5 / 1.5),
        # order matters: only two of the five words are in order ("the .. sat"): F1 = 2*2/(5+6)
        ("rouge_l", "mat the on sat cat", CAT, 4 / 11),
        ("rouge_l", "The CAT sat, on the mat!", CAT, 1),
        ("rouge_l", "dogs", CAT, 0),
        # "abcd" and "abxd": 3 of 4 characters match in both
        ("edit_similarity", "abcd", "abxd", 2 * 3 / 8),
        ("edit_similarity", 'f("<STR_LIT:a b>", <NUM_LIT:7>)', 'f("a b", 7)', 1),
        ("edit_similarity", "x = <NUM_LIT>", "x = 0", 1),
        ("edit_similarity", "<STR_LIT>", "x", 0),
        ("edit_similarity", "zzz", "abc", 0),
    ],
)
def test_values_worked_out_by_hand(
    metric: str, prediction: str, answer: str, expected: float
) -> None:
    assert score(metric, "prompt", prediction, answer) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_prediction_scores_zero_and_a_perfect_one_one(metric: str) -> None:
    for prediction in ("", " \n"):
        for answer in ("a", "", "the same text"):
            assert score(metric, "a prompt", prediction, answer) == 0
    answer = "B is the fifth of 7 words"
    assert score(metric, "an earlier and other text", answer, answer) == pytest.approx(1)


def test_every_trace_task_has_a_metric_and_others_ask_for_accuracy() -> None:
    assert set(TRACE_METRICS) == set(TRACE_ORDER)
    assert set(TRACE_METRICS.values()) <= set(METRICS)
    with pytest.raises(SettingError, match=r"no metric is named 'bleu'; choose one of accuracy"):
        score("bleu", "", "a", "a")


def test_literals_are_restored_as_codexglue_does() -> None:
    code = "<STR_LIT> <CHAR_LIT> <NUM_LIT> <STR_LIT:a:b> <CHAR_LIT:\n> <NUM_LIT:1.5> <OTHER:x>"
    assert restore_literals(code) == "  0 a:b \n 1.5 <OTHER:x>"


def test_literals_of_real_code_are_restored_as_trace_does(shared: Path) -> None:
    py150 = load_tasks(shared / "trace", order=["Py150"])["Py150"]
    code = [text for e in py150.test for text in (e.answer, e.prompt[-2000:])]
    assert any("_LIT:" in text for text in code)
    assert [restore_literals(text) for text in code] == [restored_as_trace_does(t) for t in code]


def test_edit_similarity_is_that_of_a_longest_common_subsequence(shared: Path) -> None:
    # Levenshtein's ratio with a substitution counted as a deletion and an insertion: 2 common / all
    lines = [e.answer for e in load_tasks(shared / "trace", order=["Py150"])["Py150"].test[:40]]
    for first, second in pairwise(lines):
        a, b = (restored_as_trace_does(text).strip() for text in (first, second))
        expected = 2 * common(a, b) / (len(a) + len(b)) if a and b else 0
        assert score("edit_similarity", "", first, second) == pytest.approx(expected, abs=1e-12)


def test_rouge_l_is_that_of_a_longest_common_subsequence_of_words(shared: Path) -> None:
    test = load_tasks(shared / "trace", order=["NumGLUE-ds"])["NumGLUE-ds"].test[:60]
    values = set()
    for first, second in pairwise(e.prompt for e in test):
        a, b = (re.findall(r"[a-z0-9]+", text.lower()) for text in (first, second))
        shares = common(a, b) / len(a), common(a, b) / len(b)
        expected = 2 * shares[0] * shares[1] / sum(shares)
        assert score("rouge_l", "", first, second) == pytest.approx(expected, abs=1e-12)
        values.add(expected)
    assert len(values) > 30


def test_edit_similarity_on_real_code_is_near_difflibs(shared: Path) -> None:
    lines = [e.answer for e in load_tasks(shared / "trace", order=["Py150"])["Py150"].test[:60]]
    for first, second in pairwise(lines):
        ours = score("edit_similarity", "", first, second)
        a, b = restore_literals(first).strip(), restore_literals(second).strip()
        if a and b:
            # difflib's matching is greedy: never better than the optimum, and itself where equal
            assert ours >= difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() - 1e-12
            assert ours == score("edit_similarity", "", second, first)
            assert ours <= 1 - abs(len(a) - len(b)) / (len(a) + len(b)) + 1e-12


@pytest.mark.parametrize(
    ("prediction", "answer", "expected"),
    [
        ("B. Because it is", "B", True),
        ("Because B", "B", False),
        ("DOVISH!", "dovish", True),
        ("  the   Answer\n", "The answer.", True),
        ("dovishly", "dovish", False),
        ("10 apples", "10", True),
        ("10.0", "10", True),
        ("1,000", "1000", True),
        ("105", "10", False),
        ("10.5", "10", False),
        ("-3", "3", False),
        ("3", "-3", False),
        ("支持。因为", "支持", True),
        ("A支持", "A", True),
        (") ;", ")", True),
        ("(", ")", False),
        ("", "a", False),
        ("", "", False),
        ("a", "a b", False),
    ],
)
def test_lenient_match_forgives_form_but_not_content(
    prediction: str, answer: str, expected: bool
) -> None:
    assert lenient_match(prediction, answer) is expected


def test_what_is_exact_is_also_lenient(shared: Path) -> None:
    for task in load_tasks(shared / "trace"):
        assert all(lenient_match(e.answer, e.answer) for e in task.test if e.answer.strip())


def test_scores_stay_between_zero_and_one(shared: Path) -> None:
    test = load_tasks(shared / "trace", order=["NumGLUE-ds"])["NumGLUE-ds"].test[:20]
    for first, second in pairwise(test):
        for metric in METRICS:
            value = score(metric, first.prompt, second.prompt, first.prompt)
            assert 0 <= value <= 1
            assert math.isfinite(value)
