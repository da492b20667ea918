"""The course keeps its form: goals, predictions, exercises that check themselves, sources."""

import ast
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement

from fggm_lab import project
from tools.install_cell import EXTRAS, IDENTIFIER, install_cell

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
PAGES = sorted(NOTEBOOKS.glob("*.md"))
MAX_LINES = 25
MAX_BYTES = 100_000
"""The size of a stored notebook: figures and widgets are drawn again, not stored."""

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    all_cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in all_cells if kind in (None, cell["cell_type"])]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def prose(path: Path) -> str:
    return "\n\n".join(source(cell) for cell in cells(path, "markdown"))


def test_the_course_is_numbered_from_zero_without_a_gap() -> None:
    numbers = [path.name.split("_")[0] for path in PATHS]
    assert numbers == [f"{number:02d}" for number in range(len(PATHS))]


@every_notebook
def test_goals_come_first_then_predictions_and_at_the_end_sources(path: Path) -> None:
    first = source(cells(path)[0])
    assert re.match(rf"# {path.name[:2]} · ", first), "the heading carries the number"
    goals = first.partition("**When you are done you can**")[2]
    assert len(re.findall(r"^- ", goals, re.M)) >= 3, "at least three goals"
    assert re.search(r"\bPredict\b", prose(path)), "a prediction is asked for"
    reading = prose(path).partition("## Further reading")[2]
    assert len(re.findall(r"^- .", reading, re.M)) >= 2, "further reading"


@every_notebook
def test_a_prediction_is_asked_for_before_the_first_figure(path: Path) -> None:
    indices = {
        kind: [
            index
            for index, cell in enumerate(cells(path))
            if re.search(pattern, source(cell), re.M)
        ]
        for kind, pattern in {
            "predict": r"\bPredict\b",
            "figure": r"^lab\.(plots\.(?!desc)\w+|explore|compare)\(|= lab\.plots\.(?!desc)\w+\(",
        }.items()
    }
    assert indices["figure"], "a notebook has a picture"
    assert min(indices["predict"]) < min(indices["figure"])


@every_notebook
def test_three_exercises_each_with_a_folded_solution_and_a_check(path: Path) -> None:
    text = prose(path)
    exercises = re.findall(r"\*\*Exercise ([a-z])\b", text)
    assert exercises == sorted(set(exercises)) and len(exercises) >= 3
    folded = re.findall(r"<details>\s*<summary>.+?</summary>\n\n.+?</details>", text, re.S)
    assert text.count("<details>") == len(folded), "a fold needs a summary and a blank line"
    assert len(folded) >= len(exercises)
    code = "\n".join(source(cell) for cell in cells(path, "code"))
    assert len(set(re.findall(r"print\((check_\w+)\(", code))) >= 3


@every_notebook
def test_a_check_is_shown_with_what_it_says_of_the_unfinished_answer(path: Path) -> None:
    outputs = [
        "".join(text for output in cell["outputs"] for text in output["text"])
        for cell in cells(path, "code")
        if re.search(r"^print\(check_", source(cell), re.M)
    ]
    assert sum("Not yet" in text for text in outputs) >= 3


@every_notebook
def test_folded_solutions_pass_their_checks(path: Path) -> None:
    checks: dict[str, str] = {}
    for cell in cells(path):
        if cell["cell_type"] == "code":
            for check, answer in re.findall(r"^print\((check_\w+)\((\w+)\)\)", source(cell), re.M):
                checks[answer] = check
            continue
        for fold in re.findall(r"<details>.+?</details>", source(cell), re.S):
            for block in re.findall(r"^```python\n(.+?)^```", fold, re.M | re.S):
                names = re.findall(r"^def (\w+)", block, re.M)
                for name in set(names) & checks.keys():
                    scope: dict[str, Any] = {"math": math}
                    exec(imports(path), scope)
                    exec(block, scope)
                    message = scope[checks[name]](scope[name])
                    assert message.startswith("Right"), (name, message)


def imports(path: Path) -> str:
    """The notebook's import statements, which its solutions may need."""
    nodes = [
        node
        for cell in cells(path, "code")
        for node in compile(
            source(cell), "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        ).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return "\n".join(ast.unparse(node) for node in nodes)


@every_notebook
def test_cells_are_short_and_parse(path: Path) -> None:
    for cell in cells(path, "code"):
        assert len(source(cell).splitlines()) <= MAX_LINES, cell["id"]
        assert max(map(len, source(cell).splitlines())) <= 100, cell["id"]
        compile(source(cell), cell["id"], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@every_notebook
def test_only_deterministic_text_is_stored(path: Path) -> None:
    for cell in cells(path, "code"):
        if source(cell).startswith("# NBVAL_IGNORE_OUTPUT"):
            assert cell["outputs"] == [], cell["id"]
        for output in cell["outputs"]:
            assert (output["output_type"], output["name"]) == ("stream", "stdout"), cell["id"]
    assert path.stat().st_size < MAX_BYTES


@every_notebook
def test_every_cell_has_a_stable_name_and_nothing_of_this_machine(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    others = [cell for cell in notebook["cells"] if cell["id"] != IDENTIFIER]
    assert all(cell["metadata"] == {} for cell in others)
    assert notebook["metadata"] == {
        "kernelspec": {
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }


@every_notebook
def test_the_first_code_cell_installs_the_lab_where_it_is_missing(path: Path) -> None:
    assert cells(path)[1] == install_cell(), "python -m tools.install_cell writes it"
    assert sum("pip" in source(cell) for cell in cells(path, "code")) == 1


@pytest.mark.parametrize("missing", [True, False])
def test_the_first_code_cell_installs_the_course_s_extras_or_does_nothing(
    missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda *call: calls.append(call))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if missing else object())
    exec(source(install_cell()), {"get_ipython": lambda: shell})
    assert len(calls) == missing
    for magic, line in calls:
        requirement = Requirement(line.removeprefix("install --quiet "))
        assert magic == "pip" and requirement.name == project.NAME
        assert requirement.extras == set(EXTRAS) <= project.requirements().keys()


@pytest.mark.parametrize("path", [*PATHS, *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    text = prose(path) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#")):
            assert (path.parent / target.partition("#")[0]).exists(), target
    for written, linked in re.findall(r"\[arXiv (\d{4}\.\d{5})\]\(([^)]+)\)", text):
        assert linked == f"https://arxiv.org/abs/{written}"


@pytest.mark.parametrize("page", ["README.md", "TEACHING.md"])
def test_the_map_and_the_teachers_page_know_every_notebook(page: str) -> None:
    text = (NOTEBOOKS / page).read_text(encoding="utf-8")
    assert [path.name for path in PATHS if f"]({path.name})" not in text] == []
