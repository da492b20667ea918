"""What every registered figure keeps to, whatever it shows, for small and for large models.

A figure that is added to `FIGURES` needs a line in `TABLE`: the records it is drawn from.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from plotly.colors import hex_to_rgb, sample_colorscale

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.models.attention import AttentionPatterns
from fggm_lab.models.heads import HeadUnits, Projection
from fggm_lab.models.names import split_name
from fggm_lab.plots import FIGURES, caption_of, describe, description_of, export, figure_rows, theme
from fggm_lab.plots.svg import svg
from fggm_lab.plots.thinning import MAX_POINTS
from fggm_lab.runs import AnswerChange, Run
from tests.support.effects import made_effect
from tests.support.records import TASKS, large_scores, made_scores

SVG = "{http://www.w3.org/2000/svg}"

BYTES = 2_000_000
"""The most a figure's JSON may take, lists and sliders inside it included."""


@dataclass(frozen=True)
class Records:
    """What figures are drawn from.

    Attributes:
        runs: the same tasks under several methods.
        scores, masks: of each task, of one model.
    """

    runs: list[Run]
    scores: dict[str, FisherScores]
    masks: dict[str, Mask]

    @property
    def one(self) -> FisherScores:
        return self.scores["FOMC"]

    def heads(self) -> HeadUnits:
        """Scores by head, 4 or 12 of queries and 2 of keys and values."""
        width = 128 if self.one.unit_count > 600_000 else 32
        modules: dict[Projection, str] = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
        return {
            kind: {
                layer: self.one[f"model.layers.{layer}.self_attn.{module}.weight"].view(-1, width)
                for layer in range(4)
            }
            for kind, module in modules.items()
        }

    def conductance(self) -> list[dict[str, Any]]:
        """A correlation per parameter, from -1 to 1."""
        return [
            {"name": name, "layer": split_name(name).layer, "module": split_name(name).module,
             "units": units.numel(), "correlation": np.cos(7 * index)}
            for index, (name, units) in enumerate(self.one.units.items())
        ]  # fmt: skip


STABILITY = [{"examples": 8 * 2**k, "jaccard": 0.5 + 0.1 * k, "sd": 0.02, "expected": 0.18,
              "repeats": 3} for k in range(4)]  # fmt: skip
DRIFT = [{"after": after, "drift": drift, "sd": 0.1}
         for after, drift in [(None, 0.8), ("FOMC", 0.0), ("Py150", 0.3)]]  # fmt: skip

CHANGES = [
    AnswerChange(task, "test", index, "What?", "B", task, TASKS[-1], "B", "A", 1.0,
                 float(index % (at + 2) > 0), 0.1, 0.5)
    for at, task in enumerate(TASKS[:-1]) for index in range(20)
]  # fmt: skip


def made_attention(seed: int) -> AttentionPatterns:
    """Two layers of three heads on a text with a mark that pages read."""
    tokens = ("<|begin|>", " How", " many", " &", "?", "\n", "A")
    raw = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(seed)).tril()
    return AttentionPatterns(tokens, raw / raw.sum(-1, keepdim=True), (0, 1))


TABLE: dict[str, Callable[[Records], tuple[Any, ...]]] = {
    "answer_changes": lambda r: (CHANGES,),
    "attention_maps": lambda r: (made_attention(0), made_attention(1)),
    "change_against_overlap": lambda r: (r.runs,),
    "conductance_against_fisher": lambda r: (r.conductance(),),
    "drift_against_fisher": lambda r: (r.scores, r.one.units),
    "drift_curve": lambda r: (DRIFT, "FOMC"),
    "fisher_spectra": lambda r: (r.one,),
    "forgetting_curves": lambda r: (r.runs,),
    "head_heatmap": lambda r: (r.heads(), "FOMC"),
    "kept_shares": lambda r: (r.one,),
    "log_curves": lambda r: (r.runs,),
    "lorenz_curves": lambda r: (r.scores,),
    "mask_effects": lambda r: (made_effect(),),
    "mask_map": lambda r: (r.masks,),
    "mask_overlap": lambda r: (r.masks,),
    "overlap_per_layer": lambda r: (r.masks,),
    "paired_differences": lambda r: (r.runs, "random"),
    "score_heatmap": lambda r: (r.one,),
    "score_histograms": lambda r: (r.one,),
    "score_matrix": lambda r: (r.runs[0],),
    "shared_units": lambda r: (r.masks,),
    "spectra_overlaid": lambda r: (r.scores,),
    "spectrum_growth": lambda r: (dict(enumerate(r.scores.values())),),
    "stability_curves": lambda r: ({"FOMC": STABILITY},),
    "stability_plasticity": lambda r: (r.runs,),
    "training_progress": lambda r: (r.runs[0],),
    "union_growth": lambda r: (r.masks,),
}
"""Name → what `Records` give the figure of that name to draw."""

OF_MODELS = {
    "conductance_against_fisher", "drift_against_fisher", "fisher_spectra",
    "head_heatmap", "kept_shares",
    "lorenz_curves", "mask_map", "mask_overlap", "overlap_per_layer", "score_heatmap",
    "score_histograms", "shared_units", "spectra_overlaid", "spectrum_growth", "union_growth",
}  # fmt: skip
"""Those whose size could grow with the model's: drawn of a large one, too."""

CASES = [*((name, "small") for name in sorted(FIGURES)), *((n, "large") for n in sorted(OF_MODELS))]


Draw = Callable[[str, str], go.Figure]
"""A figure's name and the size of the model → the figure."""


@pytest.fixture(scope="session")
def records(four_runs: list[Run]) -> dict[str, Records]:
    """Of a small model and of one with 0.65 M units, eight tasks each."""
    by_size = {}
    for size, make in (("small", made_scores), ("large", large_scores)):
        scores = {task: make(task, seed) for seed, task in enumerate(TASKS)}
        masks = {task: Mask.top(item, 0.3) for task, item in scores.items()}
        by_size[size] = Records(four_runs, scores, masks)
    return by_size


@pytest.fixture(scope="session")
def draw(records: dict[str, Records]) -> Draw:
    """Draws a figure of the registry once, and remembers it."""
    drawn: dict[tuple[str, str], go.Figure] = {}

    def figure(name: str, size: str) -> go.Figure:
        if (name, size) not in drawn:
            drawn[name, size] = FIGURES[name].draw(*TABLE[name](records[size]))
        return drawn[name, size]

    return figure


def test_every_registered_figure_is_in_the_table() -> None:
    assert TABLE.keys() == FIGURES.keys(), "give a new figure a line in TABLE"
    assert len({kind.heading for kind in FIGURES.values()}) == len(FIGURES)


def test_the_large_model_is_large(records: dict[str, Records]) -> None:
    assert records["large"].one.unit_count > 600_000


@pytest.mark.parametrize(("name", "size"), CASES)
def test_it_carries_its_texts(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert describe(figure) == description_of(figure)
    assert len(describe(figure)) > 40 and describe(figure).endswith(".")
    assert len(caption_of(figure)) > 40 and caption_of(figure).endswith(".")
    assert figure.layout.meta["title"] in figure.layout.title.text


@pytest.mark.parametrize(("name", "size"), CASES)
def test_axes_have_names(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert any(axis.title.text for axis in figure.select_xaxes())
    assert any(axis.title.text for axis in figure.select_yaxes())


@pytest.mark.parametrize(("name", "size"), CASES)
def test_it_is_small_enough_for_a_browser(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    assert 0 < sum(points(trace) for trace in figure.data) <= MAX_POINTS
    assert len(figure.to_json()) <= BYTES


@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_page_without_javascript_shows_a_small_picture_of_it(
    draw: Draw, name: str, size: str
) -> None:
    figure = draw(name, size)
    picture = svg(figure)
    texts_shown = {text.text for text in ElementTree.fromstring(picture).iter(f"{SVG}text")}
    assert figure.layout.meta["title"] in texts_shown
    assert len(picture) < 60_000 and not re.search(r"\b(nan|inf|None)\b", picture)
    bundle = figure._repr_mimebundle_()
    assert "<img " in bundle["text/html"] and "<script" not in bundle["text/html"]
    assert describe(figure) in bundle["text/plain"]


@pytest.mark.parametrize(("name", "size"), CASES)
def test_no_text_speaks_of_nan(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    bad_texts = [
        text for text in texts(figure.to_plotly_json()) if re.search(r"\b(nan|inf|None)\b", text)
    ]
    assert bad_texts == []


@pytest.mark.parametrize(("name", "size"), CASES)
def test_its_colours_are_the_themes(draw: Draw, name: str, size: str) -> None:
    figure = draw(name, size)
    used = {colour for trace in figure.data for colour in colours(trace)}
    for trace in figure.data:
        if trace.type == "heatmap":
            scale = trace.colorscale or figure.layout[trace.coloraxis].colorscale
            used |= {colour for _, colour in scale}
    assert [colour for colour in used if not is_of_theme(colour)] == []


@pytest.mark.parametrize(("name", "size"), CASES)
def test_its_table_holds_the_numbers_of_its_traces(
    draw: Draw, tmp_path: Path, name: str, size: str
) -> None:
    figure = draw(name, size)
    rows = figure_rows(figure)
    expected = [value for trace in figure.data for value in shown(trace)]
    assert [row["z"] if row.get("z_axis") else row["y"] for row in rows] == expected
    with export(figure, tmp_path / "data.csv").open(newline="", encoding="utf-8") as handle:
        back = list(csv.DictReader(handle))
    assert len(back) == len(rows) and list(back[0]) == list(rows[0])
    for read, row in zip(back, rows, strict=True):
        for column, value in row.items():
            same = float(read[column]) == value if isinstance(value, float) else (
                read[column] == ("" if value is None else str(value)))  # fmt: skip
            assert same, (column, read[column], value)


def points(trace: Any) -> int:
    """How many points or cells a trace sends to the browser."""
    return int(np.size(trace.z)) if trace.type == "heatmap" else len(trace.x)


def shown(trace: Any) -> Iterator[Any]:
    """The heights of a trace's points, or the values of its cells, as numbers and texts."""
    if trace.visible not in (None, True):
        return
    values = trace.y if trace.type != "heatmap" else [z for row in trace.z for z in row]
    across = trace.x if trace.type != "heatmap" else [0] * len(values)
    for x, value in zip(across, values, strict=True):
        if x is not None or value is not None:
            value = value.item() if isinstance(value, np.generic) else value
            yield None if isinstance(value, float) and np.isnan(value) else value


def texts(value: Any) -> Iterator[str]:
    """Every text in a figure's JSON that a reader may see; numbers are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            if key != "template":
                yield from texts(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from texts(inside)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        yield from texts(value.tolist())


def colours(trace: Any) -> Iterator[str]:
    """The colours of a trace's lines, markers and areas."""
    drawn = trace.to_plotly_json()
    for part in ("line", "marker", "fillcolor"):
        colour = drawn.get(part)
        colour = colour.get("color") if isinstance(colour, dict) else colour
        yield from [colour] if isinstance(colour, str) else colour if colour is not None else []


def is_of_theme(colour: str) -> bool:
    """Whether a colour is one of the theme's, or of its scale of depth, however opaque."""
    if colour == "white":
        return True
    rgb = hex_to_rgb(colour) if colour.startswith("#") else numbers(colour)
    return rgb in PALETTE or bool((abs(SCALE - rgb).max(1) <= 2).any())


def numbers(colour: str) -> tuple[float, ...]:
    """Red, green and blue of `rgb(…)` or `rgba(…)`."""
    return tuple(float(part) for part in re.findall(r"[\d.]+", colour)[:3])


PALETTE = [*(hex_to_rgb(colour) for colour in (*theme.PALETTE, theme.INK)), numbers(theme.FAINT)]
SCALE = np.array(
    [numbers(c) for c in sample_colorscale(theme.DEPTH, np.linspace(0, 1, 2001).tolist())]
)
