"""The results page: its tables and its picture are those of the stored rows."""

import re
from typing import Any

import pytest

from studies import page, picture


def row(method: str = "sft", lr: float = 1e-3, **numbers: Any) -> dict[str, Any]:
    return {"method": method, "lr": lr, "seed": 1, "settings": {}, **numbers}


def test_the_page_has_the_tables_of_the_study_rows() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text, "python -m studies page"
    block_names = re.findall(r"<!-- results: (.+?) -->", text)
    assert sorted(block_names) == sorted(page.BLOCKS)


def test_matched_learning_accuracy_reads_between_two_rates() -> None:
    curve = [
        row(lr=1e-3, learning_accuracy=0.9, general_after=0.5),
        row(lr=5e-4, learning_accuracy=0.7, general_after=0.9),
    ]
    assert page.at_level(curve, 0.75, "general_after") == pytest.approx(0.8)
    assert page.at_level(curve, 0.6, "general_after") is None
    assert page.at_level(curve, 0.95, "general_after") is None


def test_the_picture_has_a_line_per_method_through_the_means_at_its_rates() -> None:
    rows = [
        row(lr=lr, learning_accuracy=lr * 100 + seed / 10, general_after=1 - seed / 10)
        | {"seed": seed, "op_final": 0.5}
        for lr in (2e-3, 1e-3)
        for seed in (1, 2)
    ]
    general, op = picture.trade_off(rows).data
    assert general.x == pytest.approx([0.25, 0.35]) and general.y == pytest.approx([0.85, 0.85])
    assert op.y == pytest.approx([0.5, 0.5])
    assert general.error_x.array == pytest.approx([0.1 / 2**0.5] * 2)
