"""What a model scores before it learns a task stands beside what one answer to everything does."""

from dataclasses import replace

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.evaluation import evaluate
from fggm_lab.evaluation.untrained import UntrainedScore, constant_score, untrained_scores
from fggm_lab.models import example_length
from fggm_lab.tasks import Example, Task, TaskSequence, load_tasks
from tests.support.families import character_tokenizer
from tests.support.small import small_model, small_tasks


def test_the_best_of_the_frequent_answers_is_the_constant_one() -> None:
    train = tuple(Example(f"p{n}", answer) for n, answer in enumerate("AAABBC"))
    scored = tuple(Example(f"q{n}", answer) for n, answer in enumerate("BBBA"))
    assert constant_score(Task("FOMC", train, scored), "eval") == 0.75
    assert constant_score(load_tasks("code-mini")["Comments"], "eval") == 0


def test_scores_are_those_of_an_evaluation_of_the_same_examples() -> None:
    model, tokenizer, tasks = small_model(), character_tokenizer(), small_tasks()
    rows = untrained_scores(model, tokenizer, tasks, examples=3, max_new_tokens=4)
    assert [row.task for row in rows] == tasks.names
    first = tasks[0].limited(3)
    assert first.eval
    expected = evaluate(model, tokenizer, first, split="eval", max_new_tokens=4)
    assert rows[0].score == expected[first.name].score
    assert rows[0].examples == len(first.eval)
    with pytest.raises(SettingError, match="examples is 0"):
        untrained_scores(model, tokenizer, tasks, examples=0)


def test_a_task_without_an_eval_split_is_scored_on_its_test_split() -> None:
    task = replace(small_tasks()[0], eval=())
    sequence = TaskSequence([task], "small")
    rows = untrained_scores(small_model(), character_tokenizer(), sequence, examples=2)
    assert rows[0].examples == 2


def test_the_constant_answers_what_the_model_answers_and_the_rest_is_counted() -> None:
    """Of four examples one prompt is cut, and one, which the constant has right, is left out."""
    model, tokenizer = small_model(), character_tokenizer()
    length = example_length(model)
    long_answer = "b" * length
    train = (Example("p", "a"), Example("q", long_answer), Example("r", "c"))
    scored = (Example("x" * length, "c"), *(Example("x", answer) for answer in ("a", "a")))
    task = Task("FOMC", train, test=(Example("x", "a"),), eval=(*scored, Example("x", long_answer)))
    [row] = untrained_scores(model, tokenizer, TaskSequence([task], "small"), max_new_tokens=1)
    assert (row.examples, row.truncated, row.skipped) == (3, 1, 1)
    assert row.constant == 2 / 3


@pytest.mark.parametrize(
    ("score", "constant", "warned"), [(0.6, 0.1, True), (0.3, 0.2, False), (0.0, 0.0, False)]
)
def test_only_a_score_that_is_surely_higher_is_warned_of(
    score: float, constant: float, warned: bool
) -> None:
    row = UntrainedScore("FOMC", score, constant, 40)
    assert (row.warning() is not None) == row.is_known == warned
