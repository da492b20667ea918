"""A shared result is one page that stands alone and says what its author says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab.course.exercises.overlap import check_chance_overlap
from fggm_lab.course.progress import VARIABLE
from fggm_lab.errors import SettingError
from fggm_lab.runs import Run
from tests.support.made_runs import config, finished_run

__all__ = ["config", "finished_run"]
MakeRun = Callable[..., Run]


@pytest.fixture
def page(finished_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page of two methods, by a participant who has solved an exercise."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "anna" / "progress.json"))
    (tmp_path / "anna").mkdir()
    check_chance_overlap(lambda p: p / (2 - p))
    runs = [finished_run(tmp_path / name, method=name) for name in ("sft", "random")]
    path = lab.share_result(
        runs, tmp_path / "page.html", "sft < random", author="Anna & Ben", prediction="the reverse"
    )
    return path.read_text(encoding="utf-8")


def test_it_has_the_sentence_the_numbers_the_pictures_and_the_exercises(page: str) -> None:
    assert "<h1>sft &lt; random</h1>" in page and "Anna &amp; Ben" in page
    assert "the reverse" in page
    assert page.count('<img src="data:image/svg+xml') == 2
    assert re.search("anna: 1 of 3 exercises right", page)


def test_it_asks_nobody_for_anything(page: str) -> None:
    assert "<script" not in page and not re.search(r'(?:src|href)="(?!data:)', page)
    assert len(page) < 300_000


def test_a_result_without_a_sentence_is_none(finished_run: MakeRun, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    with pytest.raises(SettingError, match="sentence of your own"):
        lab.share_result(run, tmp_path / "page.html", " ")
    assert not (tmp_path / "page.html").exists()
