"""lm-evaluation-harness on a local task, offline, agrees with the lab's own multiple choice."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError, MissingExtra, SettingError
from fggm_lab.evaluation.lm_evaluation_harness import SETS, harness_general
from fggm_lab.models import load_model
from fggm_lab.tasks import Choice
from tests.support.scoring import choice_likelihoods

TASK = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
  cache_dir: {cache}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: choices
doc_to_target: label
target_delimiter: ""
metric_list:
  - metric: {metric}
"""
ITEMS = [
    Choice("Once upon a time, there was a little", (" girl named Lily.", " tax on imports."), 0),
    Choice("Tom was sad because he lost his", (" parliament", " ball"), 1),
    Choice("The dog was very", (" happy", " constitutional"), 1),
    Choice("Lily likes to play in the", (" asphyxia", " park"), 0),
]


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one task of the harness and its data."""
    folder = tmp_path_factory.mktemp("harness")
    rows = [{"prompt": i.prompt, "choices": list(i.choices), "label": i.label} for i in ITEMS]
    data = folder / "data.json"
    data.write_text("\n".join(json.dumps(row) for row in rows))
    text = TASK.format(name="stories", data=data, cache=folder / "cache", metric="acc")
    (folder / "stories.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def harness(include: Path) -> Iterator[Any]:
    """The harness; it reads its thousands of task files once for all tests, not at every call."""
    tasks = pytest.importorskip("lm_eval.tasks")
    manager = tasks.TaskManager(include_path=str(include))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TaskManager", lambda include_path: manager)
        yield manager


def test_a_local_task_scores_as_the_labs_own_choices(
    shared: Path, include: Path, harness: Any
) -> None:
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    model.train()
    measured = harness_general(model, tokenizer, ["stories"], include=include)
    assert all(module.training for module in model.modules()), "it is left as it was"
    sums = choice_likelihoods(model.eval(), tokenizer, ITEMS, max_length=128)
    right = [row.index(max(row)) == item.label for row, item in zip(sums, ITEMS, strict=True)]
    assert measured == {
        "score": sum(right) / 4, "skills": {"stories": sum(right) / 4},
        "metrics": {"stories": "acc,none"},
    }  # fmt: skip
    assert 0 < sum(right) < 4
    limited = harness_general(model, tokenizer, ["stories"], include=include, limit=2)
    assert limited["score"] == sum(right[:2]) / 2


def test_tasks_that_cannot_be_scored_are_refused(shared: Path, include: Path, harness: Any) -> None:
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    with pytest.raises(SettingError, match="has no task 'storys'"):
        harness_general(model, tokenizer, ["storys"], include=include)
    with pytest.raises(SettingError, match="name at least one"):
        harness_general(model, tokenizer, [])
    with pytest.raises(DataError, match="there is no folder"):
        harness_general(model, tokenizer, ["stories"], include=include / "none")
    with pytest.raises(DataError, match=r"boolq cannot be run .* comes from the hub"):
        harness_general(model, tokenizer, ["boolq"])


@pytest.mark.parametrize("name", SETS)
def test_the_harness_has_the_sets(harness: Any, name: str) -> None:
    assert set(SETS[name]) <= set(harness.all_tasks)


def test_prompts_are_written_with_the_chat_template(shared: Path, include: Path) -> None:
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    with pytest.raises(DataError, match="has no chat template"):
        harness_general(model, tokenizer, ["stories"], include=include, chat=True)
    encoded: list[str] = []
    encode = tokenizer._encode_plus

    def note(text: Any, *args: Any, **options: Any) -> Any:
        encoded.extend([text] if isinstance(text, str) else text)
        return encode(text, *args, **options)

    tokenizer.chat_template = "{% for m in messages %}<<{{ m.content }}>>{% endfor %}"
    tokenizer._encode_plus = note
    harness_general(model, tokenizer, ["stories"], include=include, chat=True)
    assert any(text.startswith(f"<<{ITEMS[0].prompt}>>") for text in encoded)


def test_a_library_that_a_task_needs_is_named(
    shared: Path, harness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "langdetect", None)
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    with pytest.raises(DataError, match=r"ifeval .*langdetect.*lm-eval\[ifeval\]"):
        harness_general(model, tokenizer, ["ifeval"])


def test_without_the_harness_it_is_said_how_to_install_it(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    with pytest.raises(MissingExtra, match=r'pip install "fggm-lab\[harness\]"'):
        harness_general(model, tokenizer, ["boolq"])
