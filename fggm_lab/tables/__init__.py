"""Tables of runs, for a terminal, a page, a spreadsheet or a program."""

from fggm_lab.tables.html import numbers_html
from fggm_lab.tables.plain import to_csv, to_json
from fggm_lab.tables.terminal import comparison_table, paired_table, published_table

__all__ = [
    "comparison_table",
    "numbers_html",
    "paired_table",
    "published_table",
    "to_csv",
    "to_json",
]
