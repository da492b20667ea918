"""The shipped sequence: eight tasks in TRACE's order, reproducible to the byte, without leaks."""

import importlib.util
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from fggm_lab.tasks import TRACE_ORDER, audit, load_general, load_tasks
from fggm_lab.tasks.shipped import data_folder
from fggm_lab.tasks.trace_mini import FAMILIES, SKILLS, general_splits, pretraining_example

DATA = data_folder()


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generator_writes_the_shipped_bytes(tmp_path: Path) -> None:
    _script("make_tasks").make(tmp_path)
    generated = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*.json"))
    shipped = sorted(
        p.relative_to(DATA)
        for folder in ("trace-mini", "general")
        for p in (DATA / folder).rglob("*.json")
    )
    assert generated == shipped
    assert len(generated) == 8 * 3 + len(SKILLS) * 2
    for path in generated:
        assert (tmp_path / path).read_bytes() == (DATA / path).read_bytes(), path


def test_eight_clean_tasks_in_traces_order() -> None:
    tasks = load_tasks("trace-mini")
    assert tasks.names == list(TRACE_ORDER) == list(FAMILIES)
    assert audit(tasks).clean
    for task in tasks:
        prompts = [e.prompt for split in (task.train, task.eval, task.test) for e in split]
        assert len(set(prompts)) == len(prompts) == 804


def test_pretraining_never_sees_a_held_out_prompt() -> None:
    held_out = {
        e.prompt for splits in general_splits().values() for rows in splits.values() for e in rows
    }
    shipped = {
        e.prompt
        for split in ("eval", "test")
        for rows in load_general("trace-mini", split=split).skills.values()
        for e in rows
    }
    assert held_out == shipped
    rng = Random(3)
    prompts = {pretraining_example(rng, held_out).prompt for _ in range(5000)}
    assert not prompts & held_out
    assert not prompts & {e.prompt for task in load_tasks("trace-mini") for e in task.test}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_halves_of_a_family_share_the_form_but_not_the_words(name: str) -> None:
    rng = Random(name)
    known_prompts = [FAMILIES[name].draw(rng, "known").prompt for _ in range(400)]
    new = [FAMILIES[name].draw(rng, "new").prompt for _ in range(400)]
    words = [{w for prompt in half for w in prompt.split()} for half in (known_prompts, new)]
    assert words[0] & words[1]
    assert len(words[1] - words[0]) >= 8
