"""Examples in any of the accepted forms, and one sentence for every other."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from fggm_lab.errors import DataError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import mask_stability
from fggm_lab.models import Encoded
from fggm_lab.tasks import Example, Task
from fggm_lab.tasks.coerce import as_examples
from tests.support.families import character_tokenizer
from tests.support.small import small_model, small_tasks

EXAMPLES = [Example("ab", "c"), Example("de", "fg")]


@pytest.mark.parametrize(
    "examples",
    [
        EXAMPLES,
        tuple(EXAMPLES),
        iter(EXAMPLES),
        [{"prompt": "ab", "answer": "c"}, {"answer": "fg", "prompt": "de", "id": 7}],
        [("ab", "c"), ["de", "fg"]],
        Task("T", tuple(EXAMPLES), (Example("x", "y"),)),
    ],
)
def test_every_form_gives_the_same_examples(examples: Any) -> None:
    assert as_examples(examples) == EXAMPLES


def test_token_ids_stay_as_they_are() -> None:
    encoded = Encoded((1, 2), (3,), False)
    assert as_examples([encoded])[0] is encoded


@pytest.mark.parametrize(
    ("examples", "sentence"),
    [
        (small_tasks(), "these are the tasks of a sequence, and examples of one task are needed; "
                        "pass one of them, such as tasks['task-0']"),
        ("text", "examples is of type str; pass a task or a list, each example an object with"),
        (7, "examples is of type int; pass a task or a list"),
        (EXAMPLES[0], "examples is a single example; put it into a list"),
        ({"prompt": "a", "answer": "b"}, "examples is a single example; put it into a list"),
        ([EXAMPLES[0], "text"], "example 1 is of type str; an example is an object with .prompt "
                                "and .answer, a (prompt, answer) pair, or a dict with the keys "
                                "prompt and answer; prompt and completion; instruction, input"),
        ([("a", "b", "c")], "example 0 is of type tuple of 3; an example is"),
        ([{"prompt": "a", "text": "b"}], "example 0: has no 'answer'; the columns are: prompt, "),
        ([{"prompt": "a", "answer": 3}], "example 0: 'answer' is a number, not text; put it"),
        ([SimpleNamespace(prompt="a", answer=3)], "the answer of example 0 is of type int; it"),
        ([("a", "b"), ("a", 3)], "the answer of example 1 is of type int; it must be a text"),
    ],
)  # fmt: skip
def test_other_forms_are_refused_in_a_sentence(examples: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        as_examples(examples)


def test_scores_and_stability_take_every_form_and_a_tasks_name() -> None:
    model, tokenizer, task = small_model(), character_tokenizer(), small_tasks()[0]
    pairs = [(example.prompt, example.answer) for example in task.train]
    of_task, of_pairs = (fisher_scores(model, tokenizer, form) for form in (task, pairs))
    assert (of_task.info.task, of_pairs.info.task) == (task.name, None)
    assert all((of_task[name] == of_pairs[name]).all() for name in of_pairs)
    assert fisher_scores(model, tokenizer, task, task="mine").info.task == "mine"
    assert mask_stability(model, tokenizer, task, repeats=2) == mask_stability(
        model, tokenizer, pairs, repeats=2
    )
