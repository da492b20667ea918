"""Arithmetic answers are compared by the value of their final number."""

from decimal import Decimal

import pytest

from fggm_lab.tasks import METRICS, load_general
from fggm_lab.tasks.arithmetic import final_number, is_arithmetic, same_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so 2 + 3 = 5", "5"),
        ("#### 16", "16"),
        ("she has 7.\n#### 1,234,567.50\nQuestion: what of 9?", "1234567.5"),
        ("it costs $-3.50 in all", "-3.5"),
        ("-$40", "-40"),
        ("−8", "-8"),
        ("52-8-28", "28"),
        ("(3)-4", "4"),
        ("from 10 to -4", "-4"),
        (".5", "0.5"),
        ("answer: 16.", "16"),
        ("5%", "5"),
        ("10,20", "20"),
        ("1,2345", "2345"),
    ],
)
def test_the_final_number_is_found(text: str, number: str) -> None:
    assert final_number(text) == Decimal(number)


def test_a_text_without_a_number_has_none() -> None:
    for text in ("", "none at all", "####", "5 #### none"):
        assert final_number(text) is None
        assert same_number("", text, "#### 0") == 0


def test_numbers_are_compared_by_value() -> None:
    assert METRICS["final_number"]("p", "that is 1000.00 dollars", "so\n#### 1,000") == 1
    assert METRICS["final_number"]("p", "#### 10", "#### 100") == 0


def test_gsm8k_is_known_by_its_answers(shared) -> None:  # type: ignore[no-untyped-def]
    general = load_general(shared / "general" / "gsm8k_test.json")
    assert general.metrics == {"gsm8k_test": "final_number"}
    for example in general.skills["gsm8k_test"]:
        number = example.answer.rpartition("#### ")[2].replace(",", "")
        assert final_number(example.answer) == Decimal(number)
        assert same_number("", f"The answer is ${number}.00", example.answer) == 1
        assert same_number("", f"The answer is {number}1", example.answer) == 0


def test_other_answers_are_no_arithmetic() -> None:
    assert is_arithmetic(["#### 4", "x\n#### -5"])
    assert not is_arithmetic(["#### 4", "5"]) and not is_arithmetic(["4 ####"])
