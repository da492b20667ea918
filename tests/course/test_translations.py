"""A notebook in another language is the English one: the same code, cell by cell, and its frame."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.course.runs import default_folder
from tests.course.test_notebooks import NOTEBOOKS, cells, prose, source
from tools.install_cell import install_cell

TRANSLATED = sorted(NOTEBOOKS.glob("*/*.ipynb"))
every_translation = pytest.mark.parametrize(
    "path", TRANSLATED, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


class WithoutTexts(ast.NodeTransformer):
    """Empties every string."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        values = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        return ast.JoinedStr([ast.FormattedValue(v.value, v.conversion) for v in values])


def code_without_texts(text: str) -> str:
    return ast.dump(WithoutTexts().visit(ast.parse(text)))


def english(path: Path) -> Path:
    return NOTEBOOKS / path.name


def test_the_first_notebook_is_there_in_german_and_chinese() -> None:
    first = next(NOTEBOOKS.glob("00_*.ipynb"))
    for language in ("de", "zh"):
        assert NOTEBOOKS / language / first.name in TRANSLATED
        assert f"]({language}/{first.name})" in source(cells(first)[0])


@every_translation
def test_the_cells_are_those_of_the_english_notebook(path: Path) -> None:
    def outline(notebook: Path) -> list[tuple[Any, ...]]:
        return [(cell["id"], cell["cell_type"], cell["metadata"]) for cell in cells(notebook)]

    assert outline(path) == outline(english(path))
    assert cells(path)[1] == install_cell()
    translated, original = (
        json.loads(notebook.read_text(encoding="utf-8")) for notebook in (path, english(path))
    )
    assert translated["metadata"] == original["metadata"]


@every_translation
def test_the_code_is_the_same_but_for_texts_and_comments(path: Path) -> None:
    for cell, original in zip(cells(path, "code"), cells(english(path), "code"), strict=True):
        assert code_without_texts(source(cell)) == code_without_texts(source(original)), cell["id"]
        assert bool(cell["outputs"]) == bool(original["outputs"]), cell["id"]
        assert max(map(len, source(cell).splitlines())) <= 100


@every_translation
def test_solutions_and_sources_are_the_same(path: Path) -> None:
    def texts(notebook: Path, pattern: str) -> list[str]:
        return re.findall(pattern, prose(notebook), re.S)

    for pattern in (r"```python\n.+?```", r"arxiv\.org/abs/[\d.]+", r"`check_\w+\.hint\(\)`"):
        assert texts(path, pattern) == texts(english(path), pattern)
    headings = r"(?:^|\n)(#+) (?=.)"
    assert texts(path, headings) == texts(english(path), headings)


@every_translation
def test_its_prose_is_translated_and_its_links_lead_somewhere(path: Path) -> None:
    originals = {source(cell) for cell in cells(english(path), "markdown")}
    assert not originals & {source(cell) for cell in cells(path, "markdown")}
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@every_translation
def test_it_reads_the_runs_of_the_english_notebook(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FGGM_LAB_COURSE_RUNS", raising=False)
    folders = []
    for folder in (path.parent, NOTEBOOKS):
        monkeypatch.chdir(folder)
        folders.append(default_folder().resolve())
    assert folders[0] == folders[1]
