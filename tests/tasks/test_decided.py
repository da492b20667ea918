"""Once a score is decided, nothing that a model may write further changes it."""

import random

import pytest

from fggm_lab.tasks import METRICS, PASS_AT_1, Choice, cut_completion, lenient_match
from fggm_lab.tasks.decided import COMPARED_WHOLE, is_decided, is_lenient_match_decided
from fggm_lab.tasks.multiple_choice import chosen_by_text, is_choice_decided

ALPHABET = ["b", "B", "c", " ", "\n", ".", ",", "1", "0", "00", "000", "-", "'", "支", "持", "é"]
ALPHABET += ["e", "\u0301", "ß", "１", "####", "$", "_", "ﬁ", "(", "\u3000", "ten", "nis", "½"]
ANSWERS = [
    "B",
    "b c",
    "10",
    "1,000",
    "-1",
    "支持",
    "don't",
    "(",
    "é",
    "ten",
    "0.10",
    "b 1",
    "#### 10",
]


@pytest.mark.parametrize("metric", [m for m in METRICS if m not in COMPARED_WHOLE])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_decided_score_is_that_of_every_continuation(metric: str, answer: str) -> None:
    rng = random.Random(f"{metric} {answer}")
    decided = 0
    for _ in range(1500):
        start = rng.choice(["", answer, answer, f"#### {answer}"])
        text = start + "".join(rng.choices(ALPHABET, k=rng.randrange(6)))
        if is_decided(metric, "", text, answer):
            decided += 1
            for _ in range(4):
                longer = text + "".join(rng.choices(ALPHABET, k=rng.randrange(1, 5)))
                assert METRICS[metric]("", longer, answer) == METRICS[metric]("", text, answer)
                if metric == "accuracy":
                    assert lenient_match(longer, answer) == lenient_match(text, answer)
    assert decided > 3


@pytest.mark.parametrize(
    ("metric", "text", "answer", "decided"),
    [
        ("accuracy", "", "B", False),
        ("accuracy", "B", "B", False),
        ("accuracy", "B\n", "B", False),
        ("accuracy", "B\nBecause", "B", True),
        ("accuracy", "C", "B", False),  # an accent may yet change the letter
        ("accuracy", "Ca", "B", True),
        ("accuracy", "B.", "B", False),  # strictly wrong; leniently, `B.5` would be too
        ("accuracy", "B. It", "B", True),
        ("accuracy", "haw", "hawkish", False),
        ("accuracy", "dov", "hawkish", True),
        ("accuracy", "1", "10", False),
        ("accuracy", "支\ufffd", "支持", False),
        ("first_character", "\n \n", "B", False),
        ("first_character", "\nB", "B", True),
        ("first_character", "\ufffd", "支", False),
        ("final_number", "It is 12 and", "#### 12", False),
        ("final_number", "12 #### 1", "#### 12", False),
        ("final_number", "12 #### 12\n", "#### 12", True),
        ("rouge_l", "", "B", True),
        (PASS_AT_1, "    return 1\n", "", False),
        (PASS_AT_1, "    return 1\nprint", "", False),
        (PASS_AT_1, "    return 1\nprint(f(1))\n", "", True),
    ],
)
def test_when_a_score_is_decided(metric: str, text: str, answer: str, decided: bool) -> None:
    assert is_decided(metric, "def f(x):\n", text, answer) is decided
    assert cut_completion("def f(x):\n", "    return 1\nprint(f(1))\n") == "    return 1\n"


def test_the_choice_of_a_text_is_decided_when_no_other_can_be_made() -> None:
    question = Choice("Which?", ("ten", "tennis", "tennis ball", "1,000", "1"), 1)
    rng = random.Random(0)
    decided = 0
    for _ in range(3000):
        text = rng.choice(question.choices) + "".join(rng.choices(ALPHABET, k=rng.randrange(4)))
        if is_choice_decided(question, text):
            decided += 1
            longer = text + "".join(rng.choices(ALPHABET, k=rng.randrange(1, 5)))
            assert chosen_by_text(question, longer) == chosen_by_text(question, text)
    assert decided > 300
    assert not is_choice_decided(question, "tennis")
    assert is_lenient_match_decided("tennis court ", "tennis ball")
