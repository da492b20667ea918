"""What the documentation's own code does to pages, on small ones made here."""

from pathlib import Path

import nbformat
import pytest

from fggm_lab.runs import NUMBERS
from fggm_lab.runs.events import EVENT_TYPES
from tools.install_cell import install_cell

pytestmark = pytest.mark.usefixtures("hooks")


def test_links_of_the_repository_become_links_of_the_site() -> None:
    from places import relinked

    text = "[map](../../notebooks/README.md#top), [ci](../ci.md), ![p](../forgetting.png)"
    assert relinked(text, "howto/teacher.md") == (
        "[map](../course/index.md#top), [ci](../ci.md), ![p](../forgetting.png)"
    )
    assert relinked("[home](../README.md)", "course/index.md") == "[home](../index.md)"
    assert relinked("[first](00_forgetting_and_fggm.ipynb)", "course/index.md") == (
        "[first](00_forgetting_and_fggm.md)"
    )


def test_links_that_the_site_cannot_follow() -> None:
    from places import relinked

    assert relinked("[bench](../benchmarks/README.md)", "index.md") == "bench"
    text = "[x](nowhere.md) [y](https://example.org/a.md)"
    assert relinked(text, "index.md") == text


def test_a_notebook_becomes_prose_code_and_text_results(tmp_path: Path) -> None:
    from course import as_markdown

    text = nbformat.v4.new_output("stream", name="stdout", text="3\n")
    figure = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    fold = "<details><summary>A solution</summary>\n\n`3`\n</details>"
    cells = [
        nbformat.v4.new_markdown_cell("# 00 · Adding\n\nGoals."),
        nbformat.from_dict(install_cell()),
        nbformat.v4.new_code_cell("# NBVAL_IGNORE_OUTPUT\nprint(1 + 2)", outputs=[text, figure]),
        nbformat.v4.new_markdown_cell(fold),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_adding.ipynb")
    title, _, note, rest = as_markdown(tmp_path / "00_adding.ipynb").split("\n", 3)
    assert title == "# 00 · Adding"
    assert 'href="00_adding.ipynb" download' in note
    assert rest.split("\n\n") == [
        "", "Goals.", "````python\nprint(1 + 2)\n````", "````text\n3\n````",
        '<details markdown="1"><summary>A solution</summary>', "`3`\n</details>",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("Run.open", "fggm_lab.runs.run.Run.open"),
        ("lab.fisher_scores(model, …)", "fggm_lab.fisher.scoring.fisher_scores"),
        ("lab.plots.mask_overlap", "fggm_lab.plots.mask_overlap.mask_overlap"),
        ("lab.audit", "fggm_lab.tasks.audit.audit"),
        ("ESTIMATORS", "fggm_lab.fisher.ESTIMATORS"),
        ("fggm-lab run --resume", "fggm-lab-run"),
        ("audit", None),  # a word
        ("keep=0.3", None),
        ("nothing_of_ours", None),
    ],
)
def test_what_a_piece_of_code_names(code: str, meant: str | None) -> None:
    from names import identifier

    assert identifier(code) == meant


def test_a_name_of_two_rooms_means_the_pages_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import names

    rooms = ("tasks", "runs")
    monkeypatch.setattr(names, "public", lambda room: ("Record",) if room in rooms else ())
    monkeypatch.setattr(names, "path_of", lambda room, name: f"fggm_lab.{room}.{name}")
    assert names.identifier("Record") is None
    assert names.identifier("Record", own_room="runs") == "fggm_lab.runs.Record"


def test_code_is_linked_but_not_inside_links_headings_and_blocks() -> None:
    from names import linked

    unchanged = (
        "<pre><code>Run.open</code></pre><a href='x'><code>Run</code></a><h2><code>Run</code></h2>"
    )
    assert linked(unchanged) == unchanged
    assert linked("<p><code>Run</code></p>") == (
        '<p><autoref identifier="fggm_lab.runs.run.Run" optional><code>Run</code></autoref></p>'
    )


def test_formulas_become_mathml() -> None:
    from formulas import with_formulas

    page = with_formulas(r'a <span class="arithmatex">\(x &lt; \mathbb E\)</span> b')
    assert page.startswith("a <math") and page.endswith("</math> b")
    assert "𝔼" in page and "arithmatex" not in page
    assert "ℝ" in with_formulas(r'<div class="arithmatex">\[\mathbb R\]</div>')


def test_a_docstring_that_begins_with_its_arguments_is_indented() -> None:
    from docstrings import mended

    assert mended("Args:\na: one\n    more.\nb: two.\n\nRaises:\n    E: bad.") == (
        "Args:\n    a: one\n        more.\n    b: two.\n\nRaises:\n    E: bad."
    )
    for sound in ("Text.\n\nArgs:\n    a: one.", "Args:\n    a: one.", "Text."):
        assert mended(sound) == sound


def test_every_event_and_every_field_is_documented() -> None:
    from tables import events

    page = events()
    for kind, event in EVENT_TYPES.items():
        section = page.partition(f"## {kind}\n")[2].partition("\n#")[0]
        assert section
        for name in event.__annotations__:
            assert f"| `{name}` |" in section


def test_every_number_of_a_run_is_documented() -> None:
    from tables import numbers

    for key, number in NUMBERS.items():
        assert f"| `{key}` | {number.label} | {number.definition} |" in numbers()


def test_tables_escape_what_would_end_a_cell() -> None:
    from tables import table

    assert table(["a"], [["x | y"]]) == "| a |\n| --- |\n| x \\| y |"
