"""The report is one file with the table, the figures and the matrices; it escapes names."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fggm_lab.errors import LabError, RunError
from fggm_lab.report import write_report
from fggm_lab.report.page import report_html
from fggm_lab.runs import METRICS, Run, comparison
from tests.plots.conftest import four_runs as four_runs
from tests.plots.made import TASKS, made_run


class Page(HTMLParser):
    """What a reader finds in the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style") and data.strip():
            self.text.append(data.strip())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def html(four_runs: list[Run]) -> str:
    return report_html(four_runs)


def test_the_table_holds_the_comparison(html: str, four_runs: list[Run]) -> None:
    cells = Page(html).text
    for row in comparison(four_runs):
        for key in ("general_before", "general_after", *METRICS):
            assert f"{row[key]:.3f}" in cells
        assert row["method"] in cells and f"{row['seconds']:.0f}" in cells


def test_every_metric_is_defined_with_its_source(html: str) -> None:
    text = " ".join(Page(html).text)
    for metric in METRICS.values():
        assert metric.definition in text and metric.source in text


def test_the_three_figures_are_there_with_captions_and_words(html: str) -> None:
    page = Page(html)
    keys = [attrs["data-figure"] for attrs in page.named("div") if "data-figure" in attrs]
    assert keys == ["forgetting", "spectra", "overlap"]
    for key in keys:
        found = re.search(rf'id="{key}-0">(.*?)</script>', html, re.S)
        assert found and json.loads(found[1])["data"]
    assert len(page.named("figcaption")) == 3


def test_the_matrices_hold_every_score(html: str, four_runs: list[Run]) -> None:
    cells = Page(html).text
    for run in four_runs:
        assert run.scores is not None
        for row in [*run.scores.matrix, run.scores.untrained]:
            assert all(f"{value:.3f}" in cells for value in row)


def test_nothing_is_fetched(html: str) -> None:
    page = Page(html)
    assert not page.named("link") and not page.named("img")
    assert all("src" not in attrs for attrs in page.named("script"))
    assert html.count("plotly.js v") == 1


def test_tables_and_headings_are_marked_up(html: str) -> None:
    page = Page(html)
    assert len(page.named("h1")) == 1
    assert all(attrs.get("scope") in ("row", "col") for attrs in page.named("th"))
    assert page.named("html")[0]["lang"] == "en"
    assert len(page.named("caption")) == len(page.named("table"))


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><b>&"
    run = made_run(tmp_path, "fggm", [evil, "FOMC"], model=evil)
    html = report_html([run])
    assert "<script>alert" not in html and "<b>&<" not in html
    assert evil in " ".join(Page(html).text)


def test_runs_without_scores_or_masks_say_so(tmp_path: Path) -> None:
    html = report_html([made_run(tmp_path, "sft")])
    assert "None of these runs kept Fisher scores" in html
    assert "None of these runs kept the masks" in html


def test_a_run_still_being_written_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=1)
    text = " ".join(Page(report_html([run])).text)
    assert "Still unfinished: fggm" in text


def test_a_run_that_has_only_begun_is_reported(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=0)
    (run.path / "events.jsonl").unlink()
    (run.path / "scores.json").unlink()
    assert "nothing measured yet" in report_html([run])


def test_seeds_are_averaged_and_each_shown(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), "sft", TASKS[:2], seed=seed) for seed in (1, 2)]
    text = Page(report_html(runs)).text
    assert any("±" in cell for cell in text)
    assert "Mean ± sample standard deviation over seeds" in text


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path, four_runs: list[Run]) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(four_runs[:1], path)
    before = path.read_text(encoding="utf-8")
    assert before.startswith("<!DOCTYPE html>") and before.rstrip().endswith("</html>")
    with pytest.raises(RunError):
        write_report([], path)
    assert path.read_text(encoding="utf-8") == before
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(LabError, match="cannot write"):
        write_report(four_runs[:1], blocked / "report.html")


def test_runs_over_other_tasks_are_refused(tmp_path: Path) -> None:
    runs = [made_run(tmp_path, "sft", TASKS[:2]), made_run(tmp_path, "fggm", TASKS[:3])]
    with pytest.raises(RunError, match="cannot be compared"):
        report_html(runs)
