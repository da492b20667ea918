"""Rows of runs as JSON and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from fggm_lab.escaping import csv_cell
from fggm_lab.runs.compare import columns


def to_json(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a JSON list of objects."""
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV with a header; a number over seeds takes columns KEY_mean, KEY_sd, KEY_n.

    Args:
        rows: of `comparison`, `over_seeds` or other flat records.

    Returns:
        The text; in it a cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    flat = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]) if flat else list(columns()), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: csv_cell(value) for key, value in row.items()} for row in flat)
    return text.getvalue()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row without nested values."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{part}": inner for part, inner in value.items()}
        else:
            flat[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat
