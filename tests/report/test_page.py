"""The report is one file with the table, the figures and the matrices; it escapes names."""

import base64
import gzip
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from fggm_lab.errors import LabError, RunError
from fggm_lab.plots import drift_against_fisher, fisher_spectra
from fggm_lab.plots.finish import finish
from fggm_lab.report import write_report
from fggm_lab.report.block import Variant
from fggm_lab.report.page import report_html
from fggm_lab.runs import NUMBERS, Run, comparison
from tests.support.records import TASKS, made_run, made_scores, with_costs


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


def test_each_file_of_a_run_is_parsed_once_per_report(
    four_runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    read_bytes, read_text = Path.read_bytes, Path.read_text

    def counted_bytes(path: Path) -> bytes:
        read[path.name] += 1
        return read_bytes(path)

    def counted_text(path: Path, *args: Any, **more: Any) -> str:
        read[path.name] += 1
        return read_text(path, *args, **more)

    monkeypatch.setattr(Path, "read_bytes", counted_bytes)
    monkeypatch.setattr(Path, "read_text", counted_text)
    report_html([Run.open(run.path) for run in four_runs])
    assert {name: read[name] for name in ("config.json", "events.jsonl", "scores.json")} == {
        "config.json": 4, "events.jsonl": 4, "scores.json": 4,
    }  # fmt: skip


def test_the_table_holds_the_comparison(html: str, four_runs: list[Run]) -> None:
    cells = Page(html).text
    (same,) = (text for text in cells if text.startswith("The same in every row: "))
    rows = comparison(four_runs)
    for row in rows:
        for key, number in NUMBERS.items():
            text = number.text(row[key])
            if len({number.text(other[key]) for other in rows}) > 1:
                assert text in cells and number.label not in same
            else:
                assert f"{number.label} {text}" in same
        assert row["method"] in cells and f"{row['op_final']:.3f}" in cells


def test_every_metric_is_defined_with_its_source(html: str) -> None:
    text = " ".join(Page(html).text)
    for number in NUMBERS.values():
        assert number.definition in text and (number.source or "") in text


FIGURES = ["forgetting", "plane", "paired", "cost", "spectra", "lorenz", "overlap", "depth",
           "shared", "union", "drift"]  # fmt: skip


def stored(html: str, key: str, variant: int = 0) -> dict[str, Any]:
    """A figure as the page holds it."""
    match = re.search(rf'id="{key}-{variant}">(.*?)</script>', html, re.S)
    assert match, f"{key} has no variant {variant}"
    return dict(json.loads(gzip.decompress(base64.b64decode(match[1]))))


def choices(html: str, key: str) -> list[str]:
    """The labels of a figure's variants."""
    match = re.search(rf'<select data-for="{key}">(.*?)</select>', html, re.S)
    return re.findall(r">([^<]*)</option>", match[1]) if match else []


def test_every_figure_is_there_with_its_caption_and_words(html: str) -> None:
    page = Page(html)
    keys = [key for attrs in page.named("div") if (key := attrs.get("data-figure"))]
    assert keys == FIGURES
    text = " ".join(page.text)
    for key in keys:
        figure = stored(html, key)
        assert figure["data"] and figure["layout"]["meta"]["caption"] in text
        assert figure["layout"]["meta"]["description"] in text
    assert len(page.named("figcaption")) == len(FIGURES)
    ids = {attrs.get("id") for _, attrs in page.tags}
    assert {str(link["href"]).removeprefix("#") for link in page.named("a")} <= ids


def test_what_was_counted_is_shown_against_what_it_brought(tmp_path: Path) -> None:
    runs = [with_costs(made_run(tmp_path / "runs", method)) for method in ("sft", "fggm")]
    html = report_html(runs)
    assert choices(html, "cost")[:2] == ["M passes", "seconds to learn"]
    passes = len(TASKS) * (1000 + 2 * 3000) / 1e6
    assert stored(html, "cost")["data"][0]["x"] == pytest.approx([passes])
    assert len(choices(html, "distance")) == 2
    drawn = {max(stored(html, "distance", variant)["data"][0]["x"]) for variant in (0, 1)}
    assert drawn == {len(TASKS) / 10, len(TASKS) / 5}
    assert "--distance-samples" in report_html([made_run(tmp_path / "plain", "sft")])


def test_the_lists_offer_methods_baselines_and_measures(html: str) -> None:
    assert choices(html, "plane") == ["BWT", "General"]
    assert choices(html, "paired") == ["random", "sft", "migu", "fggm"], "the control comes first"
    assert choices(html, "shared") == choices(html, "union") == ["fggm", "random"]
    assert choices(html, "depth") == ["fggm", "random"]
    assert choices(html, "overlap") == [
        "fggm: Jaccard index", "random: Jaccard index", "fggm: overlap coefficient",
        "random: overlap coefficient",
    ]  # fmt: skip
    assert choices(html, "lorenz") == choices(html, "drift") == [], "only fggm kept scores"


def test_spectra_are_cut_as_the_runs_masks_were(tmp_path: Path) -> None:
    settings = {"replay": {"ratio": 1.0}, "fggm": {"keep": 0.1, "scope": "global"}}
    run = made_run(tmp_path, "replay+fggm", TASKS[:2], method_settings=settings)
    scores = made_scores(TASKS[0])
    scores.save(run.file("fisher", 0))
    truth = fisher_spectra(scores.of_outputs(), 0.1, "global")
    assert stored(report_html(run), "spectra")["layout"]["meta"] == truth.layout.meta


def test_known_methods_come_in_the_order_of_their_styles(tmp_path: Path) -> None:
    methods = ("unheard-of", "random", "fggm", "another", "migu", "sft")
    runs = [made_run(tmp_path, method, TASKS[:2], done=1) for method in methods]
    html = report_html(runs)
    rows = re.findall(r'<tr><th scope="row">([\w-]+)[ <]', html)
    in_order = ["sft", "migu", "fggm", "random", "unheard-of", "another"]
    assert rows[:6] == in_order


def test_drift_is_the_last_tasks_against_the_scores_of_all_before(
    html: str, four_runs: list[Run]
) -> None:
    fggm = four_runs[2]
    earlier = {task: fggm.fisher(task) for task in TASKS[:-1]}
    moved = fggm.drift(TASKS[-1])
    assert moved is not None
    truth = drift_against_fisher({t: s for t, s in earlier.items() if s is not None}, moved)
    figure = stored(html, "drift")
    assert [trace["name"] for trace in figure["data"]] == TASKS[:-1]
    assert figure["layout"]["meta"] == truth.layout.meta


def test_curves_travel_in_half_the_bytes_unless_digits_would_be_lost() -> None:
    big = np.random.default_rng(0).random(500)
    tiny = np.full(500, 1e-300)
    figure = finish(go.Figure([go.Scatter(x=big, y=tiny), go.Bar(x=["a"])]), "t", "c", "d")
    x, y = (json.loads(Variant("v", figure).json())["data"][0][axis] for axis in ("x", "y"))
    assert (x["dtype"], y["dtype"]) == ("f4", "f8")
    light = np.frombuffer(base64.b64decode(x["bdata"]), dtype=np.float32)
    np.testing.assert_allclose(light, big, rtol=1e-6)
    assert figure.data[0].x.dtype == np.float64, "the figure itself is left as it was"


def test_the_report_of_four_methods_and_eight_tasks_stays_below_its_size(html: str) -> None:
    assert len(html.encode()) < 2.5e6


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
    assert html.count("plotly.js (cartesian - minified) v") == 1


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
    text = " ".join(Page(html).text)
    assert text.count("None of these runs kept Fisher scores") == 2
    assert text.count("None of these runs kept the masks") == 4
    assert "the movement of its units during a later one" in text
    assert "no two methods that were run with the same seed" in text


def test_a_run_still_being_written_is_reported_as_far_as_it_got(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=1)
    text = " ".join(Page(report_html([run])).text)
    assert "Still unfinished: fggm" in text


def test_a_run_that_has_only_begun_is_reported(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=0)
    (run.path / "events.jsonl").unlink()
    (run.path / "scores.json").unlink()
    html = report_html([run])
    assert "nothing measured yet" in html and "No run has finished two tasks yet" in html


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


def test_seeds_give_intervals_and_the_first_seeds_records(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), method, TASKS[:3], seed=seed)
            for method in ("fggm", "random") for seed in (1, 2)]  # fmt: skip
    html = report_html(runs)
    parts = [trace["meta"]["part"] for trace in stored(html, "paired")["data"]]
    assert parts.count("mean") == 4, "fggm against random in four metrics"
    assert "Means over 2 seeds" in stored(html, "plane")["layout"]["meta"]["caption"]
    assert choices(html, "shared") == ["fggm", "random"]
    assert html.count("the first is shown (2 of 4 runs)") == 7


def test_runs_over_other_tasks_are_refused(tmp_path: Path) -> None:
    runs = [made_run(tmp_path, "sft", TASKS[:2]), made_run(tmp_path, "fggm", TASKS[:3])]
    with pytest.raises(RunError, match="cannot be compared"):
        report_html(runs)
