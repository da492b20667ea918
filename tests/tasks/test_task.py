"""Tasks and sequences: names, splits and limits behave as a user expects."""

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import Example, Task, TaskSequence


def task(name: str, n: int = 3) -> Task:
    examples = tuple(Example(f"{name} {i}", str(i)) for i in range(n))
    return Task(name, train=examples, eval=examples[:2], test=examples[:1])


def test_a_sequence_is_indexed_by_place_name_and_slice() -> None:
    tasks = TaskSequence([task("A"), task("B"), task("C")], "here")
    assert tasks.names == ["A", "B", "C"] == [t.name for t in tasks]
    assert tasks["B"] is tasks[1]
    assert isinstance(tasks[1:], TaskSequence)
    assert tasks[1:].names == ["B", "C"]
    assert tasks[-1].name == "C"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"no task is named 'X' in here; there are: A, B"):
        TaskSequence([task("A"), task("B")], "here")["X"]


def test_sequences_without_tasks_or_with_a_name_twice_are_refused() -> None:
    with pytest.raises(DataError, match=r"here holds no task"):
        TaskSequence([], "here")
    with pytest.raises(DataError, match=r"names a task twice: A, A"):
        TaskSequence([task("A"), task("A")], "here")


def test_splits_are_found_by_name_only() -> None:
    assert task("A").split("eval") == task("A").eval
    with pytest.raises(SettingError, match=r"no split is named 'dev'"):
        task("A").split("dev")


def test_a_limit_keeps_the_first_examples_of_every_split() -> None:
    limited = TaskSequence([task("A", 5)], "here").limited(2)["A"]
    assert [len(limited.train), len(limited.eval), len(limited.test)] == [2, 2, 1]
    assert limited.train == task("A", 5).train[:2]
    with pytest.raises(SettingError, match=r"limit is 0"):
        task("A").limited(0)


def test_a_limit_can_be_that_of_one_split() -> None:
    limited = TaskSequence([task("A", 5)], "here").limited(1, ["test"])["A"]
    assert (limited.train, limited.eval) == (task("A", 5).train, task("A", 5).eval)
    assert limited.test == task("A", 5).test[:1]


@pytest.mark.parametrize("name", ["n" * 215, "ü" * 101])
def test_names_longer_than_a_file_may_have_are_refused(name: str) -> None:
    with pytest.raises(DataError, match=r"has 2\d\d bytes, .*; rename the task to 200"):
        task(name)
    assert task("ü" * 100).name == "ü" * 100


def test_names_that_are_no_utf8_are_refused_and_shown_escaped() -> None:
    with pytest.raises(DataError, match=r"the task name 'caf\\udce9' is not UTF-8"):
        task("caf\udce9")
