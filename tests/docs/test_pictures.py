"""The README's pictures: there, transparent, and drawn from runs by `make pictures`."""

import re
from pathlib import Path

import pytest

import fggm_lab as lab
from tests.support.pages import PAGES, ROOT
from tests.support.records import made_run


def pictures_of(page: Path) -> list[Path]:
    """The files a page shows."""
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    return [page.parent / target for target in shown if not target.startswith("https://")]


@pytest.mark.parametrize("page", [page for page in PAGES if pictures_of(page)], ids=str)
def test_pictures_are_there_and_transparent(page: Path) -> None:
    for picture in pictures_of(page):
        head = picture.read_bytes()[:26]
        assert head[1:4] == b"PNG" and head[25] == 6, f"{picture.name}: not red, green, blue, alpha"
        assert int.from_bytes(head[16:20], "big") >= 1600  # sharp at two pixels a point


def test_the_readme_shows_the_pictures_that_the_script_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_pictures import pictures

    for method in ("random", "fggm", "sft"):
        made_run(tmp_path, method)
    drawn = pictures(tmp_path)
    assert {ROOT / "docs" / name for name in drawn} == set(pictures_of(ROOT / "README.md"))
    for figure in drawn.values():
        assert figure.layout.width and not figure.layout.updatemenus and not figure.layout.sliders
        assert lab.plots.caption_of(figure)
    panels = [note.text for note in drawn["forgetting.png"].layout.annotations]
    order = [name for text in panels for name in ("sft", "fggm", "random") if name in text]
    assert order == ["sft", "fggm", "random"]
