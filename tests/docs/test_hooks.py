"""What the documentation's own code does to pages, on small ones made here."""

import re
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import plotly.io as pio
import pytest
from mkdocs.exceptions import PluginError

import fggm_lab as lab
from fggm_lab.runs import NUMBERS
from fggm_lab.runs.events import EVENT_TYPES
from tests.support.pages import ROOT
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
    assert relinked("[its speed](../README.md#speed-and-memory)", "results.md") == "its speed"
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


def test_a_notebooks_figures_are_kept_for_its_page_until_their_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    from course import stored_pictures
    from make_course_pictures import keep_pictures

    figure = lab.plots.drift_curve([{"after": "FOMC", "drift": 0.2, "sd": 0.1}], "FOMC")
    outputs: list[Any] = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda bundle, raw: outputs.append(nbformat.v4.new_output("display_data", bundle)),
    )
    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")
    figure._ipython_display_()
    cells = [nbformat.v4.new_code_cell(source, outputs=outputs * n)
             for source, n in (("draw()", 2), ("1 + 1", 0))]  # fmt: skip
    assert keep_pictures(nbformat.v4.new_notebook(cells=cells), tmp_path / "00_a") == 2
    stored = stored_pictures("00_a", "../pictures/00_a", tmp_path)
    assert list(stored) == ["draw()"]
    assert stored["draw()"].count(escape(lab.plots.caption_of(figure))) == 2
    files = re.findall(r"../pictures/00_a/([^\"]+\.svg)", stored["draw()"])
    assert len(files) == 2
    assert all(ElementTree.parse(tmp_path / "00_a" / file) for file in files)
    assert stored_pictures("01_b", "../pictures/01_b", tmp_path) == {}


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


def test_links_that_lead_nowhere_are_found() -> None:
    from links import dead_links

    pages = {
        "index.html": '<h2 id="here">x</h2><a href="a/b.html#there">1</a><a href="#here">2</a>'
        '<a class="x" href="https://example.org/#y">3</a><img src="p.svg"><a href=".">4</a>',
        "a/b.html": '<a id="there"></a><a href="../index.html#gone">1</a>'
        '<a href="b.html#there">2</a><script src="../nowhere.js?v=1"></script>'
        '<a href="../p%2Esvg">3</a><a href="#">4</a>',
    }
    dead = ["a/b.html: ../index.html#gone", "a/b.html: ../nowhere.js?v=1"]
    assert dead_links(pages, {*pages, "p.svg"}) == dead


LINES = """# Gallery

<!-- thumbnails -->

```python
import fggm_lab as lab
rows = [{"after": None, "drift": 0.8, "sd": 0.1}, {"after": "FOMC", "drift": 0.0, "sd": 0.1}]
```

```python
lab.plots.drift_curve(rows, "FOMC")
```
"""


def test_a_line_of_the_gallery_is_run_and_has_its_picture_and_thumbnail() -> None:
    from gallery import drawn, with_pictures

    pictures = drawn(LINES)
    assert list(pictures) == ["drift_curve"]
    page = with_pictures(LINES, pictures)
    assert page.count('src="figures/drift_curve.svg"') == 2 and 'href="#drift_curve"' in page
    assert (
        pictures["drift_curve"].svg.startswith("<svg")
        and escape(pictures["drift_curve"].caption) in page
    )
    assert "```python\nlab.plots.drift_curve" in page


def test_a_line_of_the_gallery_that_fails_is_shown() -> None:
    from gallery import drawn

    with pytest.raises(PluginError, match="NameError"):
        drawn("```python\nlab.plots.drift_curve(nothing_there)\n```")


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
