"""The tables of a report: comparison, definitions, score matrices, settings."""

from collections.abc import Sequence
from html import escape
from typing import Any

from fggm_lab.plots.score_curves import run_labels
from fggm_lab.runs import NUMBERS, Run, RunNumber, over_seeds
from fggm_lab.tables import numbers_html


def comparison_html(rows: Sequence[dict[str, Any]]) -> str:
    """One row per run; above it one per method over its seeds, where there are several."""
    means = over_seeds(rows)
    tables = ""
    if len(means) < len(rows):
        tables = _numbers("Mean ± sample standard deviation over seeds", means)
    return tables + _numbers("One row per run", rows)


def _numbers(caption: str, rows: Sequence[dict[str, Any]]) -> str:
    """A table of every number in which rows differ; below it those in which all are the same."""
    same = {
        key: number.text(rows[0][key])
        for key, number in NUMBERS.items()
        if len(rows) > 1 and not isinstance(rows[0][key], dict)
        if len({number.text(row[key]) for row in rows}) == 1
    }
    table = numbers_html(caption, rows, [key for key in NUMBERS if key not in same])
    if not same:
        return table
    listed = ", ".join(f"{NUMBERS[key].label} {text}" for key, text in same.items())
    return f'{table}<p class="note">The same in every row: {escape(listed)}.</p>'


def definitions_html(rows: Sequence[dict[str, Any]]) -> str:
    """What each column means and where the definition comes from."""
    loss = any(row["general_better"] == "lower" for row in rows)
    items = "".join(
        f"<dt>{escape(number.label)}</dt><dd>{escape(_definition(number, loss))}</dd>"
        for number in NUMBERS.values()
    )
    return (
        '<p class="note">Scores are fractions from 0 to 1; “–” is not measured; ↓ marks columns '
        "in which less is better, in all others more scores is better (time and memory: less). "
        "One seed is one draw: differences between methods mean little unless they are larger "
        "than the spread over seeds. All metrics but General, seconds and memory derive from the "
        "score matrices below.</p>"
        f"<details><summary>What the columns mean</summary><dl>{items}</dl></details>"
    )


def _definition(number: RunNumber, loss: bool) -> str:
    """What a number is, with its source; General may be a loss."""
    definition = number.loss_definition if loss else None
    source = f" ({number.source})" if number.source else ""
    return (definition or number.definition) + source


def matrices_html(runs: Sequence[Run]) -> str:
    """R of each run: a row per trained task, a column per measured task."""
    parts = []
    for number, (run, label) in enumerate(zip(runs, run_labels(runs), strict=True)):
        scores = run.scores
        if scores is None:
            parts.append(f'<p class="note">{escape(label)}: nothing measured yet.</p>')
            continue
        heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in scores.tasks)
        lines = [("untrained", scores.untrained, -1)] + [
            (f"after {name}", row, index)
            for index, (name, row) in enumerate(zip(scores.tasks, scores.matrix, strict=True))
        ]
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(_score(value, column == index) for column, value in enumerate(row))
            + "</tr>"
            for name, row, index in lines
        )
        parts.append(
            f"<details{' open' if number == 0 else ''}><summary>{escape(label)}</summary>"
            f'<div class="scroll" tabindex="0" role="region" aria-label="Score matrix of '
            f'{escape(label)}"><table class="matrix"><caption>Score on each task (column) after '
            f"learning each task (row); bold: the task just learned</caption><thead><tr>"
            f'<th scope="col">model</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
            "</details>"
        )
    return "".join(parts)


def _score(value: float | None, learned: bool) -> str:
    kind = ' class="learned"' if learned else ""
    if value is None:
        return f"<td{kind}>–</td>"
    return f'<td{kind} style="--score:{value:.3f}">{value:.3f}</td>'


def settings_html(runs: Sequence[Run]) -> str:
    """Model, tasks, versions and the settings all runs share; then what differs."""
    all_settings = [run.config.settings() for run in runs]
    versions = [dict(run.config.versions) for run in runs]
    names = list(dict.fromkeys(name for settings in all_settings for name in settings))
    shared = [
        n
        for n in names
        if all(settings.get(n) == all_settings[0].get(n) for settings in all_settings)
    ]
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_value(all_settings[0].get(name)))}</dd>"
        for name in shared
    )
    same = versions[0].items() if all(v == versions[0] for v in versions) else ()
    items += "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in same)
    rows = ""
    for label, settings, packages in zip(run_labels(runs), all_settings, versions, strict=True):
        different = {n: settings[n] for n in names if n not in shared and n in settings}
        text = ", ".join(f"{n.split('.')[-1]} {_value(v)}" for n, v in different.items())
        if not same:
            text += "; versions: " + ", ".join(f"{k} {v}" for k, v in packages.items())
        rows += f'<tr><th scope="row">{escape(label)}</th><td class="text">{escape(text)}</td></tr>'
    return (
        f"<dl>{items}</dl>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ"><table>'
        '<caption>Settings in which the runs differ</caption><thead><tr><th scope="col">run</th>'
        f'<th scope="col" class="text">settings</th></tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
