"""Where masks that are compared treat the first task differently, every table says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.methods import make_method
from fggm_lab.runs import Run, RunConfig, comparison, first_task_note, over_seeds
from fggm_lab.tables import comparison_table, numbers_html
from tests.support.terminal import printed_text

MakeRun = Callable[..., Run]


def made_runs(
    tmp_path: Path, finished_run: MakeRun, *methods: tuple[str, dict[str, Any]]
) -> list[Run]:
    return [
        finished_run(
            tmp_path / str(number),
            method=name,
            method_settings=make_method(name, **settings).settings,
        )
        for number, (name, settings) in enumerate(methods)
    ]


def test_methods_that_differ_in_it_are_named_below_every_table(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    names = ("sft", "migu", "fggm", "random", "replay+fggm", "lwf")
    runs = made_runs(tmp_path, finished_run, *((name, {}) for name in names))
    note = "first task masked: fggm, random, replay+fggm; not: migu"
    for rows in (comparison(runs), over_seeds(comparison(runs))):
        assert first_task_note(rows) == note
        assert " ".join(printed_text(comparison_table(rows)).split()).count(note) == 1
        assert numbers_html("runs", rows).count(note) == 1
    assert note in " ".join(printed_text(comparison_table(comparison(runs)), width=50).split())
    assert note in comparison(runs)._repr_html_()
    assert [row["first_task_masked"] for row in comparison(runs)] == [
        None, False, True, True, True, None,
    ]  # fmt: skip


def test_methods_that_are_alike_need_no_line(tmp_path: Path, finished_run: MakeRun) -> None:
    alike = made_runs(
        tmp_path, finished_run, ("sft", {}), ("migu", {"first_task": True}), ("fggm", {})
    )
    assert first_task_note(comparison(alike)) is None
    assert "first task" not in printed_text(comparison_table(comparison(alike)))
    assert first_task_note(comparison(alike[:1])) is None


def test_both_variants_of_a_method_are_told_apart(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = made_runs(
        tmp_path,
        finished_run,
        ("fggm", {"keep": 0.2}),
        ("fggm", {"first_task": False, "keep": 0.2}),
        ("migu", {}),
    )
    assert first_task_note(comparison(runs)) == (
        "first task masked: fggm (first_task=True); not: fggm (first_task=False), migu"
    )


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"keep": 0.3, "first_task": False}, False),
        ({"lora": {"rank": 8}, "fggm": {"keep": 0.3, "first_task": True}}, True),
        ({"weight": 1.0, "first_task": True}, None),  # distils, and masks nothing
        ({"keep": 0.3}, None),
        ({}, None),
    ],
)
def test_it_is_read_off_the_settings_of_the_part_that_masks(
    config: Callable[..., RunConfig], settings: dict[str, Any], expected: bool | None
) -> None:
    assert config(method="mine", method_settings=settings).first_task_masked is expected
