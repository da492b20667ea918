"""Checks on one's own model and data accept right answers and name what is wrong with others."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from fggm_lab.course.exercises.model_and_data import (
    check_cleaned,
    check_model_folder,
    check_training_bytes,
)
from fggm_lab.tasks import Example
from tests.support.families import tiny_model

Split = list[Example]


def test_a_folder_that_loads_and_one_that_does_not(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert "there is no folder" in check_model_folder(tmp_path / "none")
    folder = tmp_path / "model"
    tiny_model("llama").save_pretrained(folder)
    assert "no tokenizer" in check_model_folder(str(folder))
    tokenizer.save_pretrained(folder)
    message = check_model_folder(folder)
    assert message.startswith("Right") and "llama" in message


def test_a_name_that_is_no_folder_is_not_looked_up_elsewhere() -> None:
    assert "there is no folder" in check_model_folder("owner/some-model")


def unique(examples: Split, prompts: set[str]) -> Split:
    """The examples with an answer whose prompt is new; adds their prompts to `prompts`."""
    examples_left = []
    for example in examples:
        if example.answer.strip() and example.prompt not in prompts:
            prompts.add(example.prompt)
            examples_left.append(example)
    return examples_left


def clean(train: Split, test: Split) -> tuple[Split, Split]:
    test = unique(test, set())
    return unique(train, {example.prompt for example in test}), test


def leak_out_of_test(train: Split, test: Split) -> tuple[Split, Split]:
    train = unique(train, set())
    return train, unique(test, {example.prompt for example in train})


def last_stays(train: Split, test: Split) -> tuple[Split, Split]:
    train, test = clean(train[::-1], test)
    return train[::-1], test


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (clean, "Right"),
        (lambda train, test: (train, test), "repeat an earlier prompt"),
        (
            lambda train, test: (unique(train, set()), unique(test, set())),
            "both train and test",
        ),
        (lambda train, test: (list(set(train) - set(test)), list(set(test))), "still finds"),
        (leak_out_of_test, "taken out of train"),
        (last_stays, "the first stays"),
        (lambda train, test: ([], unique(test, set())), "train has lost"),
        (lambda train, test: train, "return train, test"),
        (lambda train, test: (["a"], ["b"]), "as they came"),
        (lambda train, test: None, "nothing comes back"),
    ],
)
def test_cleaning(answer: Callable[[Split, Split], tuple[Split, Split]], hint: str) -> None:
    assert hint in check_cleaned(answer)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda weights, keep: 12 * weights * keep, "Right"),
        (lambda weights, keep: 3 * weights * keep, "4 bytes"),
        (lambda weights, keep: 4 * weights * keep, "the gradient alone"),
        (lambda weights, keep: 8 * weights * keep, "the moments alone"),
        (lambda weights, keep: 12 * weights, "the kept share is missing"),
        (lambda weights, keep: 4 * weights + 12 * weights * keep, "there already"),
        (lambda weights, keep: 16 * weights * keep, "not four"),
        (lambda weights, keep: 1, "it should be 5,400,000,000, not 1"),
    ],
)
def test_the_memory_that_training_adds(answer: Callable[[int, float], float], hint: str) -> None:
    assert hint in check_training_bytes(answer)
