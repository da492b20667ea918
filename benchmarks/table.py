"""Reports as tables in a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import Report


def show(report: Report, console: Console) -> None:
    """Print a report's table and its notes."""
    table = Table(title=report.title, title_justify="left", title_style="bold")
    for column in report.columns:
        table.add_column(column.header, justify="right" if column.form else "left", overflow="fold")
    for row in report.rows:
        table.add_row(*(_written(row.get(column.key), column.form) for column in report.columns))
    console.print(table)
    for note in report.notes:
        console.print(f"  {note}", highlight=False)


def show_targets(reports: Mapping[str, Report], console: Console) -> None:
    """Print what had to be reached, and what was."""
    targets = [target for report in reports.values() for target in report.targets]
    if not targets:
        return
    table = Table(title="Targets", title_justify="left", title_style="bold")
    for header in ("what", "must be", "came out", ""):
        table.add_column(header, justify="left" if header in ("what", "") else "right")
    for target in targets:
        sign = "≤" if target.sense == "at most" else "≥"
        verdict = "[green]reached[/]" if target.reached else "[red]missed[/]"
        table.add_row(target.what, f"{sign} {target.limit:g}", f"{target.value:.3g}", verdict)
    console.print(table)


def _written(value: Any, form: str) -> str:
    if value is None:
        return "–"
    return format(value, form) if form and not isinstance(value, str) else str(value)
