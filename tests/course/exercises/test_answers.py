"""What the checks share: which answers count as numbers, and which mistakes are named."""

from typing import Any

import pytest
import torch

from fggm_lab.course.exercises.answers import as_number, verdict, wrong_number, wrong_tensor


def test_a_verdict_is_one_of_two_sentences() -> None:
    assert verdict(None, "so it is.") == "Right: so it is."
    assert verdict("it is not.", "so it is.") == "Not yet: it is not."


@pytest.mark.parametrize("value", [2, 2.0, torch.tensor(2.0), torch.tensor([2])])
def test_numbers_in_several_shapes(value: object) -> None:
    assert as_number(value) == 2.0


@pytest.mark.parametrize("value", ["2", True, torch.tensor([2.0, 2.0]), torch.tensor(True), [2.0]])
def test_what_is_no_number(value: object) -> None:
    assert as_number(value) is None


def square(answer: Any) -> str | None:
    return wrong_number(
        answer, "x", (1, 2, 3), lambda x: x * x, {"that doubles.": lambda x: 2 * x}, ".1f"
    )


def test_a_right_formula_has_no_problem() -> None:
    assert square(lambda x: x**2) is None


def test_a_mistake_is_named_only_if_it_is_made_everywhere() -> None:
    assert square(lambda x: x + x) == "that doubles."
    assert square(lambda x: 2 * x if x < 3 else 0) == "for x = 1 it should be 1.0, not 2.0."


def test_no_answer_and_no_number() -> None:
    assert "nothing comes back" in str(square(lambda x: None))
    assert "nothing comes back" in str(square(lambda x: ...))
    assert square(lambda x: "4") == "return a number."
    assert square(lambda x: float("nan")) == "for x = 1 it should be 1.0, not nan."


def test_several_arguments_are_told_by_name() -> None:
    problem = wrong_number(lambda a, b: a, "a, b", [(1, 2)], lambda a, b: a + b, {}, ".0f")
    assert problem == "for a = 1, b = 2 it should be 3, not 1."


def test_lists_and_tensors_are_told_as_a_reader_would_write_them() -> None:
    for values in ([0.2, 5.0], torch.tensor([0.2, 5.0])):
        problem = wrong_number(len, "values", [values], lambda v: 3, {}, ".0f")
        assert problem == "for values = [0.2, 5] it should be 3, not 2."
    matrix = [[1.0, 0.25], [0.5, 0.5]]
    problem = wrong_number(len, "R", [matrix], lambda v: 3, {}, ".0f")
    assert problem == "for R = [[1, 0.25], [0.5, 0.5]] it should be 3, not 2."


def test_an_answer_that_changes_what_it_is_given_does_not_spoil_the_check() -> None:
    def last(values: list[int]) -> int:
        values.sort()
        return values[-1]

    assert wrong_number(last, "values", [[3, 1], [2, 5]], max, {}, ".0f") is None


def test_tensors() -> None:
    right = torch.tensor([1.0, 2.0])
    hints = {"the sum.": torch.tensor([2.0, 4.0]), "a column.": torch.zeros(3)}
    assert wrong_tensor(right.double(), right, hints) is None
    assert wrong_tensor(right * 2, right, hints) == "the sum."
    assert wrong_tensor(torch.zeros(3), right, hints) == "a column."
    assert "shape (2,), not (5,)" in str(wrong_tensor(torch.zeros(5), right, hints))
    assert "entry 1 should be 2.0000, not 3.0000" in str(
        wrong_tensor(torch.tensor([1.0, 3.0]), right, hints)
    )
    assert "nothing comes back" in str(wrong_tensor(None, right, hints))
    assert wrong_tensor([1.0, 2.0], right, hints) == "return a tensor of 2 numbers."
