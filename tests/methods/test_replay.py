"""Replay adds old examples at its ratio, the same ones in every repetition, and never new ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import Replay, TaskContext
from fggm_lab.methods.base import Memory
from fggm_lab.methods.replay import kept_examples
from fggm_lab.models.encoding import Encoded
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run, small_tasks


def after(method: Replay, tasks: int, seed: int = 0) -> Memory:
    """The memory after some tasks."""
    memory: Memory = {}
    for index in range(tasks):
        method.after_task(replace(context(small_model(), index, seed), memory=memory))
    return memory


def batches(
    method: Replay, task_context: TaskContext, size: int, steps: int
) -> list[list[Encoded]]:
    """The batches of some steps whose new examples are the task's first ones."""
    method.start(task_context)
    replayed = [
        method.batch(task_context, task_context.encoded[:size], step) for step in range(steps)
    ]
    method.finish()
    return replayed


def plain(items: Sequence[Encoded]) -> Counter[tuple[tuple[int, ...], tuple[int, ...]]]:
    return Counter((item.prompt, item.answer) for item in items)


def test_it_keeps_so_many_examples_of_each_task_whole() -> None:
    remembered = kept_examples(after(Replay(per_task=4), tasks=2))
    assert len(remembered) == 8
    for index, part in enumerate((remembered[:4], remembered[4:])):
        assert plain(part) <= plain(context(small_model(), index).encoded)
    all_of_them = kept_examples(after(Replay(per_task=99), tasks=2))  # a task has ten
    assert plain(all_of_them[:10]) == plain(context(small_model(), 0).encoded)


def test_which_are_kept_depends_on_the_seed_alone() -> None:
    memories = [after(Replay(per_task=4), tasks=2, seed=s) for s in (0, 0, 1)]
    assert kept_examples(memories[0]) == kept_examples(memories[1]) != kept_examples(memories[2])


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0, 2.75])
def test_the_ratio_holds_over_the_steps_of_a_task(ratio: float) -> None:
    task_context = replace(context(small_model(), index=2), memory=after(Replay(), tasks=2))
    batches_made = batches(Replay(ratio=ratio), task_context, size=3, steps=40)
    assert all(batch[:3] == task_context.encoded[:3] for batch in batches_made)
    old = [item for batch in batches_made for item in batch[3:]]
    assert len(old) == round(ratio * 3 * 40)
    assert plain(old).keys() <= plain(kept_examples(task_context.memory)).keys()
    assert (
        max(len(batch) for batch in batches_made) - min(len(batch) for batch in batches_made) <= 1
    )


def test_a_step_repeats_no_old_example_unless_it_must_and_all_get_their_turn() -> None:
    task_context = replace(
        context(small_model(), index=2), memory=after(Replay(per_task=5), tasks=2)
    )
    batches_made = batches(Replay(), task_context, size=8, steps=30)
    assert all(max(plain(batch[8:]).values()) == 1 for batch in batches_made)
    assert len(plain([item for batch in batches_made for item in batch[8:]])) == 10
    over = batches(Replay(ratio=2.5), task_context, size=8, steps=1)[0][8:]
    assert len(over) == 20 and set(plain(over).values()) == {2}


def test_a_steps_old_examples_depend_on_seed_task_and_step_alone() -> None:
    memory = after(Replay(), tasks=2)
    task_context = replace(context(small_model(), index=2), memory=memory)
    first, again = (batches(Replay(), task_context, 4, 5) for _ in range(2))
    assert first == again
    method = Replay()
    method.start(task_context)
    assert method.batch(task_context, task_context.encoded[:4], 3) == first[3]  # as after a resume
    method.finish()
    assert first[0][4:] != first[1][4:]
    assert batches(Replay(), replace(task_context, seed=1), 4, 1)[0] != first[0]
    assert batches(Replay(), replace(task_context, index=3), 4, 1)[0] != first[0]


@dataclass(frozen=True)
class Watched(Replay):
    """Notes what it trains on."""

    task_context: dict[int, list[Encoded]] = field(default_factory=dict, init=False, compare=False)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        changed = super().batch(context, batch, step)
        self.task_context.setdefault(context.index, []).extend(changed[len(batch) :])
        return changed


def test_in_a_run_only_former_tasks_come_back(tmp_path: Path) -> None:
    method = Watched(per_task=3, ratio=1.0)
    run = small_run(method, tmp_path / "run")
    tasks = [context(small_model(), index).encoded for index in range(len(small_tasks()))]
    assert method.task_context[0] == []
    for index in (1, 2):
        former = plain([item for task in tasks[:index] for item in task])
        assert plain(method.task_context[index]).keys() <= former.keys()
        assert len(plain(method.task_context[index])) == 3 * index
    stored = [event["stored_bytes"] for event in run.events("task")]
    assert 0 < stored[0] < stored[1] < stored[2]


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_resumed_equals_uninterrupted(tmp_path: Path, ratio: float) -> None:
    assert_resumes(Replay(per_task=4, ratio=ratio), tmp_path, family="gpt2")


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="replay with no earlier task"):
        small_run(Replay(), tmp_path / "run", tasks=small_tasks(1))
    assert not (tmp_path / "run").exists()
    with pytest.raises(SettingError, match="per_task is 0; it must be 1 or more"):
        Replay(per_task=0)
    with pytest.raises(SettingError, match=r"ratio is -0\.5; it must be 0 or more"):
        Replay(ratio=-0.5)
