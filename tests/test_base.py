"""The shipped base model is what its card says: small, standard, skilled, loadable by anyone."""

import json

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from fggm_lab.evaluation import evaluate
from fggm_lab.models import load_model
from fggm_lab.tasks import load_tasks
from fggm_lab.tasks.shipped import data_folder

BASE = data_folder("base")


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model("tiny")[0]


def test_it_is_small_and_its_making_is_recorded(model: PreTrainedModel) -> None:
    assert sum(p.stat().st_size for p in BASE.rglob("*") if p.is_file()) < 8e6
    assert 0.5e6 < sum(p.numel() for p in model.parameters()) < 1.5e6
    log = [json.loads(line) for line in (BASE / "training_log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == 3000 and log[-1]["seconds"] < 3600
    assert log[-1]["loss"] < log[0]["loss"] / 10


def test_anyone_can_load_it(model: PreTrainedModel) -> None:
    plain = AutoTokenizer.from_pretrained(BASE)
    _, ours = load_model("tiny")
    for task in load_tasks("trace-mini"):
        for example in task.test[:5]:
            for text in (example.prompt, example.answer):
                ids = ours(text)["input_ids"]
                assert plain(text)["input_ids"] == ids
                assert ours.decode(ids, skip_special_tokens=True) == text
    again = AutoModelForCausalLM.from_pretrained(BASE)
    assert type(again) is type(model)


def test_it_has_general_abilities_and_has_not_learned_the_tasks(model: PreTrainedModel) -> None:
    _, tokenizer = load_model("tiny")
    measured = evaluate(model, tokenizer, "trace-mini", "trace-mini", split="eval", max_length=256)
    assert measured.general is not None and measured.general.score > 0.9
    assert all(skill > 0.5 for skill in measured.general.skills.values())
    exact = [task.exact for task in measured.tasks.values()]
    assert sum(exact) / len(exact) < 0.4
