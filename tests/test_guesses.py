"""What a user guesses: each guess works, or gets one clear sentence that names the remedy."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerFast

import fggm_lab as lab
from tests.support.families import character_tokenizer
from tests.support.small import QUICK, small_model, small_run, small_tasks

PAIRS = [("abc", "d"), ("bcd", "ef"), ("cde", "a")]


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return small_model()


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return character_tokenizer()


@pytest.fixture(scope="module")
def scores(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> lab.FisherScores:
    return lab.fisher_scores(model, tokenizer, PAIRS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[lab.Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [small_run(method, folder / method.name) for method in (lab.SFT(), lab.FGGM())]


@pytest.mark.parametrize(
    "examples",
    [
        PAIRS,
        [{"prompt": prompt, "answer": answer} for prompt, answer in PAIRS],
        [SimpleNamespace(prompt=prompt, answer=answer) for prompt, answer in PAIRS],
        lab.Task("pairs", tuple(lab.Example(*pair) for pair in PAIRS), (), ()),
    ],
    ids=["tuples", "dictionaries", "objects", "a task"],
)
def test_examples_in_any_form_are_scored_alike(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    scores: lab.FisherScores,
    examples: Any,
) -> None:
    guessed = lab.fisher_scores(model, tokenizer, examples)
    for name, units in scores.units.items():
        assert units.equal(guessed.units[name])


def test_records_are_short_at_the_end_of_a_cell(
    scores: lab.FisherScores, runs: list[lab.Run]
) -> None:
    mask = lab.Mask.top(scores, keep=0.3)
    evaluation = lab.evaluate(small_model(), character_tokenizer(), small_tasks())
    for record in (
        scores,
        mask,
        small_tasks(),
        small_tasks()[0],
        evaluation,
        runs[0],
        lab.comparison(runs),
    ):
        assert 10 < len(repr(record)) < 500
        assert "<table" in record._repr_html_()


def test_scores_and_masks_are_read_by_name(scores: lab.FisherScores) -> None:
    mask = lab.Mask.top(scores, keep=0.3)
    name = "model.norm.weight"
    assert scores[name].equal(scores.units[name])
    assert mask[name].equal(mask.units[name])
    assert len(scores) == len(scores.units)
    assert len(mask) == len(mask.units)


def test_a_method_can_be_named(tmp_path: Path, runs: list[lab.Run]) -> None:
    run = lab.run_sequence(
        small_model(),
        character_tokenizer(),
        small_tasks(),
        "fggm",
        tmp_path / "fggm",
        **QUICK,
    )
    assert run.config.method == "fggm"
    assert run.scores is not None and runs[1].scores is not None
    assert run.scores.matrix == runs[1].scores.matrix


def test_figures_and_tables_take_a_run_a_list_or_a_folder(
    runs: list[lab.Run], tmp_path: Path
) -> None:
    folder = runs[0].path.parent
    for several in (runs, folder, str(folder), [run.path for run in runs]):
        assert len(lab.comparison(several)) == 2
        lab.write_report(several, tmp_path / "report.html")
        lab.plots.forgetting_curves(several)
        lab.plots.stability_plasticity(several)
    for single in (runs[0], runs[0].path):
        assert len(lab.comparison(single)) == 1
        lab.write_report(single, tmp_path / "report.html")
        lab.plots.forgetting_curves(single)
        lab.plots.score_matrix(single)


# As a notebook calls them, where no type checker reads along.
fisher_scores: Any = lab.fisher_scores
mask_top: Any = lab.Mask.top

REFUSALS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a misspelt parameter": (
        lambda session: session.scores["model.norm.wieght"],
        "model.norm.weight",
    ),
    "a misspelt parameter of a mask": (
        lambda session: lab.Mask.top(session.scores, 0.3)["model.norm.wieght"],
        "model.norm.weight",
    ),
    "a misspelt task": (lambda session: small_tasks()["task_1"], "task-1"),
    "a sequence instead of a task": (
        lambda session: fisher_scores(session.model, session.tokenizer, small_tasks()),
        "task",
    ),
    "a string as examples": (
        lambda session: fisher_scores(session.model, session.tokenizer, "abc"),
        "prompt",
    ),
    "a number as an answer": (
        lambda session: fisher_scores(session.model, session.tokenizer, [("abc", 7)]),
        "answer",
    ),
    "an unknown method": (
        lambda session: lab.run_sequence(
            session.model, session.tokenizer, small_tasks(), "fgmm", session.folder / "a"
        ),
        "fggm",
    ),
    "an unknown setting of training": (
        lambda session: lab.run_sequence(
            session.model,
            session.tokenizer,
            small_tasks(),
            "sft",
            session.folder / "b",
            learning_rte=1.0,
        ),
        "learning_rte",
    ),
    "a run folder again": (
        lambda session: lab.run_sequence(
            session.model, session.tokenizer, small_tasks(), "sft", session.runs[0].path, **QUICK
        ),
        "resume=True",
    ),
    "an empty folder": (lambda session: lab.comparison(session.folder), "run"),
    "a keep share in percent": (lambda session: lab.Mask.top(session.scores, keep=30), "keep"),
    "an unknown scope": (
        lambda session: mask_top(session.scores, keep=0.3, scope="model"),
        "global",
    ),
    "an unknown estimator": (
        lambda session: fisher_scores(session.model, session.tokenizer, PAIRS, estimator="empiric"),
        "empirical",
    ),
}


@pytest.mark.parametrize("guess", REFUSALS)
def test_what_cannot_be_done_is_one_sentence(
    guess: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    scores: lab.FisherScores,
    runs: list[lab.Run],
    tmp_path: Path,
) -> None:
    call, remedy = REFUSALS[guess]
    session = SimpleNamespace(
        model=model, tokenizer=tokenizer, scores=scores, runs=runs, folder=tmp_path
    )
    with pytest.raises((lab.LabError, TypeError, KeyError)) as refusal:
        call(session)
    sentence = str(refusal.value)
    assert remedy in sentence, sentence
    assert "\n" not in sentence
    assert not re.search(r"(?<!\()--[a-z]", sentence), "Python names its arguments, not options"
