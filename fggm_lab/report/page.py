"""One HTML file that shows runs: what was run, the comparison, the figures, the score matrices.

Everything is inside the file, plotly.js included; nothing is fetched when it is opened.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from fggm_lab.files import write_text
from fggm_lab.plots.plotly_js import plotly_js
from fggm_lab.plots.styles import METHOD_STYLES
from fggm_lab.report import tables
from fggm_lab.report.assets import SCRIPT, STYLE
from fggm_lab.report.block import Block
from fggm_lab.report.figures import figure_blocks
from fggm_lab.runs import Run, RunsLike, as_runs, comparison
from fggm_lab.runs.finding import finding


def write_report(runs: RunsLike, path: Path | str) -> None:
    """Write the report of `runs` to `path`, whole or not at all.

    Args:
        runs: a run, a folder of runs, or several of either; over the same tasks. Runs still being
            written are shown as far as they got.
        path: the HTML file.

    Raises:
        RunError: no runs, or runs that cannot be compared.
        LabError: the disk refused; an older report is still there.
    """
    write_text(path, report_html(runs))


def report_html(runs: RunsLike) -> str:
    """The report as HTML; see `write_report`."""
    ordered = sorted(as_runs(runs), key=_rank)
    rows = comparison(ordered)
    blocks = figure_blocks(ordered)
    tasks = len(ordered[0].config.task_names)
    title = f"Forgetting in {ordered[0].config.model}: {tasks} task{'s' if tasks != 1 else ''}"
    parts = [
        f"<header><h1>{escape(title)}</h1>{_summary(ordered)}{_contents(blocks)}</header>",
        '<main><section aria-labelledby="comparison"><h2 id="comparison">Comparison</h2>',
        _unfinished(rows),
        _finding(ordered),
        tables.comparison_html(rows),
        tables.definitions_html(rows),
        "</section>",
        *(_block_html(block) for block in blocks),
        '<section aria-labelledby="matrices"><h2 id="matrices">Score matrices</h2>',
        tables.matrices_html(ordered),
        '</section><section aria-labelledby="settings"><h2 id="settings">What was run</h2>',
        tables.settings_html(ordered),
        "</section></main>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>"
        + "\n".join(parts)
        + f"\n<script>{plotly_js()}</script>\n<script>{SCRIPT}</script></body></html>\n"
    )


def _rank(run: Run) -> int:
    """Known methods first, the baseline before all; the rest as they came."""
    methods = list(METHOD_STYLES)
    return methods.index(run.config.method) if run.config.method in methods else len(methods)


def _summary(runs: Sequence[Run]) -> str:
    config = runs[0].config
    methods = ", ".join(dict.fromkeys(run.config.method for run in runs))
    seeds = ", ".join(str(seed) for seed in sorted({run.config.training.seed for run in runs}))
    versions = ", ".join(f"{name} {number}" for name, number in config.versions.items())
    general = f"; General: {config.general}" if config.general else ""
    return (
        f"<p>Learned one after the other: {escape(', '.join(config.task_names))} "
        f"(from {escape(config.tasks)}). Methods: {escape(methods)}. Seed {escape(seeds)}. Scored "
        f"on the {config.training.split} split{escape(general)}.</p>"
        f'<p class="note">{escape(versions)}</p>'
    )


def _contents(blocks: Sequence[Block]) -> str:
    sections = [
        ("comparison", "Comparison"),
        *((block.key, block.heading) for block in blocks),
        ("matrices", "Score matrices"),
        ("settings", "What was run"),
    ]
    links = "".join(f'<li><a href="#{key}">{escape(name)}</a></li>' for key, name in sections)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _finding(runs: Sequence[Run]) -> str:
    """What the runs show, in a sentence."""
    sentence = finding(runs)
    return "" if sentence is None else f'<p class="finding">{escape(sentence)}</p>'


def _unfinished(rows: Sequence[dict[str, object]]) -> str:
    names = [str(row["method"]) for row in rows if not row["finished"]]
    if not names:
        return ""
    return f'<p class="note">Still unfinished: {escape(", ".join(names))}.</p>'


def _block_html(block: Block) -> str:
    """A figure with the list of its variants, its caption and its description."""
    heading = f'<h2 id="{block.key}">{escape(block.heading)}</h2>'
    start = f'<section aria-labelledby="{block.key}">{heading}'
    if not block.variants:
        return f'{start}<p class="note">{escape(block.missing)}</p></section>'
    options = "".join(
        f'<option value="{i}">{escape(v.label)}</option>' for i, v in enumerate(block.variants)
    )
    choice = (
        f'<p><label>{escape(block.choice)} <select data-for="{block.key}">{options}</select>'
        "</label></p>"
        if len(block.variants) > 1
        else ""
    )
    note = f'<p class="note">{escape(block.note)}</p>' if block.note else ""
    first = block.variants[0]
    data = "".join(
        f'<script type="application/gzip" id="{block.key}-{i}">{variant.packed()}</script>'
        for i, variant in enumerate(block.variants)
    )
    return (
        f'{start}{note}{choice}<figure><div class="scroll" tabindex="0" role="region" '
        f'aria-label="{escape(block.heading)}"><div class="plot {block.kind}" '
        f'data-figure="{block.key}" style="height:{first.height}px" role="img" '
        f'aria-label="{escape(block.heading)}" aria-describedby="{block.key}-words"></div></div>'
        f'<figcaption id="{block.key}-caption">{escape(first.caption)}</figcaption></figure>'
        f'<details><summary>The same in words</summary><p id="{block.key}-words">'
        f"{escape(first.description)}</p></details>{data}</section>"
    )
