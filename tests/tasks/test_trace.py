"""TRACE as published: variants, official orders, what is missing, what lies beside the tasks."""

import shutil
from pathlib import Path

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import ORDERS, TRACE_ORDER, load_tasks
from tests.support.task_folders import write_task

SECOND = "NumGLUE-cm NumGLUE-ds FOMC 20Minuten C-STANCE Py150 MeetingBank ScienceQA"


def write_trace(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """A folder as the release has them: eight tasks, Lima, and what macOS leaves behind."""
    for name in (*TRACE_ORDER, "Lima"):
        if name not in without:
            write_task(folder / name, train=[{"prompt": folder.name, "answer": name}])
    if (folder / "20Minuten").exists():
        (folder / "20Minuten" / "eval.json").unlink()  # as in the 500 variant
    write_task(folder / "__MACOSX" / "FOMC")
    (folder / ".DS_Store").write_bytes(b"\0")
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The archive, unpacked: four variants under one folder."""
    for variant in ("500", "1000", "5000", "Reasoning"):
        write_trace(tmp_path / "TRACE-Benchmark" / f"LLM-CL-Benchmark_{variant}")
    (tmp_path / "__MACOSX" / "TRACE-Benchmark").mkdir(parents=True)
    return tmp_path / "TRACE-Benchmark"


@pytest.mark.parametrize("variant", [500, "1000", "5000", "Reasoning", "reasoning"])
def test_a_variant_is_found_from_every_folder_above_it(release: Path, variant: str | int) -> None:
    named = "Reasoning" if variant == "reasoning" else variant
    variant_folder = release / f"LLM-CL-Benchmark_{named}"
    for folder in (release.parent, release, variant_folder):
        tasks = load_tasks(folder, variant=variant)
        assert tasks.names == list(TRACE_ORDER)
        assert {task.train[0].prompt for task in tasks} == {variant_folder.name}
        assert tasks.source == str(variant_folder)
    assert load_tasks(variant_folder).names == list(TRACE_ORDER)
    assert load_tasks(variant_folder)["20Minuten"].eval == ()


def test_an_unnamed_or_unknown_variant_lists_those_present(release: Path) -> None:
    with pytest.raises(DataError, match=r"the variants 500, 1000, 5000, Reasoning of TRACE; choos"):
        load_tasks(release)
    with pytest.raises(SettingError, match=r"no variant 50; there are: 500, 1000, .*mean '500'\?$"):
        load_tasks(release, variant=50)
    with pytest.raises(SettingError, match=r"has no variant 500; there are: Reasoning"):
        load_tasks(release / "LLM-CL-Benchmark_Reasoning", variant=500)
    shutil.rmtree(release / "LLM-CL-Benchmark_500")
    with pytest.raises(SettingError, match=r"there are: 1000, 5000, Reasoning"):
        load_tasks(release, variant=500)


def test_the_only_variant_needs_no_name(tmp_path: Path) -> None:
    write_trace(tmp_path / "LLM-CL-Benchmark_1000")
    assert load_tasks(tmp_path).names == list(TRACE_ORDER)


def test_a_folder_without_variants_has_none_to_choose(tmp_path: Path) -> None:
    write_task(tmp_path / "T")
    with pytest.raises(SettingError, match=r"variant is 500, but .* holds no folder LLM-CL-Bench"):
        load_tasks(tmp_path, variant=500)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        load_tasks(tmp_path / "nowhere")


def test_both_official_orders_by_name(release: Path) -> None:
    first = load_tasks(release, order="trace-1", variant=500)
    second = load_tasks(release, order="trace-2", variant=500)
    assert first.names == list(TRACE_ORDER)
    assert second.names == SECOND.split()
    assert sorted(ORDERS["trace-2"]) == sorted(TRACE_ORDER)
    assert load_tasks(release, order="Py150, FOMC", variant=500).names == ["Py150", "FOMC"]


def test_limas_examples_are_read_where_they_are_asked_for(release: Path) -> None:
    assert load_tasks(release, order=["Lima", "FOMC"], variant=500).names == ["Lima", "FOMC"]
    assert load_tasks(release / "LLM-CL-Benchmark_500" / "Lima").names == ["Lima"]


def test_an_unknown_task_suggests_the_nearest(release: Path) -> None:
    with pytest.raises(DataError, match=r"no task is named 'C-Stance' .*did you mean 'C-STANCE'\?"):
        load_tasks(release, order=["FOMC", "C-Stance"], variant=500)


GAPS = ("FOMC", "NumGLUE-ds")


@pytest.mark.parametrize("order", [None, "trace-1", "trace-2"])
@pytest.mark.parametrize("name", ["LLM-CL-Benchmark_500", "mine"])
def test_missing_tasks_are_named_and_gone_on_without_when_allowed(
    tmp_path: Path, name: str, order: str | None
) -> None:
    folder = write_trace(tmp_path / name, without=GAPS)
    with pytest.raises(DataError, match=r"lacks 2 of TRACE's eight tasks: FOMC, NumGLUE-ds; "):
        load_tasks(folder, order=order)
    names = load_tasks(folder, order=order, allow_missing=True).names
    full_order = ORDERS[order] if order else TRACE_ORDER
    assert names == [task for task in full_order if task not in GAPS]
    assert load_tasks(folder, order=["Py150", "C-STANCE"]).names == ["Py150", "C-STANCE"]


def test_tasks_of_ones_own_choice_are_no_incomplete_trace(tmp_path: Path, shared: Path) -> None:
    for name in TRACE_ORDER[:5]:
        write_task(tmp_path / "mixed" / name)
    write_task(tmp_path / "mixed" / "mine")
    assert load_tasks(tmp_path / "mixed").names == [*TRACE_ORDER[:5], "mine"]
    assert len(load_tasks(shared / "trace")) == 3
    missing = "C-STANCE, FOMC, MeetingBank, ScienceQA, 20Minuten"
    with pytest.raises(DataError, match=rf"lacks 5 of TRACE's eight tasks: {missing};"):
        load_tasks(shared / "trace", order="trace-1")


def test_a_release_task_may_lack_only_its_eval_split(tmp_path: Path) -> None:
    folder = write_trace(tmp_path / "LLM-CL-Benchmark_500")
    (folder / "FOMC" / "test.json").unlink()
    with pytest.raises(DataError, match=r"FOMC has no test\.json"):
        load_tasks(folder)
    assert load_tasks(folder, order=["Py150"])["Py150"].eval[0].prompt == "p1"
