"""The results page: its tables and its pictures are those of the stored rows, gaps are named."""

import math
import re
from typing import Any

import pytest

from studies import catalog, compared, main_tables, page, picture
from studies.chosen import ON_TRACE
from studies.matching import at_level, left_out, on_line
from studies.planned import PlannedRun
from studies.protocol import PRIORITY
from studies.rows import Row, StudyRows
from tests.support.study_rows import Memory, made_row, peak_at, trained


@pytest.mark.parametrize("path", page.PAGES, ids=lambda path: path.name)
def test_a_page_has_the_tables_of_the_study_rows(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert page.filled(text) == text, "python -m studies page"


def test_every_block_stands_on_one_page_and_the_first_table_on_the_readme_too() -> None:
    texts = [path.read_text(encoding="utf-8") for path in page.PAGES]
    names = [name for text in texts for name in re.findall(r"<!-- results: (.+?) -->", text)]
    assert sorted(names) == sorted([*page.BLOCKS, *page.LATER_BLOCKS, "headline"])


# Equal learning: a curve that is known everywhere


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def known_row(rate: float) -> Row:
    """A method whose numbers are known at every rate: it learns early, and loses late and fast."""
    octave = math.log2(rate / 5e-4)
    return {
        "method": "sft", "lr": rate, "seed": 1, "settings": {"keep": rate},
        "learning_accuracy": 0.9 * sigmoid(octave + 2.5),
        "general_after": 0.95 * sigmoid(-2.2 * (octave - 0.9)),
    }  # fmt: skip


@pytest.mark.parametrize("octave", [-1.5, -0.5, 0.5])
def test_a_reading_between_rates_is_right_where_straight_lines_read_too_low(octave: float) -> None:
    between = known_row(5e-4 * 2**octave)
    curve = [known_row(rate) for rate in (1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3)]
    level, true = between["learning_accuracy"], between["general_after"]
    read, line = (read(curve, level, "general_after") for read in (at_level, on_line))
    assert read is not None and line is not None
    assert abs(read - true) < 0.025
    assert abs(line - true) > 4 * abs(read - true)
    assert line - true < -0.03 or octave == -1.5  # where General is still flat


def test_a_measured_point_is_read_as_it_is_and_nothing_beyond_the_curve() -> None:
    curve = [known_row(rate) for rate in (1e-3, 2.5e-4, 5e-4)]
    middle = known_row(5e-4)
    read = at_level(curve, middle["learning_accuracy"], "general_after")
    assert read == pytest.approx(middle["general_after"], abs=1e-3)
    assert at_level(curve, middle["learning_accuracy"], "general_after", "keep") == read
    assert at_level(curve, 0.1, "general_after") is None
    assert at_level(curve, 0.99, "general_after") is None
    assert at_level(curve[:1], 0.7, "general_after") is None


def test_a_rate_left_out_is_read_better_off_the_curve() -> None:
    curve = [known_row(rate) for rate in (1.25e-4, 2.5e-4, 5e-4, 1e-3)]
    ((line, bent), *_) = errors = left_out(curve, "general_after")
    assert len(errors) == 2 and abs(bent) < abs(line)
    assert left_out(curve[1:], "general_after") == []  # two points make no curve


# Tables

FORMER = main_tables.FORMER


@pytest.fixture
def rows(memory: Memory) -> Memory:
    """Rows of a tuned `sft`, `fggm` and `migu`, and of some of their runs in the first order."""
    trained(memory, ON_TRACE, ["sft", "fggm", "migu"], lambda run: peak_at(5e-4, run))
    memory["trace-1"] = StudyRows()
    for run in catalog.plan("trace-1").runs:
        if run.method in ("sft", "fggm", "migu") and run.seed <= 4:
            memory["trace-1"].rows.append(first_order_row(run))
    return memory


def first_order_row(run: PlannedRun, study: str = "trace-1") -> Row:
    """FGGM is 0.1 above MIGU in General, and masking the first task brings another 0.2."""
    masked = bool(run.own_settings().get("first_task", False))
    general = 0.5 + 0.1 * (run.method == "fggm") + 0.2 * masked + 0.01 * run.seed
    numbers = {"bwt_gem": 0.0, "forgetting": 0.0, "learning_accuracy": 0.7}
    return made_row(study, run, general) | numbers | {"token_passes": 2.0}


def test_a_table_has_both_variants_of_a_mask_and_names_what_is_missing(rows: Memory) -> None:
    text = main_tables.comparison("trace-1")
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines()}
    assert "| 0.0005 | 4 | 0.825" in lines["fggm"] and "0.625" in lines["fggm, first task free"]
    assert "Not run yet in `trace-1`: untrained (1), sft (1), fggm (2), migu (2)." in text
    assert "replay" in text.partition("(its tuning is not complete)")[0]
    first = main_tables.headline()
    assert "| plain fine-tuning | 0.525" in first and "| 1.00 |" in first and FORMER not in first


def test_pairs_are_of_one_switch_and_the_former_page_stands_beside_them(rows: Memory) -> None:
    text = main_tables.differences("trace-1", "trace-2")
    assert "| fggm − migu | General | +0.100 |" in text
    assert "| fggm, first task free − migu, first task free | General | +0.100 |" in text
    switch = page.BLOCKS["changed-first-task"]()
    assert "former page: FGGM masked, MIGU free | 5 | +0.0" in switch
    assert "| both masked | 4 | +0.100 |" in switch and "| both free | 4 | +0.100 |" in switch


def test_self_kl_is_compared_with_each_rival_at_both_of_its_rates(memory: Memory) -> None:
    methods = ["sft", "self-kl", "fggm"]
    trained(memory, ON_TRACE, methods, lambda run: peak_at(5e-4, run))
    for study in ("trace-1", "trace-1-twice"):
        memory[study] = StudyRows()
        for run in catalog.plan(study).runs:
            general = 0.9 if run.method == "self-kl" else 400 * run.lr
            memory[study].rows.append(first_order_row(run, study) | {"general_after": general})
    lines = [line.split(" | ") for line in main_tables.rivals("trace-1").splitlines()]
    assert [(cell[0].strip("| "), *cell[1:2], cell[3]) for cell in lines[2:6]] == [
        ("sft", "0.0005", "+0.700"), ("sft", "0.001", "+0.500"),
        ("fggm", "0.0005", "+0.700"), ("fggm", "0.001", "+0.500"),
    ]  # fmt: skip


def test_a_study_without_rows_shows_the_former_ones_and_says_so(memory: Memory) -> None:
    former_rows, is_former = compared.rows_or_former("trace-2")
    assert is_former and former_rows
    assert FORMER in main_tables.comparison("trace-2")


def test_tuning_shows_every_trial_and_whether_the_best_is_bracketed(rows: Memory) -> None:
    text = main_tables.tunings((ON_TRACE, PRIORITY))
    assert "| sft | 3 | 0.00025 0.0005 0.001 | – | 0.0005 | yes |" in text
    assert "l2 (6)" in text


def test_the_picture_has_a_line_per_method_through_the_means_at_its_rates() -> None:
    rows: list[Row] = [
        {
            "method": "sft", "lr": lr, "seed": seed, "settings": {}, "op_final": 0.5,
            "learning_accuracy": lr * 100 + seed / 10, "general_after": 1 - seed / 10,
        }
        for lr in (2e-3, 1e-3)
        for seed in (1, 2)
    ]  # fmt: skip
    general, op = picture.trade_off(rows).data
    assert general.x == pytest.approx([0.25, 0.35]) and general.y == pytest.approx([0.85, 0.85])
    assert op.y == pytest.approx([0.5, 0.5])
    assert general.error_x.array == pytest.approx([0.1 / 2**0.5] * 2)


def test_the_picture_of_the_real_model_has_what_texts_lost_over_what_was_learned() -> None:
    row = {"method": "sft", "seed": 1, "settings": {}, "op_final": 0.4, "general_before": 2.5}
    rows: list[Row] = [
        row | {"lr": 2e-3, "loss_learned": 0.7, "general_after": 3.0},
        row | {"lr": 1e-3, "loss_learned": 0.8, "general_after": 2.6},
    ]
    figure = picture.real_model(rows)
    rise, op = figure.data
    assert rise.x == pytest.approx([0.8, 0.7]) and rise.y == pytest.approx([0.1, 0.5])
    assert op.y == pytest.approx([0.4, 0.4])
    assert "one seed" in figure.layout.meta["caption"]
